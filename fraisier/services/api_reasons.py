"""Why an `api` target is acted on, in words for people."""

from __future__ import annotations

from ..model.names import short
from ..model.plan import ActionKind, Goal, Hold, Reason, ReasonCode
from ..model.selection import Exact, TagRange
from ..model.state import (
    Head,
    NoRevision,
    Override,
    Unknown,
)
from .api_look import ApiLook, is_proven, return_goal, runs_other_code


def why_new(look: ApiLook, goal: Goal) -> tuple[ActionKind, Reason]:
    """Why something is to be deployed that is not what was proven healthy last, or is to be deployed again."""
    if is_proven(look, goal):
        return "deploy", Reason(ReasonCode.REQUESTED, "a person asked to deploy again")
    if look.current_sha != goal.sha:
        return "deploy", _why_new_code(look, goal)
    stamp = look.layout.stamp
    is_started = stamp is not None and stamp.release == look.layout.current  # else an attempt ended in its middle
    if (
        stamp is not None
        and is_started
        and (stamp.release, stamp.runtime_digest) != (goal.release, goal.runtime_digest)
    ):
        return "reconfigure", Reason(ReasonCode.CONFIG_CHANGED, _what_changed(look, goal))
    healthy = look.recorded.healthy
    if healthy and healthy[0].is_chosen and goal.is_what_was(healthy[0]):
        return "deploy", Reason(
            ReasonCode.UNPINNED, f"the pin or trial has ended, and {short(goal.sha)} is what is declared"
        )
    return "deploy", Reason(ReasonCode.UNFINISHED, f"{short(goal.sha)} is not proven healthy yet")


def _why_new_code(look: ApiLook, goal: Goal) -> Reason:
    override, healthy = look.recorded.override, look.recorded.healthy
    if override is not None:
        return _why_chosen(override, goal)
    named = f"{goal.ref} is at {short(goal.sha)}" if goal.ref else f"{short(goal.sha)} is declared"
    if not healthy and look.current_sha is None:
        return Reason(ReasonCode.NEVER_DEPLOYED, f"nothing is deployed yet; {named}")
    if healthy and healthy[0].is_chosen:
        return Reason(ReasonCode.UNPINNED, f"the pin or trial of {short(healthy[0].sha)} has ended; {named}")
    if isinstance(look.desired.selection, TagRange):
        return Reason(ReasonCode.HEAD_MOVED, f"tag {goal.ref} is the newest in {look.desired.selection}")
    if isinstance(look.desired.selection, Exact):
        return Reason(ReasonCode.HEAD_MOVED, named)
    return Reason(ReasonCode.HEAD_MOVED, f"branch {goal.ref} moved to {short(goal.sha)}")


def _why_chosen(override: Override, goal: Goal) -> Reason:
    why = f": {override.reason}" if override.reason else ""
    if override.kind == "pin":
        return Reason(ReasonCode.PINNED, f"{override.by} pinned it to {short(goal.sha)}{why}")
    until = f" until {override.until:%Y-%m-%d %H:%M} UTC" if override.until else ""
    return Reason(ReasonCode.TRIED, f"{override.by} tries {goal.ref or 'it'} at {short(goal.sha)}{until}{why}")


def stopped_by(look: ApiLook) -> Reason:
    """Of the suspension that has it stopped."""
    each = next(each for each in look.recorded.suspensions if each.stop)
    why = f": {each.reason}" if each.reason else ""
    return Reason(ReasonCode.STOPPED_BY_PERSON, f"{each.by} stopped it at {each.at:%Y-%m-%d %H:%M} UTC{why}")


def _what_changed(look: ApiLook, goal: Goal) -> str:
    stamp = look.layout.stamp
    parts = []
    if look.layout.current != goal.release:
        parts.append("build, shared, run_as or env")
    elif stamp is not None and stamp.runtime_digest != goal.runtime_digest:
        parts.append("env, service or run_as")
    return f"configuration changed: {' and '.join(parts) or 'how it runs'}"


def why_again(look: ApiLook, goal: Goal) -> Reason:
    """Nothing has drifted, and still there is something to do."""
    back_off = look.recorded.back_off
    if back_off is not None and back_off.sha == goal.sha:
        return Reason(ReasonCode.UNFINISHED, f"{short(goal.sha)} was not proven healthy again: {back_off.message}")
    if look.layout.stamp is not None and not runs_other_code(look, goal):
        return Reason(ReasonCode.UNFINISHED, f"{short(goal.sha)} was started again and is not proven healthy yet")
    return Reason(ReasonCode.UNFINISHED, "the service was stopped, or not started to its end")


def on_failure(look: ApiLook, goal: Goal) -> str:
    """What becomes of a revision on trial that fails."""
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


def why_waiting(head: Head | NoRevision | Unknown, hold: Hold | None) -> Reason:
    if hold is not None:
        return Reason(hold.code, hold.message)
    message = head.message if isinstance(head, Unknown) else "the head of the branch is not known"
    return Reason(ReasonCode.REMOTE_UNREACHABLE, message)
