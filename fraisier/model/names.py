"""What things are called: targets and revisions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""A full object name: 40 hex digits (SHA-1) or 64 (SHA-256 repositories)."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""A fraise or an environment: safe in a path, a unit name and a column."""

ANY = "*"
"""In place of a name, in a scope: every one."""


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


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """One target, every environment of a fraise (`my_api/*`), or everything (`*/*`)."""

    fraise: str = ANY
    environment: str = ANY

    def __str__(self) -> str:
        return f"{self.fraise}/{self.environment}"

    @classmethod
    def of(cls, target: TargetId) -> Self:
        return cls(target.fraise, target.environment)

    @classmethod
    def parse(cls, identifier: str) -> Self:
        """Raises `ValueError` when `identifier` is neither a target nor a scope."""
        fraise, slash, environment = identifier.partition("/")
        names = (fraise, environment)
        if (
            not slash
            or (fraise == ANY and environment != ANY)
            or any(n != ANY and not NAME.fullmatch(n) for n in names)
        ):
            raise ValueError(f"{identifier!r} is not fraise/environment, fraise/* or */*")
        return cls(fraise, environment)

    @property
    def target(self) -> TargetId | None:
        """The one target it is, if it is one."""
        return None if self.environment == ANY else TargetId(self.fraise, self.environment)

    @property
    def is_everything(self) -> bool:
        return self.fraise == ANY

    def covers_only(self, target: TargetId) -> bool:
        return (self.fraise, self.environment) == (target.fraise, target.environment)

    def contains(self, other: Scope) -> bool:
        """Whether `other` is the same or narrower."""
        return self.fraise in (ANY, other.fraise) and self.environment in (ANY, other.environment)

    def covers(self, target: TargetId) -> bool:
        return self.fraise in (ANY, target.fraise) and self.environment in (ANY, target.environment)


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
