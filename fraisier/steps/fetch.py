"""Bring a commit into the bare mirror of its remote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.names import short
from ..model.ports import Context


@dataclass(frozen=True, slots=True)
class Fetch:
    kind: ClassVar[str] = "fetch"
    undo: ClassVar[str] = "nothing to undo: the mirror is a cache"

    remote: str
    branch: str
    sha: str

    def summary(self) -> str:
        return f"fetch {self.branch}@{short(self.sha)}"

    def apply(self, context: Context) -> None:
        context.host.git.fetch(self.remote, self.branch, self.sha, context.interrupt)
