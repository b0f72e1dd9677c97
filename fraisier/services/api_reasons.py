"""Why an `api` target is acted on, in words for people."""

from __future__ import annotations

from ..model.names import short
from ..model.plan import ActionKind, Goal, Hold, Reason, ReasonCode, Step
from ..model.state import (
    Head,
    NoBranch,
    Unknown,
)
from .api_look import ApiLook, is_proven, return_goal, runs_other_code


def why(look: ApiLook, goal: Goal, steps: tuple[Step, ...]) -> tuple[ActionKind, Reason]:
    if not steps:
        return "none", Reason(ReasonCode.IN_SYNC, "in sync")
    if is_proven(look, goal):
        asked = Reason(ReasonCode.REQUESTED, "a person asked to deploy again")
        return ("deploy", asked) if look.recorded.forced else ("repair", drift(look, goal))
    if look.current_sha != goal.sha:
        return "deploy", _why_new_code(look, goal)
    stamp = look.layout.stamp
    if stamp is not None and (stamp.release, stamp.runtime_digest) != (goal.release, goal.runtime_digest):
        return "reconfigure", Reason(ReasonCode.CONFIG_CHANGED, _what_changed(look, goal))
    return "deploy", Reason(ReasonCode.UNFINISHED, f"{short(goal.sha)} is not proven healthy yet")


def _why_new_code(look: ApiLook, goal: Goal) -> Reason:
    if not look.recorded.healthy and look.current_sha is None:
        return Reason(ReasonCode.NEVER_DEPLOYED, f"nothing is deployed yet; {goal.ref} is at {short(goal.sha)}")
    return Reason(ReasonCode.HEAD_MOVED, f"branch {goal.ref} moved to {short(goal.sha)}")


def _what_changed(look: ApiLook, goal: Goal) -> str:
    stamp = look.layout.stamp
    parts = []
    if look.layout.current != goal.release:
        parts.append("build, shared, run_as or env")
    elif stamp is not None and stamp.runtime_digest != goal.runtime_digest:
        parts.append("env, service or run_as")
    return f"configuration changed: {' and '.join(parts) or 'how it runs'}"


def drift(look: ApiLook, goal: Goal) -> Reason:
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


def _why_again(look: ApiLook, goal: Goal) -> Reason:
    """Nothing has drifted, and still there is something to do."""
    if look.recorded.forced:
        return Reason(ReasonCode.REQUESTED, "a person asked to deploy again")
    if look.layout.stamp is not None and not runs_other_code(look, goal):
        return Reason(ReasonCode.UNFINISHED, f"{short(goal.sha)} was started again and is not proven healthy yet")
    return Reason(ReasonCode.UNFINISHED, "it is not certain what the service was last started with")


def on_failure(look: ApiLook, goal: Goal, kind: ActionKind) -> str:
    if kind == "repair":
        return "tried again, a little later each time"
    back = return_goal(look, barring=goal)
    what = f"quarantine {short(goal.sha)}"
    if back is None:
        return f"stop {look.target.service.unit} (nothing to return to), {what}"
    if back.sha == goal.sha:
        return f"back to the configuration it was healthy with, {what}"
    return f"back to {short(back.sha)}, {what}"


def why_returning(goal: Goal, hold: Hold | None) -> Reason:
    because = f"; {hold.message}" if hold is not None else ""
    return Reason(ReasonCode.RETURN_TO_HEALTHY, f"back to {short(goal.sha)}, last proven healthy{because}")


def why_waiting(head: Head | NoBranch | Unknown, hold: Hold | None) -> Reason:
    if hold is not None:
        return Reason(hold.code, hold.message)
    message = head.message if isinstance(head, Unknown) else "the head of the branch is not known"
    return Reason(ReasonCode.REMOTE_UNREACHABLE, message)
