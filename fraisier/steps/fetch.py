"""Bring a commit into the bare mirror of its remote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.config import Verification
from ..model.errors import Interrupted
from ..model.names import short
from ..model.ports import Context, Git


@dataclass(frozen=True, slots=True)
class Fetch:
    kind: ClassVar[str] = "fetch"
    undo: ClassVar[str] = "nothing to undo: the mirror is a cache"

    remote: str
    ref: str
    """Short name of the branch or tag that leads to it, where one is known to."""
    sha: str
    descends_from: str | None = None
    """What the commit is to be a descendant of, where that could not be told before it was here."""
    verify: Verification | None = None
    """Whose signature it is to bear, where that could not be told before it was here."""

    def summary(self) -> str:
        name = f"{self.ref}@{short(self.sha)}" if self.ref else short(self.sha)
        return f"fetch {name}" if self.verify is None else f"fetch {name}, verify its signature"

    def apply(self, context: Context) -> None:
        """Raises `Interrupted` where what is found keeps the revision out: the cycle that follows holds it,
        with the words to go on.
        """
        context.host.git.fetch(self.remote, self.ref, self.sha, context.interrupt)
        self._check_lineage(context.host.git)
        self._check_signature(context.host.git)

    def _check_lineage(self, git: Git) -> None:
        base = self.descends_from
        if base is None or (git.has(self.remote, base) and git.lineage(self.remote, base, self.sha)[0] != "rewind"):
            return
        raise Interrupted(
            "superseded", f"{self.ref} was rewound: {short(self.sha)} does not descend from {short(base)}"
        )

    def _check_signature(self, git: Git) -> None:
        if self.verify is None:
            return
        found = git.signature(self.remote, self.ref, self.sha, self.verify)
        if not found.is_good:
            raise Interrupted("superseded", f"{short(self.sha)} is not signed as it has to be: {found.message}")
