"""The parsed files as plain values, with the place of each; still unchecked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fraisier.model.names import TargetId

from .problems import Mark, Path, Report


@dataclass(slots=True)
class Document:
    """`data` loses what the schema refuses; `keys`, `values` and `written` keep what was written."""

    data: dict[str, Any] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    """Where the key of each entry stands."""
    values: dict[Path, Mark] = field(default_factory=dict)
    """Where each value begins."""
    written: dict[Path, str] = field(default_factory=dict)
    """The text of values that YAML reads as something else than text: `yes`, `12:30`, `1.10`."""
    files: list[str] = field(default_factory=list)

    def value_at(self, path: Path) -> Mark:
        return self.values.get(path) or self.key_at(path)

    def key_at(self, path: Path) -> Mark:
        """The key of `path`, or the nearest place around it that is known."""
        while path:
            if found := self.keys.get(path) or self.values.get(path):
                return found
            path = path[:-1]
        return Mark(self.files[0], 1, 1)


def merge(documents: Sequence[Document], report: Report) -> Document:
    """Several files as one: maps under the same top-level key are joined, anything said twice is a problem."""
    whole = documents[0]
    for document in documents[1:]:
        whole.files += document.files
        for key, value in document.data.items():
            _merge_section(whole, document, key, value, report)
    return whole


def _merge_section(whole: Document, document: Document, key: str, value: Any, report: Report) -> None:
    if key not in whole.data:
        whole.data[key] = value
        _take_marks(whole, document, (key,))
    elif isinstance(value, dict) and isinstance(whole.data[key], dict):
        for inner, entry in value.items():
            _merge_entry(whole, document, (key, inner), entry, report)
    else:
        report_twice(report, (key,), document.keys[(key,)], whole.keys[(key,)])


def _merge_entry(whole: Document, document: Document, path: tuple[str, str], entry: Any, report: Report) -> None:
    section, key = path
    if key in whole.data[section]:
        _report_twice_both(whole, document, path, report)
    else:
        whole.data[section][key] = entry
        _take_marks(whole, document, path)


def _report_twice_both(whole: Document, document: Document, path: tuple[str, str], report: Report) -> None:
    """A fraise that two files declare is held with the environments of both: which one is meant is unknown."""
    report_twice(report, path, document.keys[path], whole.keys[path])
    if path[0] == "fraises":
        for target in target_ids({"fraises": {path[1]: document.data["fraises"][path[1]]}}):
            report_twice(report, path, document.keys[path], whole.keys[path], about=target)


def _take_marks(whole: Document, document: Document, path: Path) -> None:
    size = len(path)
    for mine, theirs in ((whole.keys, document.keys), (whole.values, document.values)):
        mine.update({place: mark for place, mark in theirs.items() if place[:size] == path})
    whole.written.update({place: text for place, text in document.written.items() if place[:size] == path})


def report_twice(report: Report, path: Path, second: Mark, first: Mark, about: TargetId | None = None) -> None:
    report.add(second, path, f"is written twice, first at {first}", "keep one of them", about=about)


def target_ids(data: dict[str, Any]) -> Iterator[TargetId]:
    """Every environment of every fraise that is written as such, right or wrong."""
    for fraise, body in _entries(data.get("fraises")):
        for environment, _ in _entries(body.get("environments") if isinstance(body, dict) else None):
            yield TargetId(fraise, environment)


def _entries(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
