"""What cycles observed: heads of remotes and the status they leave behind.

Not part of the log: the next cycle makes them again. They survive the death of the process, not
always the loss of power, and so never wait for the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from ..model.names import TargetId
from ..model.records import Status
from ..model.state import Head
from .ids import target_id
from .values import moment, parse_moment

_UPSERT_HEAD = """
INSERT INTO tv_heads (remote, branch, sha, seen_at) VALUES (?, ?, ?, ?)
ON CONFLICT (remote, branch) DO UPDATE SET sha = excluded.sha, seen_at = excluded.seen_at"""


def save_heads(
    connection: sqlite3.Connection, remote: str, heads: Mapping[str, str], asked: Collection[str], at: datetime
) -> None:
    """A branch that was asked for and did not come is gone; one that was not asked for stays as it was."""
    seen_at = moment(at)
    connection.executemany(_UPSERT_HEAD, [(remote, branch, sha, seen_at) for branch, sha in heads.items()])
    gone = [(remote, branch) for branch in asked if branch not in heads]
    connection.executemany("DELETE FROM tv_heads WHERE remote = ? AND branch = ?", gone)


def load_heads(connection: sqlite3.Connection, remote: str) -> dict[str, Head]:
    rows = connection.execute("SELECT branch, sha, seen_at FROM tv_heads WHERE remote = ?", (remote,))
    return {row["branch"]: Head(row["branch"], row["sha"], parse_moment(row["seen_at"])) for row in rows}


_UPSERT_STATUS = """
INSERT INTO tv_fraise_status (
    identifier, id, type, ref, desired, sync, health, reason_code, reason_message, to_go_on, running, since, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)
ON CONFLICT (identifier) DO UPDATE SET
    type = excluded.type, ref = excluded.ref, desired = excluded.desired, sync = excluded.sync,
    health = excluded.health, reason_code = excluded.reason_code, reason_message = excluded.reason_message,
    to_go_on = excluded.to_go_on, running = excluded.running, updated_at = excluded.updated_at,
    since = iif(sync = excluded.sync AND reason_code = excluded.reason_code, since, excluded.since)"""


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
        at,
    )


def load_statuses(connection: sqlite3.Connection) -> dict[TargetId, Status]:
    rows = connection.execute("SELECT * FROM tv_fraise_status")
    return {status.id: status for status in map(_status, rows)}


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
    )
