"""A cursor over the checked document: reads a value, or reports why it cannot be used, at its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from fraisier.model.config import Argv
from fraisier.model.names import TargetId
from fraisier.model.secret import Text

from .document import Document
from .problems import Mark, Path, Report, Wrong
from .references import Resolver, has_reference, literal
from .values import parse_duration, split_command, take_arguments

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View:
    """One value of the document and how to read it. The schema has checked its type."""

    document: Document
    report: Report
    resolver: Resolver
    path: Path = ()
    value: Any = None

    @property
    def mark(self) -> Mark:
        return self.document.value_at(self.path)

    @property
    def key_mark(self) -> Mark:
        return self.document.key_at(self.path)

    def problem(self, message: str, hint: str = "", *, about: TargetId | None = None) -> None:
        """At the value. `about`: the one target it holds, where the value stands outside that target's own part."""
        self.report.add(self.mark, self.path, message, hint, about=about)

    def key_problem(self, message: str, hint: str = "") -> None:
        """At the key, for what concerns a map as a whole."""
        self.report.add(self.key_mark, self.path, message, hint)

    def elsewhere(self) -> View:
        """The same, with nothing looked up on this machine."""
        return replace(self, resolver=replace(self.resolver, here=False))

    def read_like(self, other: View) -> View:
        """A fraise's value is looked up, or not, as its environment is: by the server that is for."""
        return replace(self, resolver=other.resolver)

    def is_written(self, *path: str) -> bool:
        """Whether the key stands in the file, even with a value that was refused."""
        return (*self.path, *path) in self.document.keys

    @property
    def is_there(self) -> bool:
        """Whether it stands in the file, even with a value that was refused."""
        return self.path in self.document.keys

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def at(self, key: str) -> View:
        """The entry `key`; its value is None when it is absent or was refused."""
        inner = self.value.get(key) if isinstance(self.value, dict) else None
        return self._inner((*self.path, key), inner)

    def within(self, path: Path) -> View:
        """As `at`, further in."""
        inner = self.value
        for key in path:
            inner = inner.get(key) if isinstance(inner, dict) else None
        return self._inner((*self.path, *path), inner)

    def _inner(self, path: Path, value: Any) -> View:
        """As `replace`, which takes three times as long, a hundred times per target."""
        return View(self.document, self.report, self.resolver, path, value)

    def entries(self) -> Iterator[tuple[str, View]]:
        for key in self.value if isinstance(self.value, dict) else ():
            yield key, self.at(key)

    def items(self) -> Iterator[View]:
        """Without those that were refused."""
        for index, value in enumerate(self.value if isinstance(self.value, list) else ()):
            if value is not None:
                yield self._inner((*self.path, index), value)

    def parsed(self, parse: Callable[[Any], T]) -> T | None:
        """The value through `parse`; None, reported, when that raises `Wrong`; None when there is no value."""
        if self.value is None or self.value == {}:  # `{env: 5}`, whose inside was refused
            return None
        try:
            return parse(self.value)
        except Wrong as wrong:
            self.problem(wrong.message, wrong.hint)
            return None

    def plain(self, parse: Callable[[str], T]) -> T | None:
        """A name, path or URL, with `${NAME}` and `{env: NAME}` replaced.

        None without a problem when that can only be known on another server.
        """
        if not self.resolver.here and self._refers():
            return None
        return self.parsed(lambda value: parse(self.resolver.plain(value)))

    def _refers(self) -> bool:
        return isinstance(self.value, dict) or (isinstance(self.value, str) and has_reference(self.value))

    def text(self) -> Text | None:
        """A value that may be secret. Numbers are taken as they are written."""
        if isinstance(self.value, int | float):
            return self.document.written[self.path]
        return self.parsed(self.resolver.text)

    def as_written(self, parse: Callable[[str], T]) -> T | None:
        """A text that YAML may have taken for a number: it reads 22:00 as 1320."""
        return self.parsed(lambda value: parse(value if isinstance(value, str) else self.document.written[self.path]))

    def duration(self, default: timedelta, parse: Callable[[str], timedelta] = parse_duration) -> timedelta:
        found = self.parsed(parse)
        return default if found is None else found

    def command(self) -> Argv | None:
        """A text that is split into words, or a list taken as it is."""
        if isinstance(self.value, str):
            return self.parsed(lambda value: split_command(literal(value)))
        if isinstance(self.value, list) and None in self.value:
            return None
        return self.parsed(lambda _: take_arguments([self._argument(item) for item in self.items()]))

    def _argument(self, item: View) -> str:
        return literal(item.value if isinstance(item.value, str) else self.document.written[item.path])
