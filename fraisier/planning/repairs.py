"""How often drift is repaired: each time it comes back a little later, and only so often at all.

Counts repairs that succeeded. One that fails is tried again by its back-off (`back_off.py`), however
often, since what does not run has nothing to lose; here it is about something that undoes what we do:
a person, another tool, a service that dies soon after it was proven healthy.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ..model.config import RepairBudget
from ..model.names import TargetId
from ..model.plan import Hold, ReasonCode

FIRST = timedelta(seconds=10)
"""The wait before the second repair in a row; it doubles with each."""


def repair_hold(id: TargetId, budget: RepairBudget, repairs: Sequence[datetime], now: datetime) -> Hold | None:
    """Why a repair has to wait; None when it may begin. `repairs` are the ends of earlier ones, newest first."""
    recent = [at for at in repairs if now - budget.within < at <= now]  # later ones: the clock was set back since
    if not recent:
        return None
    if len(recent) >= budget.at_most:
        return _spent(id, budget, recent)
    until = recent[0] + min(FIRST * 2 ** (len(recent) - 1), budget.within)
    if until <= now:
        return None
    message = f"the drift came back after {_times(len(recent))} repaired; it is left for a moment"
    return Hold(ReasonCode.BACK_OFF, message, f"it is repaired by itself, or now: fraisier retry {id}", until)


def _spent(id: TargetId, budget: RepairBudget, recent: Sequence[datetime]) -> Hold:
    oldest = recent[budget.at_most - 1]
    message = f"repaired {_times(len(recent))} within {_span(budget.within)}, and it came back each time"
    to_go_on = f"find out what undoes it, then: fraisier retry {id}"
    return Hold(ReasonCode.REPAIR_BUDGET, message, to_go_on, oldest + budget.within)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes and minutes % 60 == 0:
        return f"{minutes // 60} h"
    return f"{minutes} min" if minutes else f"{span.seconds} s"
