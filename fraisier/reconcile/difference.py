"""What is behind a plan, target by target: commits, configuration, units, changed files (`fraisier diff`).

Whatever cannot be compared is an `Unknown` that says why, and the rest is compared all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..model import state
from ..model.config import Target
from ..model.errors import FraisierError, Interrupted, RevisionFault
from ..model.names import short
from ..model.plan import Action, Goal
from ..model.ports import Commit, Git, Host, Interrupt, Runtime, UnitFile
from ..model.selection import Pick
from ..model.state import Head, Inspection, Layout, Unknown
from ..services.api_drift import without_excluded_files
from ..services.api_look import runtime_of
from .desire import Heads
from .look import Eyes, Look

SHOWN = 20
"""Commits that are listed on each side."""


@dataclass(frozen=True, slots=True)
class Commits:
    """Newest first, at most `SHOWN` of each."""

    gained: tuple[Commit, ...] = ()
    lost: tuple[Commit, ...] = ()
    """In what runs now, and not in what is to run: a rewind, or a return."""
    gained_count: int | None = 0
    """How many there are; None: more than are listed, and not counted."""
    lost_count: int | None = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the declaration. A value is a text, a number, a list of texts or `{"secret": fingerprint}`."""

    key: str
    kind: Literal["added", "removed", "changed"]
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class Differences:
    """Everything that can be said of one target. None: there is nothing to compare."""

    action: Action
    commits: Commits | Unknown | None
    declared: tuple[Change, ...] | Unknown | None
    """Since the target was last proven healthy."""
    units: tuple[UnitFile, ...] | Unknown | None
    """Those that are not as they should be."""
    files: tuple[state.Difference, ...] = ()
    """Of the release that is in place, and its links into `shared/`."""

    @property
    def unknown(self) -> Mapping[str, Unknown]:
        """What could not be compared, by name."""
        parts = {"commits": self.commits, "configuration": self.declared, "units": self.units}
        return {name: part for name, part in parts.items() if isinstance(part, Unknown)}

    @property
    def is_blind(self) -> bool:
        """Nothing at all could be compared."""
        seen = (part for part in (self.commits, self.declared, self.units) if not isinstance(part, Unknown))
        return bool(self.unknown) and not self.files and all(part is None for part in seen)

    @property
    def is_empty(self) -> bool:
        parts = (self.declared, self.units, self.files)
        return self.commits in (None, Commits()) and not any(parts)


def is_worth_it(look: Look) -> bool:
    """Whether there is anything to do to the target, or to be held from it."""
    action = look.action
    return bool(action.steps or action.held_by or action.incomplete)


def differences(eyes: Eyes, look: Look, interrupt: Interrupt, *, offline: bool = False) -> Differences:
    """Where the mirror lacks the revision it is fetched, unless `offline`, and the target looked at again: what
    would be found out after the fetch, such as a rewind, is known here already. Raises `Interrupted`.
    """
    missing = _bring(eyes.host, look, None if offline else interrupt)
    if missing is None and look.desired.lineage == "unknown":
        look = _look_again(eyes, look)
    commits = _commits(eyes.host, look) if missing is None else missing
    declared = declared_changes(eyes.store.declared_when_healthy(look.target.id), look)
    return Differences(look.shown, commits, declared, _units(eyes.host, look), _files(look))


# --- commits ---------------------------------------------------------------------------------


def _bring(host: Host, look: Look, interrupt: Interrupt | None) -> Unknown | None:
    """Why the commits cannot be compared; None when the revision is in the mirror, or needs not be."""
    head, remote, after = look.desired.head, look.target.remote, look.action.to_revision
    if after is None or after == look.action.from_revision:
        return head if isinstance(head, Unknown) else None
    try:
        if host.git.has(remote, after) or not isinstance(head, Head) or head.sha != after:
            return None
        if interrupt is None:
            return Unknown("offline", f"{short(after)} was not fetched yet, and is not now (--offline)")
        host.git.fetch(remote, head.ref, after, interrupt)
    except Interrupted:
        raise
    except FraisierError as error:
        return _unknown(error)
    return None


