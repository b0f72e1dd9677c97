"""The `api` type: a long-running service on a release of the branch's head.

The plan compares what the machine says with the goal (law 3); what the store says decides only
which goal that is: the head, or, while the head is held, the revision last proven healthy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..model.config import ApiTarget, ManagerProbe
from ..model.errors import Transient
from ..model.names import short
from ..model.plan import Action, ActionKind, Goal, Health, Hold, Reason, ReasonCode, Step, Sync
from ..model.ports import Host, Runtime, ServiceRef
from ..model.state import (
    Desired,
    Head,
    HealthyRevision,
    Layout,
    NoBranch,
    Observed,
    ProbeResult,
    Quarantine,
    Recorded,
    ServiceState,
    Unknown,
)
from ..steps.activate import Activate
from ..steps.build import Build
from ..steps.configure import Configure
from ..steps.fetch import Fetch
from ..steps.health import HealthGate
from ..steps.prune import PruneReleases
from ..steps.release import CreateRelease
from ..steps.restart import Restart
from ..steps.stop import Stop
from .registry import Glimpse

KEPT_FOR_RETURN = 2
"""Releases of the newest proven revisions that pruning leaves, whatever `keep_releases` says."""


@dataclass(frozen=True, slots=True)
class ApiService:
    type: ClassVar[str] = "api"

    def observe(self, target: ApiTarget, host: Host, glimpse: Glimpse | None) -> Observed:
        return _observe(target, host, glimpse)

    def probe(self, target: ApiTarget, host: Host) -> ProbeResult | None:
        return _probe(target, host)

    def plan(self, target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded) -> Action:
        return _plan(target, desired, observed, recorded)

    def health(self, target: ApiTarget, observed: Observed, recorded: Recorded) -> Health:
        del target
        return _health(observed, recorded)


SERVICE = ApiService()


def runtime_of(target: ApiTarget) -> Runtime:
    """How the service runs as declared now."""
    return Runtime(target.runtime_digest, str(target.id), target.app_path, target.service, target.env, target.run_as)


# --- looking ---------------------------------------------------------------------------------


def _observe(target: ApiTarget, host: Host, glimpse: Glimpse | None) -> Observed:
    layout = host.releases.layout(target.app_path)
    unit = target.service.unit
    if glimpse is not None and unit in glimpse.services:
        service = glimpse.services[unit]
    else:
        service = host.services.states([ServiceRef(unit, target.app_path)])[unit]
    if not isinstance(layout, Layout) or layout.stamp is None or not isinstance(service, ServiceState):
        return Observed(layout, service)
    runtime = _stamped_runtime(target, host, layout, layout.stamp.runtime_digest)
    if runtime is None:
        return Observed(layout, service)
    release = host.releases.path(target.app_path, layout.stamp.release)
    return Observed(layout, service, host.services.unit_matches(runtime, release))


def _stamped_runtime(target: ApiTarget, host: Host, layout: Layout, digest: str) -> Runtime | None:
    """What the service was started with: as declared now, or as kept. None when it was not kept."""
    if digest == target.runtime_digest:
        return runtime_of(target)
    if digest not in layout.runtimes:
        return None
    try:
        return host.releases.runtime(target.app_path, digest)
    except Transient:
        return None  # damaged: whatever needs it says so when it is applied


def _probe(target: ApiTarget, host: Host) -> ProbeResult | None:
    if isinstance(target.health.probe, ManagerProbe):
        return None  # what the manager says is observed anyway
    observed = _observe(target, host, None)
    layout, service = observed.layout, observed.service
    if not isinstance(layout, Layout) or not isinstance(service, ServiceState) or layout.stamp is None:
        return None
    runtime = _stamped_runtime(target, host, layout, layout.stamp.runtime_digest)
    if runtime is None or service.run != "running":
        return None
    release = host.releases.path(target.app_path, layout.stamp.release)
    return host.prober.probe(target.health, runtime, release, service)


def _health(observed: Observed, recorded: Recorded) -> Health:
    service = observed.service
    if not isinstance(service, ServiceState):
        return "unknown"
    if service.run in ("stopped", "failed", "missing"):
        return "stopped"
    if observed.probe is not None and not observed.probe.ok:
        return "degraded"
    if service.run == "starting" or not recorded.healthy:
        return "progressing" if service.run == "starting" else "unknown"
    return "healthy"


# --- planning --------------------------------------------------------------------------------


def _plan(target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded) -> Action:
    if not isinstance(observed.layout, Layout):
        return _unreadable(target, desired, observed.layout, recorded)
    if not isinstance(observed.service, ServiceState):
        return _unreadable(target, desired, observed.service, recorded)
    look = _Look(target, desired, observed.layout, observed.service, observed, recorded)
    head = desired.head
    if isinstance(head, Unknown):
        return _toward_healthy(look, None, Reason(ReasonCode.REMOTE_UNREACHABLE, head.message))
    if isinstance(head, NoBranch):
        return _toward_healthy(look, _no_branch(target, head), None)
    hold = _hold_of(look, head)
    if hold is not None:
        return _toward_healthy(look, hold, _staleness(head))
    action = _toward(look, look.goal(head.ref, head.sha))
    stale = _staleness(head)
    return action if stale is None else replace(action, incomplete=(stale,))


@dataclass(frozen=True, slots=True)
class _Look:
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


def _staleness(head: Head) -> Reason | None:
    return None if head.stale is None else Reason(ReasonCode.STALE, head.stale.message)


def _unreadable(target: ApiTarget, desired: Desired, unknown: Unknown, recorded: Recorded) -> Action:
    """What cannot be seen is left alone (law 5)."""
    reason = Reason(ReasonCode.HOST_UNREADABLE, unknown.message)
    sha = desired.head.sha if isinstance(desired.head, Head) else None
    return Action(
        target.id,
        "none",
        "unknown",
        (reason,),
        from_revision=recorded.healthy[0].sha if recorded.healthy else None,
        to_revision=sha,
        ref=target.branch,
        incomplete=(reason,),
        config_digest=target.config_digest,
    )


# --- holds that change the goal


def _hold_of(look: _Look, head: Head) -> Hold | None:
    entry = matching_quarantine(look.recorded.quarantines, head.sha, look.target.config_digest)
    if entry is not None:
        return _quarantined(look.target, head, entry)
    if look.desired.lineage == "rewind" and head.sha not in look.recorded.rewinds:
        return _rewound(look, head)
    return None


def matching_quarantine(entries: tuple[Quarantine, ...], sha: str, config_digest: str) -> Quarantine | None:
    """The entry that keeps (sha, configuration) from being tried, if there is one."""
    for entry in entries:
        if entry.config_digest == config_digest and entry.sha in (None, sha):
            return entry
    return None


def _quarantined(target: ApiTarget, head: Head, entry: Quarantine) -> Hold:
    since = entry.at.strftime("%Y-%m-%d %H:%M:%S UTC")
    cause = entry.message.splitlines()[0] if entry.message else "it failed"
    if entry.sha is None:
        return Hold(
            ReasonCode.QUARANTINED,
            f"the configuration failed at {since}: {cause}",
            f"change {target.id} in the configuration ({target.declared_at}), or: fraisier retry {target.id}",
        )
    return Hold(
        ReasonCode.QUARANTINED,
        f"{short(head.sha)} is in quarantine since {since}: {cause}",
        f"push a new commit to {head.ref}, or: fraisier retry {target.id}",
    )


def _rewound(look: _Look, head: Head) -> Hold:
    base = short(look.recorded.healthy[0].sha) if look.recorded.healthy else "the deployed revision"
    return Hold(
        ReasonCode.REWIND,
        f"{head.ref} was rewound: {short(head.sha)} does not descend from {base}",
        f"fraisier deploy {look.target.id} --allow-rewind {head.sha}",
    )


def _no_branch(target: ApiTarget, head: NoBranch) -> Hold:
    return Hold(
        ReasonCode.BRANCH_MISSING,
        f"{target.remote} has no branch {head.ref}",
        f"push {head.ref}, or change `branch` of {target.id} ({target.declared_at})",
    )


# --- toward a goal


def _toward(look: _Look, goal: Goal, hold: Hold | None = None) -> Action:
    """The plan that leads to the head; with a `hold`, the one that would be carried out without it."""
    steps = _steps(look, goal)
    kind, reason = _why(look, goal, steps)
    if not steps:
        return _action(look, goal, "none", "in_sync", reason, ())
    if kind in ("deploy", "reconfigure"):
        steps = (*_with_lineage(look, goal, steps), *_prune(look, goal))
    sync: Sync = "held" if hold is not None else "drifted" if kind == "repair" else "pending"
    return _action(look, goal, kind, sync, reason, steps, _on_failure(look, goal, kind), hold)


def _with_lineage(look: _Look, goal: Goal, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """While nobody knows how the head relates to what is healthy, the fetch finds out first (law 13)."""
    healthy = look.recorded.healthy
    if look.desired.lineage != "unknown" or not healthy or goal.sha in (healthy[0].sha, *look.recorded.rewinds):
        return steps
    others = (step for step in steps if step.kind != Fetch.kind)
    return (Fetch(look.target.remote, goal.ref, goal.sha, descends_from=healthy[0].sha), *others)


def _action(
    look: _Look,
    goal: Goal,
    kind: ActionKind,
    sync: Sync,
    reason: Reason,
    steps: tuple[Step, ...],
    on_failure: str = "",
    hold: Hold | None = None,
) -> Action:
    return Action(
        look.target.id,
        kind,
        sync,
        (reason,),
        steps,
        look.current_sha,
        goal.sha,
        goal.ref,
        look.desired.commits,
        held_by=() if hold is None else (hold,),
        on_failure=on_failure,
        config_digest=look.target.config_digest,
        proves=goal,
    )


def _steps(look: _Look, goal: Goal) -> tuple[Step, ...]:
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
    if not restart and has_release and _is_proven(look, goal):
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


def _is_proven(look: _Look, goal: Goal) -> bool:
    return bool(look.recorded.healthy) and _is(look.recorded.healthy[0], goal)


def _is(proven: HealthyRevision, goal: Goal) -> bool:
    return (proven.sha, proven.build_digest, proven.runtime_digest) == (
        goal.sha,
        goal.build_digest,
        goal.runtime_digest,
    )


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


def _health_gate(look: _Look, goal: Goal, *, started: bool) -> HealthGate:
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


def _prune(look: _Look, goal: Goal) -> tuple[Step, ...]:
    layout, healthy, back = look.layout, look.recorded.healthy, _return_goal(look, barring=goal)
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


# --- why


def _why(look: _Look, goal: Goal, steps: tuple[Step, ...]) -> tuple[ActionKind, Reason]:
    if not steps:
        return "none", Reason(ReasonCode.IN_SYNC, "in sync")
    if _is_proven(look, goal):
        asked = Reason(ReasonCode.REQUESTED, "a person asked to deploy again")
        return ("deploy", asked) if look.recorded.forced else ("repair", _drift(look, goal))
    if look.current_sha != goal.sha:
        return "deploy", _why_new_code(look, goal)
    stamp = look.layout.stamp
    if stamp is not None and (stamp.release, stamp.runtime_digest) != (goal.release, goal.runtime_digest):
        return "reconfigure", Reason(ReasonCode.CONFIG_CHANGED, _what_changed(look, goal))
    return "deploy", Reason(ReasonCode.UNFINISHED, f"{short(goal.sha)} is not proven healthy yet")


def _why_new_code(look: _Look, goal: Goal) -> Reason:
    if not look.recorded.healthy and look.current_sha is None:
        return Reason(ReasonCode.NEVER_DEPLOYED, f"nothing is deployed yet; {goal.ref} is at {short(goal.sha)}")
    return Reason(ReasonCode.HEAD_MOVED, f"branch {goal.ref} moved to {short(goal.sha)}")


def _what_changed(look: _Look, goal: Goal) -> str:
    stamp = look.layout.stamp
    parts = []
    if look.layout.current != goal.release:
        parts.append("build, shared, run_as or env")
    elif stamp is not None and stamp.runtime_digest != goal.runtime_digest:
        parts.append("env, service or run_as")
    return f"configuration changed: {' and '.join(parts) or 'how it runs'}"


def _drift(look: _Look, goal: Goal) -> Reason:
    """What the machine has otherwise than it was proven healthy with; the cause before its effects."""
    layout, service = look.layout, look.service
    if goal.release not in layout.releases:
        return Reason(ReasonCode.DRIFT_RELEASE, f"drift: the release of {short(goal.sha)} is not there")
    if layout.current != goal.release:
        return Reason(ReasonCode.DRIFT_LINK, f"drift: current should point at {short(goal.sha)} and does not")
    if service.run not in ("running", "starting"):
        why = f" ({service.message})" if service.message else ""
        return Reason(ReasonCode.DRIFT_SERVICE, f"drift: desired running, observed {service.run}{why}")
    if not look.observed.unit_matches:
        return Reason(ReasonCode.DRIFT_UNIT, f"drift: {look.target.service.unit} differs from what Fraisier keeps")
    return _why_again(look, goal)


def _why_again(look: _Look, goal: Goal) -> Reason:
    """Nothing has drifted, and still there is something to do."""
    if look.recorded.forced:
        return Reason(ReasonCode.REQUESTED, "a person asked to deploy again")
    if look.layout.stamp is not None and not _runs_other_code(look, goal):
        return Reason(ReasonCode.UNFINISHED, f"{short(goal.sha)} was started again and is not proven healthy yet")
    return Reason(ReasonCode.UNFINISHED, "it is not certain what the service was last started with")


def _on_failure(look: _Look, goal: Goal, kind: ActionKind) -> str:
    if kind == "repair":
        return "tried again, a little later each time"
    back = _return_goal(look, barring=goal)
    what = f"quarantine {short(goal.sha)}"
    if back is None:
        return f"stop {look.target.service.unit} (nothing to return to), {what}"
    if back.sha == goal.sha:
        return f"back to the configuration it was healthy with, {what}"
    return f"back to {short(back.sha)}, {what}"


# --- while the head is held


def _return_goal(look: _Look, barring: Goal | None = None) -> Goal | None:
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
        if proven.sha in left or (barring is not None and _is(proven, barring)):
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


def _toward_healthy(look: _Look, hold: Hold | None, incomplete: Reason | None) -> Action:
    """The head is held or unknown: keep, repair or return to what was last proven healthy."""
    goal = _return_goal(look)
    steps = _steps(look, goal) if goal is not None else ()
    if goal is None:
        action = _without_return(look, hold)
    elif not steps:
        action = _held(look, hold)
    else:
        action = _returning(look, goal, hold, steps)
    return action if incomplete is None else replace(action, incomplete=(incomplete,))


def _returning(look: _Look, goal: Goal, hold: Hold | None, steps: tuple[Step, ...]) -> Action:
    other_code = _runs_other_code(look, goal)
    kind: ActionKind = "roll_back" if other_code else "repair"
    reason = _why_returning(goal, hold) if other_code else _drift(look, goal)
    return _action(look, goal, kind, "drifted", reason, steps, "tried again, a little later each time")


def _runs_other_code(look: _Look, goal: Goal) -> bool:
    stamp = look.layout.stamp
    stamped = (goal.release, goal.runtime_digest) if stamp is None else (stamp.release, stamp.runtime_digest)
    return look.layout.current != goal.release or stamped != (goal.release, goal.runtime_digest)


def _why_returning(goal: Goal, hold: Hold | None) -> Reason:
    because = f"; {hold.message}" if hold is not None else ""
    return Reason(ReasonCode.RETURN_TO_HEALTHY, f"back to {short(goal.sha)}, last proven healthy{because}")


def _without_return(look: _Look, hold: Hold | None) -> Action:
    """A revision in quarantine that was never proven healthy is stopped, everything else is left as it is."""
    quarantined = hold is not None and hold.code is ReasonCode.QUARANTINED
    if hold is None or not quarantined or not _is_ours_and_alive(look) or _runs_what_was_proven(look):
        return _held(look, hold)
    reason = Reason(ReasonCode.NOTHING_TO_RETURN_TO, f"{hold.message}; nothing to return to, so it is stopped")
    stop = Stop(runtime_of(look.target))
    return replace(_held(look, hold), action="roll_back", reasons=(reason,), steps=(stop,), held_by=(), proves=None)


def _runs_what_was_proven(look: _Look) -> bool:
    stamp = look.layout.stamp
    return stamp is not None and any(
        (proven.release, proven.runtime_digest) == (stamp.release, stamp.runtime_digest)
        for proven in look.recorded.healthy
    )


def _is_ours_and_alive(look: _Look) -> bool:
    """Only a service that was started on one of our releases is stopped; `current` is set before a start."""
    return look.layout.current is not None and look.service.run in ("running", "starting")


def _held(look: _Look, hold: Hold | None) -> Action:
    """Nothing to do now; `steps` say what would be done if nothing held it."""
    head = look.desired.head
    if hold is not None and isinstance(head, Head):
        would = _toward(look, look.goal(head.ref, head.sha), hold)
        if would.steps:
            return would
    return Action(
        look.target.id,
        "none",
        "unknown" if hold is None else "held",
        (_why_waiting(head, hold),),
        from_revision=look.current_sha,
        to_revision=head.sha if isinstance(head, Head) else None,
        ref=look.target.branch,
        commits=look.desired.commits,
        held_by=() if hold is None else (hold,),
        config_digest=look.target.config_digest,
    )


def _why_waiting(head: Head | NoBranch | Unknown, hold: Hold | None) -> Reason:
    if hold is not None:
        return Reason(hold.code, hold.message)
    message = head.message if isinstance(head, Unknown) else "the head of the branch is not known"
    return Reason(ReasonCode.REMOTE_UNREACHABLE, message)
