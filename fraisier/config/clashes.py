"""What two targets on one server may not share: a folder, a unit, a port. Both are held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from .problems import Mark, Report
from .targets import Draft

Place = Callable[[Draft], tuple[Hashable, Mark] | None]


def check_clashes(drafts: Sequence[Draft], report: Report) -> None:
    _check_same(drafts, report, ("app_path",), lambda draft: draft.app_path)
    _check_same(drafts, report, ("systemd_service",), lambda draft: draft.unit)
    _check_same(drafts, report, ("service", "port"), lambda draft: draft.port)
    _check_nested(drafts, report)


def _check_same(drafts: Iterable[Draft], report: Report, key: tuple[str, ...], place: Place) -> None:
    holders: dict[Hashable, list[Draft]] = defaultdict(list)
    for draft in drafts:
        if (at := place(draft)) is not None:
            holders[at[0]].append(draft)
    for same in holders.values():
        for draft in same:
            others = [other for other in same if other is not draft and draft.shares_a_server_with(other)]
            if others:
                _report(draft, others[0], report, key, place, "is also that of")


def _check_nested(drafts: Iterable[Draft], report: Report) -> None:
    holders: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        if draft.app_path is not None:
            holders[draft.app_path[0]].append(draft)
    for path, inner in holders.items():
        for outer in _around(path):
            for one in holders.get(outer, ()):
                _report_nested(one, inner, report)


def _report_nested(outer: Draft, inner: Iterable[Draft], report: Report) -> None:
    for draft in inner:
        if outer.shares_a_server_with(draft):
            _report(draft, outer, report, ("app_path",), lambda one: one.app_path, "lies inside that of")
            _report(outer, draft, report, ("app_path",), lambda one: one.app_path, "lies around that of")


def _around(path: str) -> Iterator[str]:
    """The folders that `path` lies in, nearest first, without `/`."""
    while path := path.rpartition("/")[0]:
        yield path


def _report(draft: Draft, other: Draft, report: Report, key: tuple[str, ...], place: Place, relation: str) -> None:
    here, there = place(draft), place(other)
    assert here is not None  # compared because both have one
    assert there is not None
    report.add(here[1], (*draft.path, *key), f"{relation} {other.id}, at {there[1]}", "give each target its own")
