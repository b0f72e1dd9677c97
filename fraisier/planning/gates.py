"""What may keep a plan from running although it has steps: back-off and dependencies.

Quarantine, rewinds and missing branches are decided earlier, by the service type, because they
change what the plan leads to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from ..model.plan import Action, Hold, ReasonCode
from ..model.state import BackOff, DependencyState
from .back_off import LONGEST, SPREAD


def gate(
    action: Action,
    back_off: BackOff | None,
    dependencies: Iterable[DependencyState],
    now: datetime,
    invalid: Hold | None = None,
) -> Action:
    """The action with everything that holds it just now; actions without steps pass unchanged."""
    if not action.steps or action.held_by:
        return action
    holds = (
        *_invalid(action, invalid),
        *_backing_off(action, back_off, now),
        *_waiting_for(action, dependencies),
    )
    return replace(action, held_by=holds, sync="held" if action.sync == "pending" else action.sync) if holds else action


def _invalid(action: Action, hold: Hold | None) -> tuple[Hold, ...]:
    """A target whose configuration is broken is repaired as it was last good, and gets nothing new."""
    return (hold,) if hold is not None and action.action in ("deploy", "reconfigure") else ()


def _backing_off(action: Action, back_off: BackOff | None, now: datetime) -> tuple[Hold, ...]:
    """Only what failed waits: another revision or configuration passes at once (law 6)."""
    if back_off is None or not now < back_off.until <= now + LONGEST * (1 + SPREAD):
        return ()  # over, or from before the clock was set back
    if (action.to_revision, action.config_digest) != (back_off.sha, back_off.config_digest):
        return ()
    tries = "1 try" if back_off.failures == 1 else f"{back_off.failures} tries"
    return (
        Hold(
            ReasonCode.BACK_OFF,
            f"waits after {tries}: {back_off.message}",
            f"it is tried again by itself, or now: fraisier retry {action.id}",
            until=back_off.until,
        ),
    )


def _waiting_for(action: Action, dependencies: Iterable[DependencyState]) -> tuple[Hold, ...]:
    """Repairs and returns never wait: what served before may serve again whatever it depends on."""
    if action.action not in ("deploy", "reconfigure"):
        return ()
    return tuple(
        Hold(
            ReasonCode.DEPENDENCY,
            f"waits for {dependency.id}: {dependency.message}",
            f"it goes on by itself when {dependency.id} is healthy at its desired revision",
        )
        for dependency in dependencies
        if not dependency.ready
    )
