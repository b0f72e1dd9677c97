"""Writing the log: deployments, attempts and the events of their lives.

Every function runs inside a transaction of the writer. What follows from a row (open attempts,
statuses, counters) is the business of the triggers in `state/sqlite/`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..model.errors import AttemptOpen, StoreError
from ..model.names import Scope, TargetId, short
from ..model.records import Attempt, Closing, EventKind, Wish
from ..model.state import BackOff, HealthyRevision, InventoryEntry
from . import inventory
from .ids import new_id
from .observations import forget_status
from .requests import request_pk
from .values import moment, optional_moment, parse_moment, printable, to_json


@dataclass(frozen=True, slots=True)
class Entry:
    """An event about to be written."""

    kind: EventKind
    target: TargetId | Scope
    at: datetime
    attempt: Attempt | None = None
    request: int | None = None
    step: str | None = None
    position: int | None = None
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


_INSERT_EVENT = """
INSERT INTO tb_deployment_events (
    id, identifier, kind, at, fk_deployment, fk_deployment_attempt, fk_request, step, position, message, data)
VALUES (?1, ?2, ?3, ?4, (SELECT fk_deployment FROM tb_deployment_attempts WHERE pk_deployment_attempt = ?5),
    ?5, ?6, ?7, ?8, ?9, ?10)"""


def write(connection: sqlite3.Connection, entry: Entry) -> None:
    connection.execute(
        _INSERT_EVENT,
        (
            new_id(),
            str(entry.target),
            entry.kind,
            moment(entry.at),
            entry.attempt and entry.attempt.pk,
            entry.request,
            entry.step,
            entry.position,
            printable(entry.message),
            to_json(entry.data),
        ),
    )


# --- opening ---------------------------------------------------------------------------------


def open_attempt(connection: sqlite3.Connection, wish: Wish, at: datetime, deadline_at: datetime) -> Attempt:
    """Raises `AttemptOpen` when the database already has one open for the target."""
    request = request_pk(connection, wish.request_id) if wish.request_id else None
    deployment = _joined(connection, wish) or _new_deployment(connection, wish, request, at)
    attempt = _new_attempt(connection, wish, deployment, request, at, deadline_at)
    write(connection, Entry("attempt_opened", wish.id, at, attempt, request, data={"number": attempt.number}))
    if wish.inventory is not None and inventory.is_news(connection, wish.inventory):
        write(connection, _inventoried(attempt, wish.inventory))
    return attempt


def _inventoried(attempt: Attempt, entry: InventoryEntry) -> Entry:
    return Entry("inventoried", entry.id, entry.at, attempt, data=inventory.document(entry))


_NEWEST = """
SELECT pk_deployment, id, attempts, action, to_revision, config_digest, retried
FROM tv_deployments WHERE identifier = ? ORDER BY pk_deployment DESC LIMIT 1"""


def _joined(connection: sqlite3.Connection, wish: Wish) -> tuple[int, str, int] | None:
    """The newest deployment with its number of attempts, when this is another try at it."""
    row = connection.execute(_NEWEST, (str(wish.id),)).fetchone()
    if row is None or not row["retried"]:
        return None
    if tuple(row)[3:6] != (wish.action, wish.to_revision, wish.config_digest):
        return None
    return row["pk_deployment"], row["id"], row["attempts"]


_INSERT_DEPLOYMENT = """
INSERT INTO tb_deployments (
    id, identifier, fk_request, action, ref, from_revision, to_revision, config_digest, "trigger", requested_by,
    plan, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def _new_deployment(
    connection: sqlite3.Connection, wish: Wish, request: int | None, at: datetime
) -> tuple[int, str, int]:
    name = new_id()
    values = (
        name,
        str(wish.id),
        request,
        wish.action,
        wish.ref,
        wish.from_revision,
        wish.to_revision,
        wish.config_digest,
        wish.trigger,
        wish.requested_by,
        to_json(wish.plan),
        moment(at),
    )
    pk = connection.execute(_INSERT_DEPLOYMENT, values).lastrowid
    assert pk is not None
    return pk, name, 0


_INSERT_ATTEMPT = """
INSERT INTO tb_deployment_attempts (
    id, identifier, fk_deployment, fk_request, number, "trigger", requested_by, started_at, deadline_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def _new_attempt(
    connection: sqlite3.Connection,
    wish: Wish,
    deployment: tuple[int, str, int],
    request: int | None,
    at: datetime,
    deadline_at: datetime,
) -> Attempt:
    name, number = new_id(), deployment[2] + 1
    values = (
        name,
        str(wish.id),
        deployment[0],
        request,
        number,
        wish.trigger,
        wish.requested_by,
        moment(at),
        moment(deadline_at),
    )
    try:
        pk = connection.execute(_INSERT_ATTEMPT, values).lastrowid
    except sqlite3.IntegrityError as error:
        raise _already_open(error, wish.id) from error
    assert pk is not None
    return Attempt(pk, name, deployment[1], wish.id, number, at, deadline_at)


def _already_open(error: sqlite3.IntegrityError, target: TargetId) -> Exception:
    if "tv_open_attempts" not in str(error):
        return error
    return AttemptOpen(
        f"an attempt at {target} is open already",
        code="attempt_open",
        hint=f"It ends by itself; see it with: fraisier status {target.fraise} {target.environment}",
    )


# --- closing ---------------------------------------------------------------------------------


def close_attempt(connection: sqlite3.Connection, attempt: Attempt, closing: Closing) -> None:
    """The order matters: a back-off that is asked for comes after what would end it, a removal after all."""
    if closing.proven:
        write(connection, _proven(attempt, closing.proven, closing.committed_at))
    _write_closed(connection, attempt, closing)
    if closing.back_off:
        write(connection, _backed_off(attempt, closing.back_off, closing.at))
    if closing.removed:
        write(connection, Entry("removed", attempt.target, closing.at, attempt, message=closing.message))
        forget_status(connection, attempt.target)


def _write_closed(connection: sqlite3.Connection, attempt: Attempt, closing: Closing) -> None:
    data = {"outcome": closing.outcome, "error_code": closing.error_code, "retried": closing.retried}
    entry = Entry("attempt_closed", attempt.target, closing.at, attempt, message=closing.message, data=data)
    try:
        write(connection, entry)
    except sqlite3.IntegrityError as error:
        if "append-only" not in str(error):
            raise
        raise StoreError(
            f"attempt {attempt.number} at {attempt.target} ({short(attempt.id)}) is closed already",
            code="attempt_closed",
        ) from error


def _proven(attempt: Attempt, proven: HealthyRevision, committed_at: datetime | None) -> Entry:
    data = {
        "ref": proven.ref,
        "sha": proven.sha,
        "build_digest": proven.build_digest,
        "runtime_digest": proven.runtime_digest,
        "release": proven.release,
        "at": moment(proven.at),
        "is_chosen": proven.is_chosen,
        "committed_at": optional_moment(committed_at),
    }
    return Entry(
        "proven_healthy", attempt.target, proven.at, attempt, message=f"{short(proven.sha)} is healthy", data=data
    )


def _backed_off(attempt: Attempt, back_off: BackOff, at: datetime) -> Entry:
    data = {
        "sha": back_off.sha,
        "config_digest": back_off.config_digest,
        "failures": back_off.failures,
        "until": moment(back_off.until),
    }
    return Entry("backed_off", attempt.target, at, attempt, message=back_off.message, data=data)


# --- reading back ----------------------------------------------------------------------------

_OPEN = """
SELECT a.pk_deployment_attempt, a.id, d.id AS deployment_id, a.identifier, a.number, a.started_at, a.deadline_at
FROM tv_open_attempts o
JOIN tb_deployment_attempts a ON a.pk_deployment_attempt = o.fk_deployment_attempt
JOIN tb_deployments d ON d.pk_deployment = a.fk_deployment
ORDER BY a.pk_deployment_attempt"""


def open_attempts(connection: sqlite3.Connection) -> list[Attempt]:
    return [
        Attempt(
            pk=row["pk_deployment_attempt"],
            id=row["id"],
            deployment_id=row["deployment_id"],
            target=TargetId.parse(row["identifier"]),
            number=row["number"],
            started_at=parse_moment(row["started_at"]),
            deadline_at=parse_moment(row["deadline_at"]),
        )
        for row in connection.execute(_OPEN)
    ]
