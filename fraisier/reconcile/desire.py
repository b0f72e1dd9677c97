"""What git says for one target, with how fresh the answer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ..model.config import Target
from ..model.errors import Interrupted, Transient
from ..model.ports import Git, Interrupt
from ..model.records import Store
from ..model.state import Desired, Head, Lineage, NoBranch, Recorded, Unknown


@dataclass(frozen=True, slots=True)
class Heads:
    """One answer of one remote: branch -> SHA, at a moment; or why there is none."""

    answer: Mapping[str, str] | Unknown
    at: datetime
    branches: frozenset[str] = frozenset()
    """Those that were asked for: one that is not in the answer does not exist."""

    def sha(self, branch: str) -> str | None:
        return None if isinstance(self.answer, Unknown) else self.answer.get(branch)


def read_heads(git: Git, remote: str, branches: frozenset[str], now: datetime) -> Heads:
    """Asks the remote once; a remote that fails is an `Unknown`, never an absent branch (law 5)."""
    try:
        return Heads(git.heads(remote, branches), now, branches)
    except Transient as error:
        return Heads(Unknown(error.code, str(error), now, error.hint), now, branches)


def head_of(target: Target, heads: Heads, store: Store) -> Head | NoBranch | Unknown:
    """The branch's head from `heads`, or the one the store last saw, marked as stale."""
    if not isinstance(heads.answer, Unknown):
        sha = heads.answer.get(target.branch)
        return NoBranch(target.branch) if sha is None else Head(target.branch, sha, heads.at)
    last = store.heads(target.remote).get(target.branch)
    if last is None:
        return heads.answer
    since = f"the head is as seen at {last.seen_at:%Y-%m-%d %H:%M:%S} UTC: {heads.answer.message}"
    return replace(last, stale=replace(heads.answer, message=since, since=last.seen_at))


def desire(
    target: Target, head: Head | NoBranch | Unknown, recorded: Recorded, git: Git, interrupt: Interrupt | None
) -> Desired:
    """The head and how it relates to the revision last proven healthy.

    With an `interrupt` the mirror is brought up to date first (it is a cache); without one nothing
    is written, and what the mirror does not know stays unknown.
    """
    if not isinstance(head, Head) or not recorded.healthy:
        return Desired(head)
    base = recorded.healthy[0].sha
    if base == head.sha:
        return Desired(head, "same", 0)
    if not _bring(target, head, recorded, git, interrupt):
        return Desired(head)
    return Desired(head, *_lineage(target, git, base, head.sha))


def _bring(target: Target, head: Head, recorded: Recorded, git: Git, interrupt: Interrupt | None) -> bool:
    """Whether the mirror has the head, after a fetch where one is due."""
    try:
        if git.has(target.remote, head.sha):
            return True
        if interrupt is None or head.stale is not None or recorded.back_off is not None:
            return False
        git.fetch(target.remote, target.branch, head.sha, interrupt)
    except (Transient, Interrupted):
        return False  # the attempt meets the same error or interrupt, where it is journalled
    return True


def _lineage(target: Target, git: Git, base: str, head: str) -> tuple[Lineage, int | None]:
    """A base that the full history of the head does not hold was rewritten away."""
    try:
        if not git.has(target.remote, base):
            return "rewind", None
        return git.lineage(target.remote, base, head)
    except Transient:
        return "unknown", None
