"""What people arrange until further notice: suspensions, pins and trials, approvals, emergencies."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..model.names import Scope, TargetId
from ..model.state import Approval, Emergency, Override, Suspension
from .documents import parse_override, parse_suspension, selection_document
from .journal import Entry, write
from .values import from_json, optional_moment


def suspend(connection: sqlite3.Connection, suspension: Suspension) -> None:
    data = {"by": suspension.by, "until": optional_moment(suspension.until), "stop": suspension.stop}
    write(connection, Entry("suspended", suspension.scope, suspension.at, message=suspension.reason, data=data))


def resume(connection: sqlite3.Connection, scope: Scope, by: str, at: datetime) -> int:
    """Writes nothing when there is nothing to end."""
    count = sum(1 for suspension in suspensions(connection) if _is_within(suspension.scope, scope))
    if count:
        write(connection, Entry("resumed", scope, at, message=f"resumed by {by}", data={"by": by, "count": count}))
    return count


def _is_within(narrow: Scope, wide: Scope) -> bool:
    return wide in (narrow, Scope(narrow.fraise), Scope())


def suspensions(connection: sqlite3.Connection) -> list[Suspension]:
    """Oldest first."""
    return [suspension_of(row) for row in connection.execute("SELECT * FROM tv_suspensions ORDER BY at, scope")]


def suspension_of(row: Mapping[str, Any]) -> Suspension:
    kept = {key: row[key] for key in ("scope", "reason", "at", "until", "stop")}
    return parse_suspension(kept | {"by": row["suspended_by"]})


def override(connection: sqlite3.Connection, target: TargetId, override: Override) -> None:
    data = {
        "kind": override.kind,
        "selection": selection_document(override.selection),
        "by": override.by,
        "until": optional_moment(override.until),
    }
    write(connection, Entry("pinned", target, override.at, message=override.reason, data=data))


def end_override(connection: sqlite3.Connection, target: TargetId, by: str, at: datetime) -> bool:
    """Writes nothing when there is none."""
    row = connection.execute("SELECT kind FROM tv_overrides WHERE identifier = ?", (str(target),)).fetchone()
    if row is None:
        return False
    what = "pin" if row["kind"] == "pin" else "trial"
    write(connection, Entry("unpinned", target, at, message=f"the {what} was ended by {by}", data={"by": by}))
    return True


def override_of(row: Mapping[str, Any]) -> Override:
    kept = {key: row[key] for key in ("kind", "at", "reason", "until")}
    return parse_override(kept | {"by": row["chosen_by"], "selection": from_json(row["selection"])})


def approve(connection: sqlite3.Connection, target: TargetId, approval: Approval) -> None:
    data = {"hash": approval.hash, "by": approval.by}
    write(connection, Entry("approved", target, approval.at, message=f"approved by {approval.by}", data=data))


def allow_emergency(connection: sqlite3.Connection, target: TargetId, emergency: Emergency) -> None:
    data = {"sha": emergency.sha, "by": emergency.by}
    write(connection, Entry("emergency", target, emergency.at, message=emergency.reason, data=data))
