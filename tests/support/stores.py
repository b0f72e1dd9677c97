"""Values that fill a store, so that a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fraisier.model.names import Scope, TargetId
from fraisier.model.records import Attempt, Closing, Request, Status, Wish
from fraisier.model.selection import Exact
from fraisier.model.state import (
    BackOff,
    Emergency,
    HealthyRevision,
    InventoryEntry,
    OpenGate,
    Override,
    Quarantine,
    Suspension,
)
from fraisier.store import SqliteStore

T0 = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
API = TargetId("my_api", "production")
OTHER = TargetId("my_api", "staging")
A, B, C = "a" * 40, "b" * 40, "c" * 40


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def wish(target: TargetId = API, sha: str | None = A, **changes: Any) -> Wish:
    values: dict[str, Any] = {
        "id": target,
        "action": "deploy",
        "ref": "main",
        "from_revision": None,
        "to_revision": sha,
        "config_digest": "c1",
        "trigger": "poll",
        "requested_by": "daemon",
    }
    values |= changes
    return Wish(**{"plan": {"steps": [], "reasons": [_why(values["action"])]}, **values})


def _why(action: str) -> dict[str, str]:
    """A repair is of drift, unless a test says otherwise."""
    if action != "repair":
        return {"code": "head_moved", "message": "branch main moved"}
    found = {"field": "service", "desired": "running", "observed": "failed"}
    return {"code": "drift_service", "message": "drift: desired running, observed failed", **found}


def healthy(sha: str = A, seconds: float = 0, **changes: Any) -> HealthyRevision:
    values: dict[str, Any] = {
        "ref": "main",
        "sha": sha,
        "build_digest": "b1",
        "runtime_digest": "r1",
        "at": at(seconds),
        "release": sha[:12],
    }
    return HealthyRevision(**values | changes)


def closing(outcome: Any = "converged", seconds: float = 1, **changes: Any) -> Closing:
    return Closing(outcome=outcome, message=changes.pop("message", ""), at=at(seconds), **changes)


def quarantine(sha: str | None = A, seconds: float = 0, **changes: Any) -> Quarantine:
    values: dict[str, Any] = {
        "sha": sha,
        "config_digest": "c1",
        "fault": "revision",
        "message": "exit 3",
        "at": at(seconds),
    }
    return Quarantine(**values | changes)


def back_off(sha: str = A, failures: int = 1) -> BackOff:
    return BackOff(sha, "c1", failures, at(60), "remote unreachable")


def gate(seconds: float = 120) -> OpenGate:
    return OpenGate("r", "r1", at(seconds))


def status(target: TargetId = API, **changes: Any) -> Status:
    values: dict[str, Any] = {
        "id": target,
        "type": "api",
        "ref": "main",
        "desired": A,
        "sync": "in_sync",
        "health": "healthy",
        "reason_code": "in_sync",
        "reason_message": "nothing to do",
    }
    return Status(**values | changes)


def request(name: str = "r1", target: TargetId = API, **changes: Any) -> Request:
    values: dict[str, Any] = {
        "id": name,
        "kind": "deploy",
        "scope": Scope.of(target),
        "requested_by": "ada",
        "requested_at": T0,
    }
    return Request(**values | changes)


def suspension(scope: str = str(API), seconds: float = 0, **changes: Any) -> Suspension:
    values: dict[str, Any] = {"scope": Scope.parse(scope), "reason": "freeze", "by": "ada", "at": at(seconds)}
    return Suspension(**values | changes)


def pin(sha: str = A, seconds: float = 0, **changes: Any) -> Override:
    values: dict[str, Any] = {
        "kind": "pin",
        "selection": Exact(sha),
        "by": "ada",
        "at": at(seconds),
        "reason": "until the fix",
    }
    return Override(**values | changes)


def emergency(sha: str = A, seconds: float = 0) -> Emergency:
    return Emergency(sha, "the site is down", "ada", at(seconds))


def entry(target: TargetId = API, seconds: float = 0, **changes: Any) -> InventoryEntry:
    values: dict[str, Any] = {
        "id": target,
        "type": "api",
        "app_path": "/srv/api",
        "unit": "api.service",
        "runtime_digest": "r1",
        "depends_on": (),
        "at": at(seconds),
    }
    return InventoryEntry(**values | changes)


def open_attempt(
    store: SqliteStore, target: TargetId = API, sha: str | None = A, seconds: float = 0, **changes: Any
) -> Attempt:
    return store.open_attempt(wish(target, sha, **changes), at=at(seconds), deadline_at=at(seconds + 600))


def deploy(store: SqliteStore, sha: str = A, seconds: float = 0, target: TargetId = API) -> Attempt:
    """A deployment that converges after ten seconds."""
    attempt = open_attempt(store, target, sha, seconds)
    store.close_attempt(attempt, closing(seconds=seconds + 10, proven=healthy(sha, seconds + 10)))
    return attempt


def repair(store: SqliteStore, seconds: float = 0, target: TargetId = API) -> Attempt:
    """A repair that converges after one second."""
    attempt = open_attempt(store, target, A, seconds, action="repair")
    store.close_attempt(attempt, closing(seconds=seconds + 1, proven=healthy(A, seconds + 1)))
    return attempt


def stop(store: SqliteStore, seconds: float = 0, outcome: str = "converged", target: TargetId = API) -> Attempt:
    """An attempt whose last step stops the service, one second after it began."""
    attempt = open_attempt(store, target, A, seconds, action="roll_back")
    store.step_started(attempt, 1, "stop", "stop api.service", at(seconds))
    store.step_finished(attempt, 1, "stop", at(seconds + 1))
    store.close_attempt(attempt, closing(outcome, seconds + 1))
    return attempt


def remove(store: SqliteStore, seconds: float = 0, target: TargetId = API, **changes: Any) -> Attempt:
    """A removal that leaves nothing of the target."""
    attempt = open_attempt(store, target, None, seconds, action="remove")
    store.close_attempt(attempt, closing(seconds=seconds + 1, removed=True, **changes))
    return attempt
