"""The difference between the machine and a goal, as steps in the order it must be made up."""

from __future__ import annotations

from ..model.config import ApiTarget
from ..model.plan import Goal, Step
from ..steps.activate import Activate
from ..steps.build import Build
from ..steps.configure import Configure
from ..steps.fetch import Fetch
from ..steps.health import HealthGate
from ..steps.prune import PruneReleases
from ..steps.release import CreateRelease
from ..steps.restart import Restart
from .api_look import ApiLook, is_proven, return_goal, runtime_of

KEPT_FOR_RETURN = 2
"""Releases of the newest proven revisions that pruning leaves, whatever `keep_releases` says."""


def steps_toward(look: ApiLook, goal: Goal) -> tuple[Step, ...]:
    """The difference between the machine and the goal, in the order it must be made up."""
    target, layout = look.target, look.layout
    has_release = goal.release in layout.releases
    links = layout.current != goal.release
    stamped = layout.stamp is not None and (layout.stamp.release, layout.stamp.runtime_digest) == (
        goal.release,
        goal.runtime_digest,
    )
    units = goal.runtime_digest not in layout.runtimes or not look.observed.unit_matches
    alive = look.service.run in ("running", "starting")
    restart = links or not stamped or units or not alive or look.recorded.forced
    if not restart and has_release and is_proven(look, goal):
        return ()
    steps: list[Step] = [] if has_release else _make_release(target, goal)
    if restart:
        kept = goal.runtime_digest != target.runtime_digest
        runtime = None if kept else runtime_of(target)
        steps.append(Configure(target.app_path, goal.release, target.service.unit, goal.runtime_digest, runtime))
        if links:
            steps.append(Activate(target.app_path, goal.release))
        steps.append(Restart(target.app_path, goal.release, target.service.unit, goal.runtime_digest))
    steps.append(_health_gate(look, goal, started=restart))
    return tuple(steps)


def _make_release(target: ApiTarget, goal: Goal) -> list[Step]:
    steps: list[Step] = [
        Fetch(target.remote, goal.ref, goal.sha),
        CreateRelease(
            target.app_path,
            goal.release,
            target.remote,
            goal.sha,
            goal.build_digest,
            target.shared,
            target.run_as,
            has_build=bool(target.build),
            unit_file=target.service.unit_file,
        ),
    ]
    if target.build:
        steps.append(
            Build(
                str(target.id),
                target.app_path,
                goal.release,
                goal.sha,
                goal.build_digest,
                target.build,
                target.env,
                target.run_as,
            )
        )
    return steps


def _health_gate(look: ApiLook, goal: Goal, *, started: bool) -> HealthGate:
    """A stored gate is gone on with as long as what it waits for still runs. A service that this plan
    starts afresh, after a loss of power say, has the whole time before it again.
    """
    target, gate = look.target, look.recorded.gate
    same = gate is not None and (gate.release, gate.runtime_digest) == (goal.release, goal.runtime_digest)
    return HealthGate(
        target.app_path,
        goal.release,
        target.service.unit,
        goal.runtime_digest,
        target.health,
        gate.deadline_at if gate is not None and same and not started else None,
    )


def prune(look: ApiLook, goal: Goal) -> tuple[Step, ...]:
    layout, healthy, back = look.layout, look.recorded.healthy, return_goal(look, barring=goal)
    newest = sorted(layout.releases, key=lambda name: (layout.releases[name].sealed_at, name), reverse=True)
    keep = {goal.release, layout.current, *(proven.release for proven in healthy[:KEPT_FOR_RETURN])}
    room = look.target.keep_releases - (goal.release not in layout.releases)
    keep.update(newest[: max(room, 0)])
    kept = max(look.target.keep_releases, KEPT_FOR_RETURN)
    runtimes = {goal.runtime_digest, *(proven.runtime_digest for proven in healthy[:kept])}
    if back is not None:
        keep.add(back.release)
        runtimes.add(back.runtime_digest)
    if layout.stamp is not None:
        runtimes.add(layout.stamp.runtime_digest)
    old = tuple(name for name in sorted(layout.releases) if name not in keep)
    old_runtimes = tuple(sorted(layout.runtimes - runtimes))
    return (PruneReleases(look.target.app_path, old, old_runtimes),) if old else ()


def with_lineage(look: ApiLook, goal: Goal, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """While nobody knows how the head relates to what is healthy, the fetch finds out first (law 13)."""
    healthy = look.recorded.healthy
    if look.desired.lineage != "unknown" or not healthy or goal.sha in (healthy[0].sha, *look.recorded.rewinds):
        return steps
    others = (step for step in steps if step.kind != Fetch.kind)
    return (Fetch(look.target.remote, goal.ref, goal.sha, descends_from=healthy[0].sha), *others)
