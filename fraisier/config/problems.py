"""What is wrong with a configuration, and where: collected while reading, never raised out of `load`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fraisier.model.names import TargetId

Path = tuple[str | int, ...]
"""Where in the document: keys and list positions from the top."""

_PLAIN_KEY = re.compile(r"[^\s.\"'\[\]]+")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the configuration. `name` is what messages call it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a person has to mend. Never holds a secret, so it may be shown and kept anywhere."""

    file: str
    line: int
    column: int
    path: str
    """`fraises.my_api.environments.production`; empty for the file as a whole."""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {f'{self.path}: ' if self.path else ''}{self.message}{f'; {self.hint}' if self.hint else ''}"


class Wrong(Exception):
    """A value that cannot be used; whoever knows its place turns this into a `Problem`."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem with what it is about, so that only that is held."""

    problem: Problem
    path: Path
    about: TargetId | None = None
    """The target it holds where its place does not tell."""


@dataclass(slots=True)
class Report:
    """All the problems found so far."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, mark: Mark, path: Path, message: str, hint: str = "", *, about: TargetId | None = None) -> None:
        problem = Problem(mark.file, mark.line, mark.column, dotted(path), message, hint)
        self.findings.append(Finding(problem, path, about))

    def problems(self) -> tuple[Problem, ...]:
        return in_order(finding.problem for finding in self.findings)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each once, as one reads the files."""
    return tuple(sorted(set(problems), key=lambda one: (one.file, one.line, one.column, one.path, one.message)))


def dotted(path: Path) -> str:
    """`fraises.my_api.build[0]`; keys that would be ambiguous are quoted."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += ("." if text else "") + (key if _is_plain(key) else json.dumps(key))
    return text


def _is_plain(key: str) -> bool:
    return bool(_PLAIN_KEY.fullmatch(key)) and key.isprintable()
