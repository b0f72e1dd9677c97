"""What cycles observed: heads of remotes and the status they leave behind.

Not part of the log: the next cycle makes them again. They survive the death of the process, not
always the loss of power, and so never wait for the disk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from ..model.names import TargetId
from ..model.records import Status
from ..model.selection import Pick, Selection
from ..model.state import Head
from .documents import (
    drift_document,
    dump,
    hold_document,
    override_document,
    parse_drift,
    parse_hold,
    parse_override,
    parse_suspension,
    suspension_document,
)
from .ids import target_id
from .values import from_json, moment, parse_moment

_UPSERT_HEAD = """
INSERT INTO tv_heads (remote, selection, ref, sha, seen_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (remote, selection) DO UPDATE SET ref = excluded.ref, sha = excluded.sha, seen_at = excluded.seen_at"""


def save_heads(
    connection: sqlite3.Connection,
    remote: str,
    heads: Mapping[Selection, Pick],
    asked: Collection[Selection],
    at: datetime,
) -> None:
    """What was asked for and came to nothing is gone; what was not asked for stays as it was."""
    seen_at = moment(at)
    seen = [(remote, selection.key, pick.ref, pick.sha, seen_at) for selection, pick in heads.items()]
    connection.executemany(_UPSERT_HEAD, seen)
    gone = [(remote, selection.key) for selection in asked if selection not in heads]
    connection.executemany("DELETE FROM tv_heads WHERE remote = ? AND selection = ?", gone)


def load_heads(connection: sqlite3.Connection, remote: str) -> dict[str, Head]:
    rows = connection.execute("SELECT selection, ref, sha, seen_at FROM tv_heads WHERE remote = ?", (remote,))
    return {row["selection"]: Head(row["ref"], row["sha"], parse_moment(row["seen_at"])) for row in rows}


_COLUMNS = (
    "identifier",
    "id",
    "type",
    "ref",
    "desired",
    "sync",
    "health",
    "reason_code",
    "reason_message",
    "to_go_on",
    "running",
    "held_by",
    "drift",
    "suspended",
    "override",
    "since",
    "updated_at",
)
_CHANGING = [name for name in _COLUMNS if name not in ("identifier", "id", "since")]
_UPSERT_STATUS = f"""
INSERT INTO tv_fraise_status ({", ".join(_COLUMNS)}) VALUES ({", ".join("?" * len(_COLUMNS))})
ON CONFLICT (identifier) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _CHANGING)},
    since = iif(sync = excluded.sync AND reason_code = excluded.reason_code, since, excluded.since)"""  # noqa: S608 - names of our own


def save_statuses(connection: sqlite3.Connection, statuses: Sequence[Status], at: datetime) -> None:
    at_text = moment(at)
    connection.executemany(_UPSERT_STATUS, [_columns(status, at_text) for status in statuses])


def _columns(status: Status, at: str) -> tuple[str | None, ...]:
    identifier = str(status.id)
    return (
        identifier,
        target_id(identifier),
        status.type,
        status.ref,
        status.desired,
        status.sync,
        status.health,
        status.reason_code,
        status.reason_message,
        status.to_go_on,
        status.running,
        dump([hold_document(hold) for hold in status.held_by]),
        dump([drift_document(drift) for drift in status.drift]),
        dump(suspension_document(status.suspension)) if status.suspension else None,
        dump(override_document(status.override)) if status.override else None,
        at,
        at,
    )


def load_statuses(connection: sqlite3.Connection) -> dict[TargetId, Status]:
    rows = connection.execute("SELECT * FROM tv_fraise_status")
    return {status.id: status for status in map(_status, rows)}


def forget_status(connection: sqlite3.Connection, target: TargetId) -> None:
    """Of a target of which nothing is left, so that nobody will look at it again."""
    connection.execute("DELETE FROM tv_fraise_status WHERE identifier = ?", (str(target),))


def _status(row: sqlite3.Row) -> Status:
    return Status(
        id=TargetId.parse(row["identifier"]),
        type=row["type"],
        ref=row["ref"],
        desired=row["desired"],
        sync=row["sync"],
        health=row["health"],
        reason_code=row["reason_code"],
        reason_message=row["reason_message"],
        to_go_on=row["to_go_on"],
        running=row["running"],
        held_by=tuple(parse_hold(hold) for hold in json.loads(row["held_by"])),
        drift=tuple(parse_drift(drift) for drift in json.loads(row["drift"])),
        suspension=parse_suspension(from_json(row["suspended"])) if row["suspended"] else None,
        override=parse_override(from_json(row["override"])) if row["override"] else None,
    )
