"""What a plan of an `api` target is made from, and what it may lead to.

The store decides only which goal that is: the head, or, while the head is held, the revision last
proven healthy (law 3).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.config import ApiTarget
from ..model.plan import Goal
from ..model.ports import Runtime
from ..model.state import (
    Desired,
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

    @property
    def current_sha(self) -> str | None:
        """What `current` points at."""
        mark = self.layout.releases.get(self.layout.current) if self.layout.current else None
        return mark.sha if mark else None

    def goal(self, ref: str, sha: str, runtime_digest: str | None = None) -> Goal:
        target = self.target
        name = release_name(self.layout, sha, target.build_digest)
        return Goal(ref, sha, name, target.build_digest, runtime_digest or target.runtime_digest)


def release_name(layout: Layout, sha: str, build_digest: str) -> str:
    """The directory of (sha, build): the SHA itself, unless a release of the same SHA that was built
    otherwise has taken that name.
    """
    plain = layout.releases.get(sha)
    if plain is not None and plain.build_digest == build_digest:
        return sha
    other = f"{sha}.{build_digest[:8]}"
    return other if plain is not None or other in layout.releases else sha


def is_proven(look: ApiLook, goal: Goal) -> bool:
    return bool(look.recorded.healthy) and goal.is_what_was(look.recorded.healthy[0])


def runs_other_code(look: ApiLook, goal: Goal) -> bool:
    stamp = look.layout.stamp
    stamped = (goal.release, goal.runtime_digest) if stamp is None else (stamp.release, stamp.runtime_digest)
    return look.layout.current != goal.release or stamped != (goal.release, goal.runtime_digest)


def matching_quarantine(entries: tuple[Quarantine, ...], sha: str, config_digest: str) -> Quarantine | None:
    """The entry that keeps (sha, configuration) from being tried, if there is one."""
    for entry in entries:
        if entry.config_digest == config_digest and entry.sha in (None, sha):
            return entry
    return None


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
    for proven in look.recorded.healthy:
        if proven.sha in left or (barring is not None and barring.is_what_was(proven)):
            continue
        as_declared = (proven.build_digest, proven.runtime_digest) == declared
        if as_declared and matching_quarantine(barred, proven.sha, target.config_digest):
            continue
        name = release_name(layout, proven.sha, proven.build_digest)
        has_release = name in layout.releases or proven.build_digest == target.build_digest
        has_runtime = proven.runtime_digest in layout.runtimes or proven.runtime_digest == target.runtime_digest
        if has_release and has_runtime:
            return Goal(proven.ref, proven.sha, name, proven.build_digest, proven.runtime_digest)
    return None
