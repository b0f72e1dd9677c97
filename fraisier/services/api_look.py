"""What a plan of an `api` target is made from, and what it may lead to.

The store decides only which goal that is: the head, or, while the head is held, the revision last
proven healthy (law 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from ..model.config import ApiTarget
from ..model.plan import Goal
from ..model.ports import Runtime
from ..model.state import (
    Desired,
    HealthyRevision,
    Inspection,
    Layout,
    Observed,
    Quarantine,
    Recorded,
    ServiceState,
)


def runtime_of(target: ApiTarget) -> Runtime:
    """How the service runs as declared now."""
    return Runtime(target.runtime_digest, str(target.id), target.app_path, target.service, target.env, target.run_as)


@dataclass(frozen=True, slots=True)
class ApiLook:
    """Everything a plan is made from, readable parts only."""

    target: ApiTarget
    desired: Desired
    layout: Layout
    service: ServiceState
    observed: Observed
    recorded: Recorded
    spoilt: str | None = None
    """The release that is to be made anew, because its files were changed."""

    @property
    def current_sha(self) -> str | None:
        """What `current` points at."""
        mark = self.layout.releases.get(self.layout.current) if self.layout.current else None
        return mark.sha if mark else None

    def goal(self, ref: str, sha: str, runtime_digest: str | None = None) -> Goal:
        target = self.target
        before = any(proven.sha == sha and not proven.is_chosen for proven in self.recorded.healthy)
        chosen = self.recorded.override is not None and not before  # what served anyway is nobody's choice
        name = self.release_name(sha, target.build_digest)
        return Goal(ref, sha, name, target.build_digest, runtime_digest or target.runtime_digest, chosen)

    def release_name(self, sha: str, build_digest: str) -> str:
        """The directory of (sha, build): the one that is there, else a name that is free."""
        releases, current = self.layout.releases, self.layout.current
        usable = [
            name
            for name, mark in releases.items()
            if mark.sha == sha and mark.build_digest == build_digest and not mark.is_changed and name != self.spoilt
        ]
        if usable:
            return current if current in usable else min(usable)
        return next(name for name in _names(sha, build_digest) if name not in releases)


def _names(sha: str, build_digest: str) -> Iterator[str]:
    """The SHA itself, unless a release that was built otherwise, or is spoilt, has taken that name."""
    yield sha
    other = f"{sha}.{build_digest[:8]}"
    yield other
    yield from (f"{other}.{number}" for number in count(2))


def inspected(look: ApiLook) -> Inspection | None:
    """What a look into the release that is current found, if there was one."""
    found = look.observed.inspection
    return found if isinstance(found, Inspection) and found.release == look.layout.current else None


def is_proven(look: ApiLook, goal: Goal) -> bool:
    """What was proven under a pin or a trial is proven once more when it is what is declared: from then on
    the next head has to descend from it.
    """
    newest = look.recorded.healthy[0] if look.recorded.healthy else None
    return newest is not None and goal.is_what_was(newest) and (goal.is_chosen or not newest.is_chosen)


def runs_other_code(look: ApiLook, goal: Goal) -> bool:
    """Whether another commit, build or runtime than the goal's is in place; the directory does not matter."""
    layout, stamp = look.layout, look.layout.stamp
    if not has_code(layout, layout.current, goal):
        return True
    return stamp is not None and not (
        has_code(layout, stamp.release, goal) and stamp.runtime_digest == goal.runtime_digest
    )


def has_code(layout: Layout, release: str | None, goal: Goal) -> bool:
    """Whether a release is of the goal's commit and build."""
    if release is None or release == goal.release:
        return release is not None
    mark = layout.releases.get(release)
    return mark is not None and (mark.sha, mark.build_digest) == (goal.sha, goal.build_digest)


def matching_quarantine(entries: tuple[Quarantine, ...], sha: str, config_digest: str) -> Quarantine | None:
    """The entry that keeps (sha, configuration) from being tried, if there is one."""
    for entry in entries:
        if entry.config_digest == config_digest and entry.sha in (None, sha):
            return entry
    return None


def _candidates(recorded: Recorded) -> tuple[HealthyRevision, ...]:
    """Newest proof first; but once a pin or a trial has ended, what was proven under it comes last."""
    if recorded.override is not None or not any(proven.is_chosen for proven in recorded.healthy):
        return recorded.healthy
    return tuple(sorted(recorded.healthy, key=lambda proven: proven.is_chosen))


def return_goal(look: ApiLook, barring: Goal | None = None) -> Goal | None:
    """The newest proven revision that is not itself in quarantine (nor `barring`) and can still be had.

    A quarantine speaks of a revision as configured now: the same revision with the runtime it was
    proven with may be returned to, unless it was a person who left it. A fault of the configuration
    bars no revision that was proven with it: it came about since, and what serves goes on serving.
    """
    target, layout = look.target, look.layout
    declared = (target.build_digest, target.runtime_digest)
    barred = tuple(entry for entry in look.recorded.quarantines if entry.sha is not None)
    left = {entry.sha for entry in look.recorded.quarantines if entry.fault == "person"}
    for proven in _candidates(look.recorded):
        if proven.sha in left or (barring is not None and barring.is_what_was(proven)):
            continue
        as_declared = (proven.build_digest, proven.runtime_digest) == declared
        if as_declared and matching_quarantine(barred, proven.sha, target.config_digest):
            continue
        name = look.release_name(proven.sha, proven.build_digest)
        has_release = name in layout.releases or proven.build_digest == target.build_digest
        has_runtime = proven.runtime_digest in layout.runtimes or proven.runtime_digest == target.runtime_digest
        if has_release and has_runtime:
            chosen = proven.is_chosen
            return Goal(proven.ref, proven.sha, name, proven.build_digest, proven.runtime_digest, chosen)
    return None
