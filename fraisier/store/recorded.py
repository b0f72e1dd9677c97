"""What the planner is told of the past, from memory where nothing has happened since.

All of `Recorded` follows from the journal. So the journal is what invalidates the cache: when any
connection of any process has committed (`PRAGMA data_version`), the targets of the events that are
new are read again, and no others: one event about a scope is about every target that it covers. That
treats our own writes and those of another process alike, and a poll that only refreshes heads
invalidates nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..model.names import Scope, TargetId
from ..model.state import (
    Approval,
    BackOff,
    Emergency,
    HealthyRevision,
    OpenGate,
    Override,
    Quarantine,
    Recorded,
    Suspension,
)
from .arrangements import override_of, suspension_of
from .readers import Reader, Readers
from .values import parse_moment


class RecordedCache:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._lock = threading.Lock()
        self._known: dict[TargetId, Recorded] = {}
        self._as_of = 0
        """The last event that is taken into account."""

    def one(self, target: TargetId) -> Recorded:
        with self._readers.lend() as reader:
            self._refresh(reader)
            known = self._known.get(target)
            return known or self._load(reader, target)[target]

    def all(self) -> Mapping[TargetId, Recorded]:
        with self._readers.lend() as reader:
            return self._load(reader, None)

    def _refresh(self, reader: Reader) -> None:
        if not reader.moved():
            return
        with self._lock:
            if not self._known:  # nothing to forget, and no reason to read the whole journal for it
                self._as_of = max(self._as_of, _last_event(reader.connection))
            for pk, identifier in reader.connection.execute(_CHANGED, (self._as_of,)):
                self._forget(Scope.parse(identifier))
                self._as_of = max(self._as_of, pk)

    def _forget(self, scope: Scope) -> None:
        if scope.target is not None:
            self._known.pop(scope.target, None)
            return
        for target in [target for target in self._known if scope.covers(target)]:
            del self._known[target]

    def _load(self, reader: Reader, target: TargetId | None) -> dict[TargetId, Recorded]:
        connection = reader.connection
        connection.execute("BEGIN")
        try:
            as_of = _last_event(connection)
            found = load(connection, target)
        finally:
            connection.execute("COMMIT")
        with self._lock:
            # Another thread may have seen newer events while this one read; then this is old news.
            if as_of >= self._as_of:
                self._known.update(found)
        return found


_CHANGED = """
SELECT max(pk_deployment_event), identifier FROM tb_deployment_events
WHERE pk_deployment_event > ? GROUP BY identifier"""


def _last_event(connection: sqlite3.Connection) -> int:
    pk: int = connection.execute("SELECT ifnull(max(pk_deployment_event), 0) FROM tb_deployment_events").fetchone()[0]
    return pk


@dataclass(slots=True)
class _Draft:
    """A `Recorded` while its rows come in."""

    healthy: list[HealthyRevision] = field(default_factory=list)
    attempted: str | None = None
    quarantines: list[Quarantine] = field(default_factory=list)
    back_off: BackOff | None = None
    gate: OpenGate | None = None
    rewinds: set[str] = field(default_factory=set)
    forced: bool = False
    suspensions: tuple[Suspension, ...] = ()
    override: Override | None = None
    approval: Approval | None = None
    emergency: Emergency | None = None
    repairs: list[datetime] = field(default_factory=list)

    def finish(self) -> Recorded:
        return Recorded(
            healthy=tuple(self.healthy),
            attempted=self.attempted,
            quarantines=tuple(self.quarantines),
            back_off=self.back_off,
            gate=self.gate,
            rewinds=frozenset(self.rewinds),
            forced=self.forced,
            suspensions=self.suspensions,
            override=self.override,
            approval=self.approval,
            emergency=self.emergency,
            repairs=tuple(self.repairs),
        )


def _add_healthy(draft: _Draft, row: Any) -> None:
    at = parse_moment(row["at"])
    draft.healthy.append(
        HealthyRevision(
            row["ref"],
            row["sha"],
            row["build_digest"],
            row["runtime_digest"],
            at,
            row["release"],
            bool(row["is_chosen"]),
        )
    )


def _add_attempted(draft: _Draft, row: Any) -> None:
    draft.attempted = row["attempted"]


def _add_quarantine(draft: _Draft, row: Any) -> None:
    at = parse_moment(row["at"])
    draft.quarantines.append(Quarantine(row["sha"], row["config_digest"], row["fault"], row["message"], at))


def _add_back_off(draft: _Draft, row: Any) -> None:
    until = parse_moment(row["until"])
    draft.back_off = BackOff(row["sha"], row["config_digest"], row["failures"], until, row["message"])


def _add_gate(draft: _Draft, row: Any) -> None:
    draft.gate = OpenGate(row["release"], row["runtime_digest"], parse_moment(row["deadline_at"]))


def _add_rewind(draft: _Draft, row: Any) -> None:
    draft.rewinds.add(row["sha"])


def _add_forced(draft: _Draft, row: Any) -> None:
    draft.forced = row["at"] is not None


def _add_override(draft: _Draft, row: Any) -> None:
    draft.override = override_of(row)


def _add_approval(draft: _Draft, row: Any) -> None:
    draft.approval = Approval(row["hash"], row["approved_by"], parse_moment(row["at"]))


def _add_emergency(draft: _Draft, row: Any) -> None:
    draft.emergency = Emergency(row["sha"], row["reason"], row["allowed_by"], parse_moment(row["at"]))


def _add_repair(draft: _Draft, row: Any) -> None:
    draft.repairs.append(parse_moment(row["at"]))


_PARTS: tuple[tuple[str, str, Callable[[_Draft, Any], None]], ...] = (
    ("SELECT * FROM tv_targets", "", _add_attempted),
    ("SELECT * FROM tv_healthy", " ORDER BY fk_deployment_event DESC", _add_healthy),
    ("SELECT * FROM tv_quarantine", " ORDER BY fk_deployment_event DESC", _add_quarantine),
    ("SELECT * FROM tv_back_off", "", _add_back_off),
    ("SELECT * FROM tv_gates", "", _add_gate),
    ("SELECT * FROM tv_rewinds", "", _add_rewind),
    ("SELECT * FROM tv_forced", "", _add_forced),
    ("SELECT * FROM tv_overrides", "", _add_override),
    ("SELECT * FROM tv_approvals", "", _add_approval),
    ("SELECT * FROM tv_emergencies", "", _add_emergency),
    ("SELECT * FROM tv_repairs", " ORDER BY fk_deployment_event DESC", _add_repair),
)


def load(connection: sqlite3.Connection, target: TargetId | None) -> dict[TargetId, Recorded]:
    """One pass over the projections: of `target`, or of every target that has any.

    A suspension that covers more than one target gives no target a past.
    """
    drafts: dict[TargetId, _Draft] = {} if target is None else {target: _Draft()}
    for select, order, add in _PARTS:
        for row in _rows(connection, select, order, target):
            add(drafts.setdefault(TargetId.parse(row["identifier"]), _Draft()), row)
    suspended = {suspension.scope: suspension for suspension in _suspensions(connection, target)}
    for scope in suspended:
        if scope.target is not None:
            drafts.setdefault(scope.target, _Draft())
    for of, draft in drafts.items():
        draft.suspensions = tuple(suspended[scope] for scope in _scopes(of) if scope in suspended)
    return {of: draft.finish() for of, draft in drafts.items()}


def _rows(connection: sqlite3.Connection, select: str, order: str, target: TargetId | None) -> Iterable[Any]:
    if target is None:
        return connection.execute(select + order)
    return connection.execute(f"{select} WHERE identifier = ?{order}", (str(target),))


def _scopes(target: TargetId) -> tuple[Scope, ...]:
    """Those that cover it, narrowest first."""
    return Scope.of(target), Scope(target.fraise), Scope()


def _suspensions(connection: sqlite3.Connection, target: TargetId | None) -> Iterable[Suspension]:
    if target is None:
        rows = connection.execute("SELECT * FROM tv_suspensions")
    else:
        names = [str(scope) for scope in _scopes(target)]
        rows = connection.execute("SELECT * FROM tv_suspensions WHERE scope IN (?, ?, ?)", names)
    return map(suspension_of, rows)
