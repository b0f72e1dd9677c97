"""Bring a commit into the bare mirror of its remote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.errors import Interrupted
from ..model.names import short
from ..model.ports import Context


@dataclass(frozen=True, slots=True)
class Fetch:
    kind: ClassVar[str] = "fetch"
    undo: ClassVar[str] = "nothing to undo: the mirror is a cache"

    remote: str
    branch: str
    sha: str
    descends_from: str | None = None
    """What the commit is to be a descendant of, where that could not be told before it was here."""

    def summary(self) -> str:
        return f"fetch {self.branch}@{short(self.sha)}"

    def apply(self, context: Context) -> None:
        git = context.host.git
        git.fetch(self.remote, self.branch, self.sha, context.interrupt)
        base = self.descends_from
        if base is None or (git.has(self.remote, base) and git.lineage(self.remote, base, self.sha)[0] != "rewind"):
            return
        # Only now it is known; the cycle that follows holds it, with the words to accept it.
        raise Interrupted(
            "superseded", f"{self.branch} was rewound: {short(self.sha)} does not descend from {short(base)}"
        )
