"""The plan of an `api` target: pure, total and deterministic.

It compares what the machine says with the goal; what the store says decides only which goal.
"""

from __future__ import annotations

from dataclasses import replace

from ..model.config import ApiTarget
from ..model.plan import Action, ActionKind, Goal, Hold, Reason, ReasonCode, Step, Sync
from ..model.state import (
    Desired,
    Head,
    Layout,
    NoRevision,
    Observed,
    Recorded,
    ServiceState,
    Unknown,
)
from ..steps.stop import Stop
from .api_drift import Drifts, drifts, masked, spoilt_release, without_excluded_files
from .api_holds import hold_of, no_revision, reported, staleness
from .api_look import ApiLook, is_proven, return_goal, runs_other_code, runtime_of
from .api_reasons import on_failure, stopped_by, why_again, why_new, why_returning, why_waiting
from .api_steps import prune, steps_toward, with_checks


def plan(target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded) -> Action:
    if not isinstance(observed.layout, Layout):
        return _unreadable(target, desired, observed.layout, recorded)
    if not isinstance(observed.service, ServiceState):
        return _unreadable(target, desired, observed.service, recorded)
    seen = without_excluded_files(observed, target.on_drift)
    spoilt = spoilt_release(seen.inspection, target.on_drift, forced=recorded.forced)
    look = ApiLook(target, desired, observed.layout, observed.service, seen, recorded, spoilt)
    action = _stopped(look) if any(each.stop for each in recorded.suspensions) else _wanted(look)
    if not isinstance(observed.inspection, Unknown):
        return action
    missing = Reason(ReasonCode.HOST_UNREADABLE, observed.inspection.message)
    return replace(action, incomplete=(*action.incomplete, missing))


def _wanted(look: ApiLook) -> Action:
    target, head = look.target, look.desired.head
    if isinstance(head, Unknown):
        return _toward_healthy(look, None, Reason(ReasonCode.REMOTE_UNREACHABLE, head.message))
    if isinstance(head, NoRevision):
        return _toward_healthy(look, no_revision(target, head), None)
    hold = hold_of(look, head)
    if hold is not None:
        return _toward_healthy(look, hold, staleness(head))
    action = _toward(look, look.goal(head.ref, head.sha))
    stale = staleness(head)
    return action if stale is None else replace(action, incomplete=(stale,))


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
        ref=_ref(target, desired),
        incomplete=(reason,),
        config_digest=target.config_digest,
    )


def _ref(target: ApiTarget, desired: Desired) -> str:
    return desired.head.ref if isinstance(desired.head, Head) else str(desired.selection or target.selection)


def _stopped(look: ApiLook) -> Action:
    """A person wants it stopped, whatever is desired; only what Fraisier started is stopped."""
    head, reason = look.desired.head, stopped_by(look)
    steps = (Stop(runtime_of(look.target)),) if _is_ours_and_alive(look) else ()
    return Action(
        look.target.id,
        "repair" if steps else "none",
        "drifted" if steps else "held",
        (reason,),
        steps,
        from_revision=look.current_sha,
        to_revision=head.sha if isinstance(head, Head) else None,
        ref=_ref(look.target, look.desired),
        on_failure="tried again, a little later each time" if steps else "",
        config_digest=look.target.config_digest,
    )


def _toward(look: ApiLook, goal: Goal, hold: Hold | None = None) -> Action:
    """The plan that leads to the head; with a `hold`, the one that would be carried out without it."""
    if is_proven(look, goal) and not look.recorded.forced:
        in_sync = (Reason(ReasonCode.IN_SYNC, "in sync"),)
        return _repair(look, goal, hold) or _action(look, goal, "none", "in_sync", in_sync, ())
    kind, reason = why_new(look, goal)
    steps = (*with_checks(look, goal, steps_toward(look, goal)), *prune(look, goal))
    then = on_failure(look, goal) if hold is None else ""  # what is held cannot fail
    return _action(look, goal, kind, "pending" if hold is None else "held", (reason,), steps, then, hold)


