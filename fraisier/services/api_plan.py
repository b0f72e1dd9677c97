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
    NoBranch,
    Observed,
    Recorded,
    ServiceState,
    Unknown,
)
from ..steps.stop import Stop
from .api_holds import hold_of, no_branch, staleness
from .api_look import ApiLook, return_goal, runs_other_code, runtime_of
from .api_reasons import drift, on_failure, why, why_returning, why_waiting
from .api_steps import prune, steps_toward, with_lineage


def plan(target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded) -> Action:
    if not isinstance(observed.layout, Layout):
        return _unreadable(target, desired, observed.layout, recorded)
    if not isinstance(observed.service, ServiceState):
        return _unreadable(target, desired, observed.service, recorded)
    look = ApiLook(target, desired, observed.layout, observed.service, observed, recorded)
    head = desired.head
    if isinstance(head, Unknown):
        return _toward_healthy(look, None, Reason(ReasonCode.REMOTE_UNREACHABLE, head.message))
    if isinstance(head, NoBranch):
        return _toward_healthy(look, no_branch(target, head), None)
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
        ref=target.branch,
        incomplete=(reason,),
        config_digest=target.config_digest,
    )


def _toward(look: ApiLook, goal: Goal, hold: Hold | None = None) -> Action:
    """The plan that leads to the head; with a `hold`, the one that would be carried out without it."""
    steps = steps_toward(look, goal)
    kind, reason = why(look, goal, steps)
    if not steps:
        return _action(look, goal, "none", "in_sync", reason, ())
    if kind in ("deploy", "reconfigure"):
        steps = (*with_lineage(look, goal, steps), *prune(look, goal))
    sync: Sync = "held" if hold is not None else "drifted" if kind == "repair" else "pending"
    then = on_failure(look, goal, kind) if hold is None else ""  # what is held cannot fail
    return _action(look, goal, kind, sync, reason, steps, then, hold)


def _action(
    look: ApiLook,
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


def _toward_healthy(look: ApiLook, hold: Hold | None, incomplete: Reason | None) -> Action:
    """The head is held or unknown: keep, repair or return to what was last proven healthy."""
    goal = return_goal(look)
    steps = steps_toward(look, goal) if goal is not None else ()
    if goal is None:
        action = _without_return(look, hold)
    elif not steps:
        action = _held(look, hold)
    else:
        action = _returning(look, goal, hold, steps)
    return action if incomplete is None else replace(action, incomplete=(incomplete,))


def _returning(look: ApiLook, goal: Goal, hold: Hold | None, steps: tuple[Step, ...]) -> Action:
    other_code = runs_other_code(look, goal)
    kind: ActionKind = "roll_back" if other_code else "repair"
    reason = why_returning(goal, hold) if other_code else drift(look, goal)
    return _action(look, goal, kind, "drifted", reason, steps, "tried again, a little later each time")


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
        ref=look.target.branch,
        commits=look.desired.commits,
        held_by=() if hold is None else (hold,),
        config_digest=look.target.config_digest,
    )
