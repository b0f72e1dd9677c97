"""YAML text to a `Document`: positions kept, nothing executed, bombs refused.

YAML is read as a stream of events, so that depth is known before anything recurses and keys are
taken as they are written (`on` stays `on`, never `true`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml
from yaml.constructor import SafeConstructor
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

from .document import Document, report_twice
from .problems import Mark, Path, Report, SourceFile

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 100_000
"""After aliases and merges are written out."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times faster, where it was built
_CORE = "tag:yaml.org,2002:"
_CORE_TAGS = {_CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_RESOLVER = Resolver()


class Unreadable(Exception):
    """The whole file cannot be used."""

    def __init__(self, mark: Mark, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message
        self.hint = hint


@dataclass(slots=True)
class Scalar:
    mark: Mark
    value: Any
    written: str


@dataclass(slots=True)
class Items:
    mark: Mark
    nodes: list[Node]


@dataclass(slots=True)
class Entry:
    """Merged entries (`<<`) keep the place where they are really written."""

    key: str
    mark: Mark
    node: Node


@dataclass(slots=True)
class Entries:
    mark: Mark
    entries: dict[str, Entry]
    twice: list[tuple[Entry, Entry]] = field(default_factory=list)


Node = Scalar | Items | Entries


def parse(source: SourceFile, report: Report) -> Document | None:
    """None, with the problem in `report`, when the text is not one YAML map."""
    try:
        node = _Composer(source.name, _events(source)).document()
        if not isinstance(node, Entries):
            raise Unreadable(node.mark, "the file must be a map: key: value", "see `fraisier init`")
        return _Writer(report, Document(files=[source.name])).write(node)
    except Unreadable as broken:
        report.add(broken.mark, (), broken.message, broken.hint)
        return None


def _events(source: SourceFile) -> Iterator[Event]:
    """Raises `Unreadable` for whatever the scanner refuses."""
    top = Mark(source.name, 1, 1)
    try:
        if len(source.text.encode()) > MAX_BYTES:
            raise Unreadable(top, "the file is larger than 1 MiB", "split it into several files in a folder")
        yield from yaml.parse(source.text, Loader=LOADER)
    except UnicodeEncodeError as error:
        _refuse_character(source, error.start)
    except yaml.reader.ReaderError as error:
        _refuse_character(source, error.position)
    except yaml.MarkedYAMLError as error:
        mark = _place(source, error)
        raise Unreadable(mark, *_syntax(source.text, mark, error)) from None


def _refuse_character(source: SourceFile, position: Any) -> NoReturn:
    before = source.text[:position] if isinstance(position, int) else ""
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    raise Unreadable(Mark(source.name, line, column), "a character that YAML does not allow", "save it as UTF-8 text")


def _place(source: SourceFile, error: yaml.MarkedYAMLError) -> Mark:
    """The parser speaks of a line after the last one when the text ends too early; that is the end of the last."""
    at, lines = error.problem_mark or error.context_mark, source.text.splitlines() or [""]
    if at is None or at.line >= len(lines):
        return Mark(source.name, len(lines), len(lines[-1]) + 1)
    return Mark(source.name, at.line + 1, at.column + 1)


def _syntax(text: str, mark: Mark, error: yaml.MarkedYAMLError) -> tuple[str, str]:
    lines = text.split("\n")
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    if "\t" in line[: mark.column]:
        return "a tab; YAML is indented with spaces", "replace the tab by spaces"
    # Only YAML's own fixed words are shown: the text around the place may be a secret.
    problem = re.split(r", but found| '", error.problem or "")[0] or "the text ends too early"
    return f"this is not valid YAML: {problem}", "check the indentation, colons and quotes here"


class _Composer:
    """Events to nodes. Recursion is bounded by `MAX_DEPTH`."""

    def __init__(self, file: str, events: Iterator[Event]) -> None:
        self._file = file
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._merged = 0

    def document(self) -> Node:
        node: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if node is not None:
                    raise Unreadable(self._mark(event), "a second document begins here", "keep one document per file")
                node = self._node(next(self._events), 0)
            elif isinstance(event, StreamEndEvent) and node is None:
                raise Unreadable(
                    Mark(self._file, 1, 1), "the file is empty", "`fraisier init` writes one to start from"
                )
        if isinstance(node, Scalar) and node.value is None:
            raise Unreadable(Mark(self._file, 1, 1), "the file is empty", "`fraisier init` writes one to start from")
        assert node is not None  # a stream ends with its end event
        return node

    def _mark(self, event: Event) -> Mark:
        at = event.start_mark
        assert at is not None  # only events made by hand have none
        return Mark(self._file, at.line + 1, at.column + 1)

    def _node(self, event: Event, depth: int) -> Node:
        mark = self._mark(event)
        if depth > MAX_DEPTH:
            raise Unreadable(mark, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, AliasEvent):
            return self._alias(event, mark)
        self._refuse_tags(event, mark)
        node: Node
        if isinstance(event, ScalarEvent):
            node = _scalar(event, mark)
        elif isinstance(event, SequenceStartEvent):
            node = Items(mark, list(self._items(depth)))
        else:
            node = self._entries(mark, depth)
        if isinstance(event, NodeEvent) and event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: AliasEvent, mark: Mark) -> Node:
        if event.anchor not in self._anchors:
            # The name is not shown: text that begins with `*` and was not quoted may be a secret.
            raise Unreadable(mark, "an alias to no anchor above", "text that begins with * needs quotes")
        return self._anchors[event.anchor]

    def _refuse_tags(self, event: Event, mark: Mark) -> None:
        tag = getattr(event, "tag", None)
        if tag not in (None, "!") and tag not in _CORE_TAGS:
            raise Unreadable(mark, "YAML tags are not supported", "text that begins with ! needs quotes")

    def _items(self, depth: int) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                return
            yield self._node(event, depth + 1)

    def _entries(self, mark: Mark, depth: int) -> Entries:
        found = Entries(mark, {})
        merges: list[Entry] = []
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            entry = self._entry(event, depth)
            if entry.key == "<<" and isinstance(event, ScalarEvent) and event.implicit[0]:
                merges.append(entry)
            elif entry.key in found.entries:
                found.twice.append((entry, found.entries[entry.key]))
            else:
                found.entries[entry.key] = entry
        for merge in merges:
            self._merge(found, merge.node)
        return found

    def _entry(self, event: Event, depth: int) -> Entry:
        mark = self._mark(event)
        if not isinstance(event, ScalarEvent):
            raise Unreadable(mark, "a key must be plain text")
        self._refuse_tags(event, mark)
        if event.anchor:
            self._anchors[event.anchor] = _scalar(event, mark)
        return Entry(event.value, mark, self._node(next(self._events), depth + 1))

    def _merge(self, into: Entries, node: Node) -> None:
        """Flattened here, where what is merged is complete already: no recursion, and the work is counted."""
        for source in node.nodes if isinstance(node, Items) else [node]:
            if not isinstance(source, Entries):
                raise Unreadable(source.mark, "<< merges maps only")
            self._merged += len(source.entries) + 1
            if self._merged > MAX_NODES:
                raise Unreadable(into.mark, "aliases make this too large")
            for key, entry in source.entries.items():
                into.entries.setdefault(key, entry)


def _scalar(event: ScalarEvent, mark: Mark) -> Scalar:
    tag: str = event.tag or _RESOLVER.resolve(ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]  # has no types
    return Scalar(mark, _construct(tag.removeprefix(_CORE), event.value), event.value)


def _construct(kind: str, text: str) -> Any:
    """Dates stay text; a number that Python refuses does too."""
    node, constructor = ScalarNode(_CORE + kind, text), SafeConstructor()
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return constructor.construct_yaml_bool(node)
            case "int":
                return constructor.construct_yaml_int(node)
            case "float":
                return constructor.construct_yaml_float(node)
            case _:
                return text
    except (ValueError, KeyError, IndexError, OverflowError):
        return text


class _Writer:
    """Nodes to plain values with their places; every use of an alias becomes a copy of its own."""

    def __init__(self, report: Report, document: Document) -> None:
        self._report = report
        self._document = document
        self._count = 0

    def write(self, node: Entries) -> Document:
        self._document.data = self._value(node, ())
        return self._document

    def _value(self, node: Node, path: Path) -> Any:
        self._count += 1
        if self._count > MAX_NODES or len(path) > MAX_DEPTH:
            raise Unreadable(node.mark, "aliases make this too large")
        self._document.values[path] = node.mark
        if isinstance(node, Scalar):
            if not isinstance(node.value, str):
                self._document.written[path] = node.written
            return node.value
        if isinstance(node, Items):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.nodes)]
        return self._map(node, path)

    def _map(self, node: Entries, path: Path) -> dict[str, Any]:
        for second, first in node.twice:
            report_twice(self._report, (*path, second.key), second.mark, first.mark)
        return {key: self._entry(entry, (*path, key)) for key, entry in node.entries.items()}

    def _entry(self, entry: Entry, path: Path) -> Any:
        self._document.keys[path] = entry.mark
        return self._value(entry.node, path)