def _repair(look: ApiLook, goal: Goal, hold: Hold | None = None) -> Action | None:
    """What was proven healthy already is kept as it was; None when it is."""
    found = drifts(look, goal)
    steps = () if found.is_beyond_repair else steps_toward(masked(look, goal, found), goal)
    if not steps:
        return _only_reported(look, goal, found, hold)
    reasons = (*(found.repaired or (why_again(look, goal),)), *found.reported)
    sync: Sync = "drifted" if hold is None else "held"
    then = "tried again, a little later each time" if hold is None else ""
    action = _action(look, goal, "repair", sync, reasons, steps, then, hold)
    return _unproven(look, replace(action, notes=reported(look.target, found.reported)))


def _unproven(look: ApiLook, action: Action) -> Action:
    """A service that is down and is to be left so cannot be proven healthy by what else is repaired."""
    kinds = {step.kind for step in action.steps}
    if look.service.run in ("running", "starting") or "restart" in kinds:
        return action
    return replace(action, steps=tuple(step for step in action.steps if step.kind != "health"), proves=None)


def _only_reported(look: ApiLook, goal: Goal, found: Drifts, hold: Hold | None) -> Action | None:
    """Shown with the steps that would repair it, and held."""
    if not found.reported:
        return None
    holds = reported(look.target, found.reported) + (() if hold is None else (hold,))
    action = _action(look, goal, "repair", "drifted", found.reported, steps_toward(look, goal))
    return replace(action, held_by=holds)


def _action(
    look: ApiLook,
    goal: Goal,
    kind: ActionKind,
    sync: Sync,
    reasons: tuple[Reason, ...],
    steps: tuple[Step, ...],
    on_failure: str = "",
    hold: Hold | None = None,
) -> Action:
    return Action(
        look.target.id,
        kind,
        sync,
        reasons,
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


def _toward_healthy(look: ApiLook, hold: Hold | None, incomplete: Reason | None) -> Action:
    """The head is held or unknown: keep, repair or return to what was last proven healthy."""
    goal = return_goal(look)
    if goal is None:
        action = _without_return(look, hold)
    elif runs_other_code(look, goal):
        action = _returning(look, goal, hold)
    else:
        action = _kept(look, goal, hold)
    return action if incomplete is None else replace(action, incomplete=(incomplete,))


def _returning(look: ApiLook, goal: Goal, hold: Hold | None) -> Action:
    then = "tried again, a little later each time"
    return _action(look, goal, "roll_back", "drifted", (why_returning(goal, hold),), steps_toward(look, goal), then)


def _kept(look: ApiLook, goal: Goal, hold: Hold | None) -> Action:
    """What serves is what is to serve for the time being."""
    repair = _repair(look, goal)
    if repair is None:
        return _held(look, hold)
    if repair.held_by and hold is not None:  # nothing is done about its drift: what matters is the head
        return replace(_held(look, hold), notes=repair.held_by)
    return repair


def _without_return(look: ApiLook, hold: Hold | None) -> Action:
    """A revision in quarantine that was never proven healthy is stopped, everything else is left as it is."""
    quarantined = hold is not None and hold.code is ReasonCode.QUARANTINED
    if hold is None or not quarantined or not _is_ours_and_alive(look) or _runs_what_was_proven(look):
        return _held(look, hold)
    reason = Reason(ReasonCode.NOTHING_TO_RETURN_TO, f"{hold.message}; nothing to return to, so it is stopped")
    stop = Stop(runtime_of(look.target))
    return replace(
        _held(look, hold),
        action="roll_back",
        reasons=(reason,),
        steps=(stop,),
        held_by=(),
        proves=None,
        on_failure="tried again, a little later each time",
    )


def _runs_what_was_proven(look: ApiLook) -> bool:
    stamp = look.layout.stamp
    return stamp is not None and any(
        (proven.release, proven.runtime_digest) == (stamp.release, stamp.runtime_digest)
        for proven in look.recorded.healthy
    )


def _is_ours_and_alive(look: ApiLook) -> bool:
    """Only a service that was started on one of our releases is stopped; `current` is set before a start."""
    return look.layout.current is not None and look.service.run in ("running", "starting")


def _held(look: ApiLook, hold: Hold | None) -> Action:
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
        (why_waiting(head, hold),),
        from_revision=look.current_sha,
        to_revision=head.sha if isinstance(head, Head) else None,
        ref=_ref(look.target, look.desired),
        commits=look.desired.commits,
        held_by=() if hold is None else (hold,),
        config_digest=look.target.config_digest,
    )
