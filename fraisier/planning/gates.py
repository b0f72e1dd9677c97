"""What may keep a plan from running although it has steps, one function each.

Quarantine, rewinds, signatures and missing branches are decided earlier, by the service type,
because they change what the plan leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from ..model.config import Target
from ..model.plan import Action, Hold, ReasonCode
from ..model.state import BackOff, DependencyState, Recorded
from .back_off import LONGEST, SPREAD
from .basis import deployment_hash
from .repairs import repair_hold
from .standing import suspension_hold
from .windows import closed, words


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Everything that gates go by. `recorded` as it stands at `now`."""

    target: Target
    recorded: Recorded
    dependencies: Iterable[DependencyState]
    now: datetime
    invalid: Hold | None = None
    """The configuration has problems: the target stays as it was last good."""


Gate = Callable[[Action, Circumstances], Iterable[Hold]]

_CHANGES = ("deploy", "reconfigure")
"""Only what brings something new waits for windows, approvals and dependencies: what served before may
serve again at any time, whatever it depends on.
"""


def gate(action: Action, around: Circumstances) -> Action:
    """The action with everything that holds it just now; actions without steps pass unchanged."""
    if not action.steps:
        return action
    held = (*action.held_by, *(hold for each in _GATES for hold in each(action, around)))
    if not held:
        return action
    if around.target.approval and action.action in _CHANGES:
        action = replace(action, hash=deployment_hash(around.target, action, around.recorded))
    return replace(action, held_by=held, sync="held" if action.sync == "pending" else action.sync)


def _suspended(action: Action, around: Circumstances) -> Iterable[Hold]:
    if not around.recorded.suspensions or action.reasons[0].code is ReasonCode.STOPPED_BY_PERSON:
        return
    hold = suspension_hold(action.id, around.recorded.suspensions)
    if hold is not None:
        yield hold


def _invalid(action: Action, around: Circumstances) -> Iterable[Hold]:
    """A target whose configuration is broken is repaired as it was last good, and gets nothing new."""
    if around.invalid is not None and action.action in _CHANGES:
        yield around.invalid


def _backing_off(action: Action, around: Circumstances) -> Iterable[Hold]:
    """Only what failed waits: another revision or configuration passes at once (law 6)."""
    back_off = around.recorded.back_off
    if back_off is None or not _lasts(back_off, around.now):
        return
    if (action.to_revision or "", action.config_digest) != (back_off.sha, back_off.config_digest):
        return
    tries = "1 try" if back_off.failures == 1 else f"{back_off.failures} tries"
    yield Hold(
        ReasonCode.BACK_OFF,
        f"waits after {tries}: {back_off.message}",
        f"it is tried again by itself, or now: fraisier retry {action.id}",
        until=back_off.until,
    )


def _lasts(back_off: BackOff, now: datetime) -> bool:
    """One that lasts longer than any is from before the clock was set back."""
    return now < back_off.until <= now + LONGEST * (1 + SPREAD)


def _repaired_too_often(action: Action, around: Circumstances) -> Iterable[Hold]:
    """Of drift alone: what a person asked for is done."""
    if action.action != "repair" or not around.recorded.repairs or action.reasons[0].drift is None:
        return
    hold = repair_hold(action.id, around.target.repairs, around.recorded.repairs, around.now)
    if hold is not None:
        yield hold


def _outside_windows(action: Action, around: Circumstances) -> Iterable[Hold]:
    """What has begun may finish: a revision that is already in place is not left half deployed."""
    if not around.target.windows or not _begins(action, around.recorded):
        return
    emergency = around.recorded.emergency
    if emergency is not None and emergency.sha == action.to_revision:
        return
    shut = closed(around.target.windows, around.now)
    if shut is not None:
        to_go_on = f"it goes on by itself then, or now: fraisier deploy {action.id} --emergency REASON"
        if shut.until is None:
            to_go_on = f"change deploy.windows ({around.target.declared_at}), or: {to_go_on.rpartition('now: ')[2]}"
        yield Hold(ReasonCode.WINDOW, words(shut, around.now), to_go_on, shut.until)


def _unapproved(action: Action, around: Circumstances) -> Iterable[Hold]:
    if not around.target.approval or not _begins(action, around.recorded):
        return
    wanted = deployment_hash(around.target, action, around.recorded)
    given = around.recorded.approval
    if given is not None and given.hash == wanted:
        return
    void = f" ({given.by} approved another one, {given.hash})" if given is not None else ""
    yield Hold(
        ReasonCode.APPROVAL,
        f"waits for approval of {wanted}{void}",
        f"fraisier approve {action.id}",
    )


def _begins(action: Action, recorded: Recorded) -> bool:
    """What is in place already goes on, and the end of a pin or a trial goes back to what served before it."""
    if action.action not in _CHANGES or action.reasons[0].code is ReasonCode.UNFINISHED:
        return False
    goal = action.proves if action.reasons[0].code is ReasonCode.UNPINNED else None
    return goal is None or not any(goal.is_what_was(proven) for proven in recorded.healthy)


def _waiting_for(action: Action, around: Circumstances) -> Iterable[Hold]:
    if action.action not in _CHANGES:
        return
    for dependency in around.dependencies:
        if not dependency.ready:
            yield Hold(
                ReasonCode.DEPENDENCY,
                f"waits for {dependency.id}: {dependency.message}",
                f"it goes on by itself when {dependency.id} is healthy at its desired revision",
            )


_GATES: tuple[Gate, ...] = (
    _suspended,
    _invalid,
    _backing_off,
    _repaired_too_often,
    _outside_windows,
    _unapproved,
    _waiting_for,
)
