"""The difference between the machine and a goal, as steps in the order it must be made up."""

from __future__ import annotations

from ..model.plan import Goal, Step
from ..planning.standing import lineage_base
from ..steps.activate import Activate
from ..steps.build import Build
from ..steps.condemn import Condemn
from ..steps.configure import Configure
from ..steps.fetch import Fetch
from ..steps.health import HealthGate
from ..steps.prune import PruneReleases
from ..steps.release import CreateRelease
from ..steps.restart import Restart
from ..steps.share import Share
from .api_look import ApiLook, inspected, is_proven, return_goal, runtime_of

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
    units = goal.runtime_digest not in layout.runtimes or bool(look.observed.units)
    alive = look.service.run in ("running", "starting")
    again = is_tried_again(look, goal)
    restart = links or not stamped or units or not alive or look.recorded.forced or (again and not _answers(look))
    configure, share = restart or not look.service.enabled, _unshared(look, goal)
    is_settled = not (configure or share or again or _is_in_a_gate(look, goal))
    if is_settled and has_release and is_proven(look, goal):
        return ()
    steps: list[Step] = [] if has_release else _make_release(look, goal)
    if share:
        steps.append(Share(target.app_path, goal.release, target.shared, target.run_as))
    if configure:
        kept = goal.runtime_digest != target.runtime_digest
        runtime = None if kept else runtime_of(target)
        steps.append(Configure(target.app_path, goal.release, target.service.unit, goal.runtime_digest, runtime))
    if links:
        steps.append(Activate(target.app_path, goal.release))
    if restart:
        steps.append(Restart(target.app_path, goal.release, target.service.unit, goal.runtime_digest))
    steps.append(_health_gate(look, goal, started=restart))
    return tuple(steps)


def is_tried_again(look: ApiLook, goal: Goal) -> bool:
    """A repair of what was proven healthy that failed is not done with, whatever the machine looks like."""
    back_off = look.recorded.back_off
    failed = back_off is not None and (back_off.sha, back_off.config_digest) == (goal.sha, look.target.config_digest)
    return failed and is_proven(look, goal)


def _is_in_a_gate(look: ApiLook, goal: Goal) -> bool:
    """A repair was cut off before its gate had decided: what runs is still to be proven."""
    gate = look.recorded.gate
    return gate is not None and (gate.release, gate.runtime_digest) == (goal.release, goal.runtime_digest)


def _answers(look: ApiLook) -> bool:
    return look.observed.probe is not None and look.observed.probe.ok


def _unshared(look: ApiLook, goal: Goal) -> bool:
    inspection = inspected(look)
    return inspection is not None and inspection.release == goal.release and bool(inspection.shared)


def _make_release(look: ApiLook, goal: Goal) -> list[Step]:
    target = look.target
    steps: list[Step] = [] if look.spoilt is None else [Condemn(target.app_path, look.spoilt)]
    steps += [
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
    usable = [name for name, mark in layout.releases.items() if not mark.is_changed and name != look.spoilt]
    newest = sorted(usable, key=lambda name: (layout.releases[name].sealed_at, name), reverse=True)
    keep = {goal.release, layout.current, *({proven.release for proven in healthy[:KEPT_FOR_RETURN]} & set(usable))}
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


def with_checks(look: ApiLook, goal: Goal, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """While nobody knows how the head relates to what is healthy, or who signed it, the fetch finds out
    before anything advances (law 13).
    """
    base, desired = lineage_base(look.recorded), look.desired
    accepted = () if base is None else (base.sha, *look.recorded.rewinds)
    descends_from = base.sha if base is not None and desired.lineage == "unknown" and goal.sha not in accepted else None
    unchecked = desired.signature is not None and desired.signature.is_good is None
    if descends_from is None and not unchecked:
        return steps
    others = (step for step in steps if step.kind != Fetch.kind)
    verify = look.target.verify if unchecked else None
    return (Fetch(look.target.remote, goal.ref, goal.sha, descends_from, verify), *others)
