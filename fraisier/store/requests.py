"""What people and clients asked for, and what became of it."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import get_args

from ..model.errors import StoreError
from ..model.names import Scope
from ..model.records import EventKind, Request, RequestKind, RequestState
from .ids import new_id
from .values import from_json, moment, parse_moment, to_json

_KINDS = {kind: kind for kind in get_args(RequestKind)}


def add(connection: sqlite3.Connection, request: Request) -> None:
    values = (
        request.id,
        str(request.scope),
        request.kind,
        request.requested_by,
        moment(request.requested_at),
        to_json(request.payload),
    )
    connection.execute(
        "INSERT INTO tb_requests (id, identifier, kind, requested_by, requested_at, payload) VALUES (?, ?, ?, ?, ?, ?)",
        values,
    )


def request_pk(connection: sqlite3.Connection, id: str) -> int:
    pk: int = _row(connection, id)["pk_request"]
    return pk


def take(connection: sqlite3.Connection, id: str, at: datetime) -> bool:
    """Inside one write transaction, so that of several callers one sees it pending."""
    row = _row(connection, id)
    if row["state"] != "pending":
        return False
    _write(connection, "request_taken", row, "", {}, at)
    return True


def answer(connection: sqlite3.Connection, id: str, state: RequestState, message: str, at: datetime) -> None:
    _write(connection, "request_answered", _row(connection, id), message, {"state": state}, at)


def state_of(connection: sqlite3.Connection, id: str) -> tuple[RequestState, str]:
    row = _row(connection, id)
    return row["state"], row["message"]


_IN_STATE = """
SELECT r.id, r.identifier, r.kind, r.requested_by, r.requested_at, r.payload
FROM tv_requests s JOIN tb_requests r ON r.pk_request = s.pk_request
WHERE s.state = ? AND s.state IN ('pending', 'taken') ORDER BY s.pk_request"""


def in_state(connection: sqlite3.Connection, state: RequestState) -> list[Request]:
    """The unanswered ones in `state`, oldest first.

    Rows that are no requests are passed over, so that they hold up nobody else's: the group may insert,
    and a newer program may know other kinds.
    """
    found = (_parsed(row) for row in connection.execute(_IN_STATE, (state,)))
    return [request for request in found if request is not None]


def _parsed(row: sqlite3.Row) -> Request | None:
    try:
        scope = Scope.parse(row["identifier"])
        requested_at = parse_moment(row["requested_at"])
        payload = from_json(row["payload"])
    except ValueError:
        return None
    if row["kind"] not in _KINDS or requested_at.tzinfo is None or not isinstance(payload, dict):
        return None
    return Request(row["id"], _KINDS[row["kind"]], scope, row["requested_by"], requested_at, payload)


def _row(connection: sqlite3.Connection, id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT pk_request, identifier, state, message FROM tv_requests WHERE id = ?", (id,)
    ).fetchone()
    if row is None:
        raise StoreError(f"there is no request {id}", code="unknown_request")
    return row


def _write(
    connection: sqlite3.Connection, kind: EventKind, row: sqlite3.Row, message: str, data: dict[str, str], at: datetime
) -> None:
    connection.execute(
        "INSERT INTO tb_deployment_events (id, identifier, kind, at, fk_request, message, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (new_id(), row["identifier"], kind, moment(at), row["pk_request"], message, to_json(data)),
    )
