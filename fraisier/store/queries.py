"""What is shown to people: the views of `state/sqlite/`, and the journal as it grows."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime
from typing import Any, get_args

from ..model.records import ARRANGED, Event, EventKind
from .history import deployment_pk
from .values import from_json, moment, parse_moment
from .views import Rows, data, names

_KINDS = {kind: kind for kind in get_args(EventKind)}


_ALL = "SELECT data FROM {view} ORDER BY identifier"
_SOME = "SELECT data FROM {view} WHERE identifier IN (SELECT value FROM json_each(?)) ORDER BY identifier"


def _of_view(connection: sqlite3.Connection, view: str, identifiers: Collection[str] | None) -> Rows:
    if identifiers is None:
        return data(connection.execute(_ALL.format(view=view)))
    return data(connection.execute(_SOME.format(view=view), (names(identifiers),)))


def status_rows(connection: sqlite3.Connection, identifiers: Collection[str] | None) -> Rows:
    return _of_view(connection, "v_fraise_status", identifiers)


def quarantine_rows(connection: sqlite3.Connection, identifiers: Collection[str] | None) -> Rows:
    return _of_view(connection, "v_quarantine", identifiers)


# --- the journal -----------------------------------------------------------------------------

_EVENT = """
SELECT e.pk_deployment_event, e.kind, e.identifier, e.at, a.id AS attempt_id, d.id AS deployment_id, e.step,
    e.position, e.message, e.data
FROM tb_deployment_events e
LEFT JOIN tb_deployment_attempts a ON a.pk_deployment_attempt = e.fk_deployment_attempt
LEFT JOIN tb_deployments d ON d.pk_deployment = e.fk_deployment
"""
EVENTS_OF_ALL = _EVENT + "WHERE e.pk_deployment_event > ? ORDER BY e.pk_deployment_event LIMIT ?"
EVENTS_OF_ONE = _EVENT + "WHERE e.pk_deployment_event > ? AND e.identifier = ? ORDER BY e.pk_deployment_event LIMIT ?"


def events_after(connection: sqlite3.Connection, pk: int, identifier: str | None, limit: int) -> list[Event]:
    """In the order they were committed, so that asking again with the last `pk` misses none."""
    if identifier is None:
        return [_event(row) for row in connection.execute(EVENTS_OF_ALL, (pk, limit))]
    return [_event(row) for row in connection.execute(EVENTS_OF_ONE, (pk, identifier, limit))]


_ARRANGED = (
    _EVENT
    + f"WHERE e.kind IN ({', '.join(repr(kind) for kind in ARRANGED)}) AND e.at >= ? AND e.at <= ?"
    + " ORDER BY e.at DESC, e.pk_deployment_event DESC"
)
"""The list of kinds is the one of the index `tb_deployment_events_arranged`, which is used for that."""


def arranged(connection: sqlite3.Connection, since: datetime | None, until: datetime | None) -> list[Event]:
    bounds = (moment(since) if since else "", moment(until) if until else "~")
    return [_event(row) for row in connection.execute(_ARRANGED, bounds)]


def _event(row: sqlite3.Row) -> Event:
    return Event(
        pk=row["pk_deployment_event"],
        kind=_KINDS[row["kind"]],
        identifier=row["identifier"],
        at=parse_moment(row["at"]),
        attempt_id=row["attempt_id"],
        deployment_id=row["deployment_id"],
        step=row["step"],
        position=row["position"],
        message=row["message"],
        data=from_json(row["data"]),
    )


def last_event_pk(connection: sqlite3.Connection) -> int:
    pk: int = connection.execute("SELECT ifnull(max(pk_deployment_event), 0) FROM tb_deployment_events").fetchone()[0]
    return pk


# --- one deployment --------------------------------------------------------------------------

_ATTEMPTS = """
SELECT a.pk_deployment_attempt, a.id, a.number, a."trigger", a.requested_by, a.started_at, a.deadline_at,
    e.at AS finished_at, e.message, e.data
FROM tb_deployment_attempts a
LEFT JOIN tb_deployment_events e
    ON e.fk_deployment_attempt = a.pk_deployment_attempt AND e.kind = 'attempt_closed'
WHERE a.fk_deployment = ? ORDER BY a.number"""

_STEPS = """
SELECT kind, step, position, at, message FROM tb_deployment_events
WHERE fk_deployment_attempt = ? AND kind IN ('step_started', 'step_finished', 'step_failed')
ORDER BY pk_deployment_event"""


def attempts_of(connection: sqlite3.Connection, deployment_id: str) -> Rows:
    """Each attempt, oldest first, with its steps as far as they went."""
    pk = deployment_pk(connection, deployment_id)
    return [
        _attempt(row, connection.execute(_STEPS, (row["pk_deployment_attempt"],)).fetchall())
        for row in connection.execute(_ATTEMPTS, (pk,)).fetchall()
    ]


def _attempt(row: sqlite3.Row, events: list[sqlite3.Row]) -> dict[str, Any]:
    end = from_json(row["data"]) if row["data"] else {}
    return {
        "id": row["id"],
        "number": row["number"],
        "trigger": row["trigger"],
        "requested_by": row["requested_by"],
        "status": end.get("outcome", "running"),
        "outcome": end.get("outcome"),
        "error_code": end.get("error_code", ""),
        "message": row["message"] or "",
        "retried": bool(end.get("retried")),
        "started_at": row["started_at"],
        "deadline_at": row["deadline_at"],
        "finished_at": row["finished_at"],
        "steps": _steps(events),
    }


def _steps(events: list[sqlite3.Row]) -> list[dict[str, Any]]:
    steps: dict[int, dict[str, Any]] = {}
    for event in events:
        if event["kind"] == "step_started":
            steps[event["position"]] = {
                "position": event["position"],
                "kind": event["step"],
                "summary": event["message"],
                "status": "running",
                "started_at": event["at"],
                "finished_at": None,
                "message": "",
            }
        elif step := steps.get(event["position"]):
            step["status"] = event["kind"].removeprefix("step_")
            step["finished_at"] = event["at"]
            step["message"] = event["message"]
    return list(steps.values())
