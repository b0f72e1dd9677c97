"""`branch`, `tag` and `revision` of one environment: exactly one of them says what is deployed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fraisier.model.selection import Branch, Exact, Selection, TagRange
from fraisier.model.versions import check_range

from .problems import Wrong
from .values import parse_branch
from .view import View

SELECTORS = ("branch", "tag", "revision")


def read_selection(view: View, mapped: str | None) -> Selection | None:
    """`mapped` is the branch that `branch_mapping` names; None, reported, when nothing usable is selected."""
    written = [key for key in SELECTORS if view.is_written(key)]
    if not written:
        return _read_mapped(view, mapped)
    for other in written[1:]:
        line = view.at(written[0]).key_mark.line
        view.at(other).problem(
            f"contradicts {written[0]} (line {line}): one of branch, tag and revision says what is deployed",
            "keep one of them",
        )
    first, *_ = [_READERS[key](view.at(key)) for key in written]
    return first


def _read_mapped(view: View, mapped: str | None) -> Branch | None:
    if mapped is None:
        view.key_problem(
            "needs a branch, a tag or a revision", "write branch: main here, or name the target in branch_mapping"
        )
        return None
    return Branch(mapped)


def _read_branch(view: View) -> Branch | None:
    name = view.plain(parse_branch)
    return None if name is None else Branch(name)


def _read_tag(view: View) -> TagRange | None:
    return view.parsed(_parse_range)


def _parse_range(text: str) -> TagRange:
    """What is written stands in the file itself, so that the words of `check_range` may repeat it."""
    if "${" in text:
        raise Wrong("cannot be read from the environment", "write the value itself")
    try:
        check_range(text)
    except ValueError as error:
        raise Wrong(str(error)) from None
    return TagRange(text)


def _read_revision(view: View) -> Exact | None:
    """The schema has checked that it is a whole SHA."""
    return view.parsed(lambda text: Exact(text.lower()))


_READERS: Mapping[str, Callable[[View], Selection | None]] = {
    "branch": _read_branch,
    "tag": _read_tag,
    "revision": _read_revision,
}
