"""What people have arranged for a target, in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..model.names import Scope, TargetId, short
from .words import age, clock, parse_moment


def suspension_text(row: Mapping[str, Any], now: datetime) -> str:
    """`suspended since 12:04 (2 h ago) by alice until 14:02: freeze`; empty where it is not."""
    suspended = row["suspended"]
    if suspended is None:
        return ""
    what = "suspended and stopped" if suspended["stop"] else "suspended"
    return f"{what} {since_whom_why(suspended, now, row['identifier'])}"


def since_whom_why(suspended: Mapping[str, Any], now: datetime, identifier: str) -> str:
    since = f"since {clock(suspended['at'], now)} ({age(suspended['at'], now)})"
    until = _until(suspended["until"], now) or " until it is resumed"
    wider = "" if suspended["scope"] == identifier else f", with {_all_of(Scope.parse(suspended['scope']))}"
    return f"{since} by {suspended['by']}{until}{wider}{_because(suspended['reason'])}"


def _all_of(scope: Scope) -> str:
    return "everything" if scope.is_everything else f"all of {scope.fraise}"


def resume_command(suspended: Mapping[str, Any]) -> str:
    scope = Scope.parse(suspended["scope"])
    if scope.is_everything:
        return "fraisier resume --all"
    return f"fraisier resume {scope.fraise if scope.target is None else scope}"


def override_text(row: Mapping[str, Any], now: datetime) -> str:
    """`trial of fix-x until 14:02 by alice: slow queries`; empty where there is none."""
    override = row["override"]
    if override is None:
        return ""
    chosen, ends = selection_text(override["selection"]), _until(override["until"], now)
    by = f"{ends} by {override['by']}"
    if override["kind"] == "try":
        return f"trial of {chosen}{by}{_because(override['reason'])}"
    return f"pinned to {chosen} since {clock(override['at'], now)}{by}{_because(override['reason'])}"


def selection_text(selection: Mapping[str, Any]) -> str:
    value = str(selection["value"])
    return short(value) if selection["kind"] == "revision" else value


def unpin_command(identifier: str) -> str:
    return f"fraisier unpin {TargetId.parse(identifier)}"


def _until(until: str | None, now: datetime) -> str:
    """What nobody has looked at since it ended is not called to last."""
    if until is None:
        return ""
    return f" until {clock(until, now)}" + (", which has passed" if parse_moment(until) <= now else "")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
