"""What things are called: targets and revisions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""A full object name: 40 hex digits (SHA-1) or 64 (SHA-256 repositories)."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""A fraise or an environment: safe in a path, a unit name and a column."""


@dataclass(frozen=True, slots=True, order=True)
class TargetId:
    """One fraise in one environment; printed `my_api/production`, the `identifier` of every row."""

    fraise: str
    environment: str

    def __str__(self) -> str:
        return f"{self.fraise}/{self.environment}"

    @classmethod
    def parse(cls, identifier: str) -> Self:
        """Raises `ValueError` when `identifier` is not `fraise/environment`."""
        fraise, slash, environment = identifier.partition("/")
        if not slash or not NAME.fullmatch(fraise) or not NAME.fullmatch(environment):
            raise ValueError(f"{identifier!r} is not fraise/environment")
        return cls(fraise, environment)


@dataclass(frozen=True, slots=True)
class Revision:
    """A branch and the commit it was read at; printed `main@1a2b3c4`."""

    ref: str
    sha: str

    def __str__(self) -> str:
        return f"{self.ref}@{short(self.sha)}"


def short(sha: str | None) -> str:
    """The seven digits people read; `none` where there is no revision."""
    return sha[:7] if sha else "none"
