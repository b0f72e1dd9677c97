"""Which revision of a repository is desired: the head of a branch, the newest tag of a range, or one commit."""

from __future__ import annotations

from dataclasses import dataclass

from .names import short


@dataclass(frozen=True, slots=True)
class Branch:
    """The head of a branch, wherever it moves."""

    name: str

    @property
    def key(self) -> str:
        """Unique among the selections of a remote: what heads are kept by."""
        return f"refs/heads/{self.name}"

    @property
    def kind(self) -> str:
        return "branch"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class TagRange:
    """The highest version among the tags that are in `range`: `v1.*`, `^1.4`, `>=1.2 <2`.

    Pre-releases count only where the range names one (https://semver.org, precedence of section 11).
    """

    range: str

    @property
    def key(self) -> str:
        return f"tag:{self.range}"

    @property
    def kind(self) -> str:
        return "tag"

    def __str__(self) -> str:
        return self.range


@dataclass(frozen=True, slots=True)
class Exact:
    """One commit and no other."""

    sha: str

    @property
    def key(self) -> str:
        return f"commit:{self.sha}"

    @property
    def kind(self) -> str:
        return "revision"

    def __str__(self) -> str:
        return short(self.sha)


Selection = Branch | TagRange | Exact


@dataclass(frozen=True, slots=True)
class Pick:
    """What a selection comes to just now. `ref` is the short name of the branch or tag; the SHA is a commit's."""

    ref: str
    sha: str
