"""What git says for one target, with how fresh the answer is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ..model.config import Target
from ..model.errors import ConfigFault, FraisierError, Interrupted, RevisionFault, Transient
from ..model.ports import Git, Interrupt
from ..model.records import Store
from ..model.selection import Branch, Exact, Pick, Selection, TagRange
from ..model.state import Desired, Head, HealthyRevision, Lineage, NoRevision, Recorded, Signature, Unknown
from ..model.versions import newer
from ..planning.standing import lineage_base, selection_of


@dataclass(frozen=True, slots=True)
class Heads:
    """One answer of one remote: what each selection comes to, at a moment; or why there is none."""

    answer: Mapping[Selection, Pick] | Unknown
    at: datetime
    asked: frozenset[Selection] = frozenset()
    """What was asked for: a selection that is not in the answer comes to nothing."""

    def sha(self, selection: Selection) -> str | None:
        if isinstance(selection, Exact):
            return selection.sha
        pick = None if isinstance(self.answer, Unknown) else self.answer.get(selection)
        return None if pick is None else pick.sha


def read_heads(git: Git, remote: str, selections: Collection[Selection], now: datetime) -> Heads:
    """Asks the remote once; a remote that fails is an `Unknown`, never an absent branch (law 5)."""
    asked = frozenset(selections)
    try:
        return Heads(git.heads(remote, asked), now, asked)
    except (Transient, ConfigFault) as error:
        return Heads(Unknown(error.code, str(error), now, error.hint), now, asked)


def head_of(selection: Selection, remote: str, heads: Heads, store: Store) -> Head | NoRevision | Unknown:
    """What the selection comes to by `heads`, or what the store last saw, marked as stale."""
    if isinstance(selection, Exact):
        return Head("", selection.sha, heads.at)
    if not isinstance(heads.answer, Unknown) and selection in heads.asked:
        pick = heads.answer.get(selection)
        return NoRevision(selection) if pick is None else Head(pick.ref, pick.sha, heads.at)
    missing = heads.answer if isinstance(heads.answer, Unknown) else _not_asked(selection, heads.at)
    last = store.heads(remote).get(selection.key)
    if last is None:
        return missing
    since = f"the head is as seen at {last.seen_at:%Y-%m-%d %H:%M:%S} UTC: {missing.message}"
    return replace(last, stale=replace(missing, message=since, since=last.seen_at))


def _not_asked(selection: Selection, at: datetime) -> Unknown:
    """Somebody selected otherwise while the remote was being asked; the next look asks for it."""
    return Unknown("not_asked", f"the remote was not asked for {selection.kind} {selection} yet", at)


def desire(
    target: Target, head: Head | NoRevision | Unknown, recorded: Recorded, git: Git, interrupt: Interrupt | None
) -> Desired:
    """The head, how it relates to the revision last proven healthy, and whether it is signed as it has to be.

    With an `interrupt` the mirror is brought up to date first (it is a cache); without one nothing
    is written, and what the mirror does not know stays unknown.
    """
    selection = selection_of(target, recorded)
    if not isinstance(head, Head):
        return Desired(head, selection=selection)
    healthy, base = recorded.healthy, lineage_base(recorded)
    if healthy and healthy[0].sha == head.sha:
        return Desired(head, "same", 0, selection=selection)
    if target.verify is None and base is None:
        return Desired(head, selection=selection)
    is_here = _bring(target, head, recorded, git, interrupt)
    lineage, commits = ("unknown", None) if base is None or not is_here else _lineage(target, git, base.sha, head.sha)
    if base is not None and not isinstance(selection, Branch):
        lineage = _by_version(head, base) if isinstance(selection, TagRange) else "descends"
    if recorded.override is not None:
        lineage = "descends"  # a person named it
    return Desired(head, lineage, commits, _signature(target, head, git, is_here=is_here), selection)


def _bring(target: Target, head: Head, recorded: Recorded, git: Git, interrupt: Interrupt | None) -> bool:
    """Whether the mirror has the head, after a fetch where one is due."""
    try:
        if git.has(target.remote, head.sha) and not _lacks_signature(target, head, git):
            return True
        if interrupt is None or head.stale is not None or recorded.back_off is not None:
            return False
        git.fetch(target.remote, head.ref, head.sha, interrupt)
    except (Transient, Interrupted, RevisionFault):
        return False  # the attempt meets the same error or interrupt, where it is journalled
    return True


def _by_version(head: Head, base: HealthyRevision) -> Lineage:
    """Versions need not descend from one another: a fix of an old line is no ancestor of the next release.

    What counts is that none goes back, and that none is moved to another commit.
    """
    if head.sha == base.sha:
        return "same"
    return "rewind" if newer(head.ref, base.ref) is False else "descends"


def _lacks_signature(target: Target, head: Head, git: Git) -> bool:
    """A tag may have been signed after its commit was fetched."""
    if target.verify is None or target.verify.what == "head":
        return False
    try:
        return git.signature(target.remote, head.ref, head.sha, target.verify).is_good is None
    except ConfigFault:
        return False  # told where it is verified


def _lineage(target: Target, git: Git, base: str, head: str) -> tuple[Lineage, int | None]:
    """A base that the full history of the head does not hold was rewritten away."""
    try:
        if not git.has(target.remote, base):
            return "rewind", None
        return git.lineage(target.remote, base, head)
    except Transient:
        return "unknown", None


def _signature(target: Target, head: Head, git: Git, *, is_here: bool) -> Signature | None:
    """What could not be checked is not good: nothing advances to it."""
    if target.verify is None:
        return None
    if not is_here:
        return Signature(None)
    try:
        found = git.signature(target.remote, head.ref, head.sha, target.verify)
    except (Transient, ConfigFault) as error:
        return _uncheckable(error)
    return replace(found, is_good=bool(found.is_good))


def _uncheckable(error: FraisierError) -> Signature:
    return Signature(False, f"{error}; {error.hint}" if error.hint else str(error))