def _look_again(eyes: Eyes, look: Look) -> Look:
    """At what the remote said before; nothing else is asked."""
    head, selection = look.desired.head, look.desired.selection
    if not isinstance(head, Head) or head.stale is not None or selection is None:
        return look
    heads = Heads({selection: Pick(head.ref, head.sha)}, head.seen_at, frozenset([selection]))
    return eyes.look(look.target, heads, afresh=True)


def _commits(host: Host, look: Look) -> Commits | Unknown | None:
    """Between what runs and what the plan leads to."""
    before, after = look.action.from_revision, look.action.to_revision
    if after is None or before == after:
        return None
    try:
        return _between(host, look.target.remote, before, after)
    except FraisierError as error:
        return _unknown(error)


def _between(host: Host, remote: str, before: str | None, after: str) -> Commits:
    git = host.git
    if before is None:
        newest = git.log(remote, None, after, SHOWN + 1)
        return Commits(newest[:SHOWN], gained_count=None if len(newest) > SHOWN else len(newest))
    for sha in (before, after):
        if not git.has(remote, sha):
            raise RevisionFault(f"{short(sha)} is not in the repository (any more)", code="revision_missing")
    gained, gained_count = _side(git, remote, before, after)
    lost, lost_count = _side(git, remote, after, before)
    return Commits(gained, lost, gained_count, lost_count)


def _side(git: Git, remote: str, base: str, head: str) -> tuple[tuple[Commit, ...], int | None]:
    """What `head` has and `base` has not; counted only where the list has not all of it."""
    listed = git.log(remote, base, head, SHOWN)
    return listed, len(listed) if len(listed) < SHOWN else git.lineage(remote, base, head)[1]


def _unknown(error: FraisierError) -> Unknown:
    return Unknown(error.code, str(error), hint=error.hint)


# --- configuration ---------------------------------------------------------------------------


def declared_changes(before: str | None, look: Look) -> tuple[Change, ...] | Unknown | None:
    """From what was declared when the target was last healthy to what is declared now. None: it never was."""
    if not look.recorded.healthy:
        return None
    if not before:
        return Unknown("not_recorded", "what was declared when it was last healthy is not recorded")
    return changes(json.loads(before), json.loads(look.target.declared or "{}"))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """By key. Both are flat: see `config/declared.py`."""
    found = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            found.append(Change(key, "removed", before=before[key]))
        elif key not in before:
            found.append(Change(key, "added", after=after[key]))
        elif before[key] != after[key]:
            found.append(Change(key, "changed", before[key], after[key]))
    return tuple(found)


# --- the machine -----------------------------------------------------------------------------


def _units(host: Host, look: Look) -> tuple[UnitFile, ...] | Unknown | None:
    """As the plan will have them. None where it leads to nothing whose units are known."""
    goal, layout = look.action.proves, look.observed.layout
    if goal is None or not isinstance(layout, Layout):
        return None
    try:
        runtime = _runtime(host, look.target, goal)
        directory = host.releases.path(look.target.app_path, goal.release)
        kept = None if goal.release in layout.releases else _unit_file(host, look.target, runtime, goal)
        found = host.services.unit_files(runtime, directory, kept)
    except FraisierError as error:
        return _unknown(error)
    return tuple(each for each in found if each.desired != each.observed)


def _runtime(host: Host, target: Target, goal: Goal) -> Runtime:
    if goal.runtime_digest == target.runtime_digest:
        return runtime_of(target)
    return host.releases.runtime(target.app_path, goal.runtime_digest)


def _unit_file(host: Host, target: Target, runtime: Runtime, goal: Goal) -> Mapping[str, bytes] | None:
    """The unit file of the repository, by its path, of a release that is not made yet."""
    path = runtime.service.unit_file
    if path is None:
        return None
    content = host.git.read_file(target.remote, goal.sha, path)
    if content is None:
        where = f"in {short(goal.sha)}" if host.git.has(target.remote, goal.sha) else "here yet"
        raise RevisionFault(f"{path} is not {where}", code="unit_file_missing")
    return {path: content}


def _files(look: Look) -> tuple[state.Difference, ...]:
    """Changes that are somebody's business."""
    policy = look.target.on_drift
    inspection = without_excluded_files(look.observed, policy).inspection
    if not isinstance(inspection, Inspection):
        return ()
    files = inspection.files if policy.of("files") != "ignore" else ()
    return files + (inspection.shared if policy.of("shared") != "ignore" else ())
