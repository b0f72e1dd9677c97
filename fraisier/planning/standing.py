"""What people have arranged, as it stands at one moment: what is over by its own time counts no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from ..model.config import Target
from ..model.names import TargetId
from ..model.plan import Hold, ReasonCode
from ..model.selection import Selection
from ..model.state import HealthyRevision, Override, Recorded, Suspension


def standing_at(recorded: Recorded, now: datetime) -> Recorded:
    """`recorded` without suspensions, pins and trials that have ended by `now`."""
    if not recorded.suspensions and recorded.override is None:
        return recorded  # the usual case, at no cost
    override = recorded.override if recorded.override and not _is_over(recorded.override.until, now) else None
    suspensions = tuple(each for each in recorded.suspensions if not _is_over(each.until, now))
    return replace(recorded, suspensions=suspensions, override=override)


def selection_of(target: Target, recorded: Recorded) -> Selection:
    """What is selected: as a person pinned it, else as declared. `recorded` as it stands now."""
    return recorded.override.selection if recorded.override is not None else target.selection


def lineage_base(recorded: Recorded) -> HealthyRevision | None:
    """What a new head of the branch must descend from (law 13): the newest proof that was nobody's choice."""
    return next((proven for proven in recorded.healthy if not proven.is_chosen), None)


def ends_at(recorded: Recorded) -> datetime | None:
    """When the first of what people arranged ends by itself. `recorded` as it stands now."""
    moments = [each.until for each in recorded.suspensions]
    if recorded.override is not None:
        moments.append(recorded.override.until)
    return min((moment for moment in moments if moment is not None), default=None)


def suspension_hold(id: TargetId, suspensions: Iterable[Suspension]) -> Hold | None:
    """By the narrowest suspension, with everything that must be resumed. None without any."""
    standing = tuple(suspensions)
    if not standing:
        return None
    first = standing[0]
    to_go_on = ", then: ".join(f"fraisier resume {_argument(each)}" for each in standing)
    lasting = max((each.until for each in standing if each.until is not None), default=None)
    until = None if any(each.until is None for each in standing) else lasting
    return Hold(ReasonCode.SUSPENDED, _suspended(id, first), to_go_on, until)


def override_note(id: TargetId, override: Override) -> Hold:
    """A pin or a trial, for everybody to see."""
    why = f": {override.reason}" if override.reason else ""
    since = f"{override.at:%Y-%m-%d %H:%M} UTC"
    if override.kind == "pin":
        message = f"pinned to {override.selection} by {override.by} since {since}{why}"
        return Hold(ReasonCode.PINNED, message, f"fraisier unpin {id}", override.until)
    until = f" until {override.until:%Y-%m-%d %H:%M} UTC" if override.until else ""
    message = f"{override.by} tries {override.selection}{until}{why}"
    return Hold(ReasonCode.TRIED, message, f"it returns by itself, or now: fraisier unpin {id}", override.until)


def _suspended(id: TargetId, suspension: Suspension) -> str:
    what = "suspended and stopped" if suspension.stop else "suspended"
    wider = "" if suspension.scope.covers_only(id) else f" ({suspension.scope})"
    why = f": {suspension.reason}" if suspension.reason else ""
    until = f" until {suspension.until:%Y-%m-%d %H:%M} UTC" if suspension.until else ""
    return f"{what}{wider} since {suspension.at:%Y-%m-%d %H:%M} UTC{until} by {suspension.by}{why}"


def _argument(suspension: Suspension) -> str:
    """How the scope is written on the command line."""
    scope = suspension.scope
    return "--all" if scope.is_everything else scope.fraise if scope.target is None else str(scope)


def _is_over(until: datetime | None, now: datetime) -> bool:
    return until is not None and until <= now
