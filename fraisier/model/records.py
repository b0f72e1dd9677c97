"""What the store keeps: deployments, attempts, journal events, requests, and the answers of its views."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from .names import Scope, TargetId
from .plan import ActionKind, Drift, Health, Hold, Outcome, Sync, Trigger
from .selection import Pick, Selection
from .state import (
    Approval,
    BackOff,
    Emergency,
    Head,
    HealthyRevision,
    InventoryEntry,
    OpenGate,
    Override,
    Quarantine,
    Recorded,
    Suspension,
)

RequestKind = Literal["deploy", "rollback", "retry", "suspend", "resume", "pin", "unpin", "approve", "cancel", "remove"]
EventKind = Literal[
    "attempt_opened",
    "step_started",
    "step_finished",
    "step_failed",
    "note",
    "gate_opened",
    "proven_healthy",
    "quarantined",
    "lifted",
    "backed_off",
    "rewind_accepted",
    "forced",
    "suspended",
    "resumed",
    "pinned",
    "unpinned",
    "approved",
    "emergency",
    "inventoried",
    "removed",
    "attempt_closed",
    "request_taken",
    "request_answered",
]


ARRANGED: tuple[EventKind, ...] = (
    "suspended",
    "resumed",
    "pinned",
    "unpinned",
    "approved",
    "emergency",
    "lifted",
    "rewind_accepted",
    "quarantined",
    "removed",
)
"""What people, and faults, have arranged between deployments."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A deployment about to be attempted: the row of `tb_deployments`.

    An attempt joins the newest deployment of its target when that has the same action, revision
    and digest and ended in a way that is tried again (interrupted, or failed transiently).
    """

    id: TargetId
    action: ActionKind
    ref: str
    from_revision: str | None
    to_revision: str | None
    config_digest: str
    trigger: Trigger
    requested_by: str
    plan: Mapping[str, Any]
    """What was planned and, under `declared`, what the configuration said."""
    request_id: str | None = None
    inventory: InventoryEntry | None = None
    """What carrying it out makes, written where it differs from what the inventory says."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One open try at a deployment."""

    pk: int
    id: str
    deployment_id: str
    target: TargetId
    number: int
    started_at: datetime
    deadline_at: datetime


@dataclass(frozen=True, slots=True)
class Closing:
    """How an attempt ended, and everything that follows from it, written in one transaction."""

    outcome: Outcome
    message: str
    at: datetime
    error_code: str = ""
    retried: bool = False
    """True when the same wish is tried again by itself: a transient failure or an interruption."""
    proven: HealthyRevision | None = None
    back_off: BackOff | None = None
    committed_at: datetime | None = None
    """Of the revision that is proven: the beginning of its lead time."""
    removed: bool = False
    """Nothing that Fraisier made of the target is left."""


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the journal, `tb_deployment_events`."""

    pk: int
    kind: EventKind
    identifier: str
    at: datetime
    attempt_id: str | None
    deployment_id: str | None
    step: str | None
    position: int | None
    message: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What a person or client asked for: a row of `tb_requests`."""

    id: str
    kind: RequestKind
    scope: Scope
    requested_by: str
    requested_at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)


RequestState = Literal["pending", "taken", "done", "failed", "held", "refused"]


@dataclass(frozen=True, slots=True)
class Status:
    """The row of `tv_fraise_status` that a cycle leaves behind; the rest is projected from the journal."""

    id: TargetId
    type: str
    ref: str
    desired: str | None
    sync: Sync
    health: Health
    reason_code: str
    reason_message: str
    to_go_on: str = ""
    running: str | None = None
    """The SHA that is observed to run, where known."""
    held_by: tuple[Hold, ...] = ()
    drift: tuple[Drift, ...] = ()
    suspension: Suspension | None = None
    override: Override | None = None


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which deployments `history` shows: all that is given must fit."""

    outcomes: frozenset[str] = frozenset()
    """Outcomes, or `running`."""
    since: datetime | None = None
    until: datetime | None = None
    """Of the start."""
    revision: str = ""
    """The beginning of the SHA that was deployed."""
    actions: frozenset[str] = frozenset()


STATS_WINDOWS = ("24h", "7d", "30d", "90d", "all")


class Store(Protocol):
    """The database. Every method is safe from any thread; writes go through one writer thread.

    What is journalled is on disk when the call returns; `step_finished` and `note` are with the next
    write, before another step begins. Heads and statuses, which the next look finds out again, need
    not be. Raises `StoreError` only.
    """

    # -- what the planner needs
    def recorded(self, target: TargetId) -> Recorded: ...
    def recorded_all(self) -> Mapping[TargetId, Recorded]: ...

    # -- attempts and their journal
    def open_attempt(self, wish: Wish, *, at: datetime, deadline_at: datetime) -> Attempt:
        """Records the intent. Raises `AttemptOpen` when one is open for the target (law 7)."""
        ...

    def step_started(self, attempt: Attempt, position: int, kind: str, summary: str, at: datetime) -> None: ...
    def step_finished(self, attempt: Attempt, position: int, kind: str, at: datetime) -> None: ...
    def step_failed(self, attempt: Attempt, position: int, kind: str, message: str, at: datetime) -> None: ...
    def note(self, attempt: Attempt, message: str, at: datetime) -> None: ...
    def gate_opened(self, attempt: Attempt, gate: OpenGate, at: datetime) -> None: ...
    def close_attempt(self, attempt: Attempt, closing: Closing) -> None: ...
    def open_attempts(self) -> Sequence[Attempt]:
        """Those that a crash left open; the next start closes them as interrupted (law 8)."""
        ...

    # -- standing facts about a target
    def quarantine(self, target: TargetId, entry: Quarantine, attempt: Attempt | None = None) -> None: ...
    def lift(self, target: TargetId, by: str, at: datetime, *, sha: str | None = None) -> int:
        """Ends the quarantines (of `sha`, or all) and the back-off of a target; how many there were."""
        ...

    def accept_rewind(self, target: TargetId, sha: str, by: str, at: datetime) -> None: ...
    def force(self, target: TargetId, by: str, at: datetime) -> None:
        """The next plan runs all steps although nothing differs; ends with the next attempt that closes."""
        ...

    def suspend(self, suspension: Suspension) -> None:
        """Takes the place of an earlier one of the same scope."""
        ...

    def resume(self, scope: Scope, by: str, at: datetime) -> int:
        """Ends the suspensions of every scope within `scope`; how many there were. One that covers more
        than `scope` goes on: who resumes a target does not resume the server.
        """
        ...

    def suspensions(self) -> Sequence[Suspension]:
        """All that were not resumed, those that are over by their own `until` included."""
        ...

    def override(self, target: TargetId, override: Override) -> None:
        """A pin or a trial; takes the place of an earlier one."""
        ...

    def end_override(self, target: TargetId, by: str, at: datetime) -> bool:
        """False when there was none."""
        ...

    def approve(self, target: TargetId, approval: Approval) -> None: ...
    def allow_emergency(self, target: TargetId, emergency: Emergency) -> None:
        """Ends when its revision has been tried."""
        ...

    # -- heads last seen
    def save_heads(
        self, remote: str, heads: Mapping[Selection, Pick], asked: Collection[Selection], at: datetime
    ) -> None: ...
    def heads(self, remote: str) -> Mapping[str, Head]:
        """By the key of the selection; `stale` is set by the caller."""
        ...

    # -- status
    def save_status(self, statuses: Sequence[Status], at: datetime) -> None:
        """Writes those that differ from what is kept; costs nothing when none does."""
        ...

    # -- requests
    def add_request(self, request: Request) -> None: ...
    def pending_requests(self) -> Sequence[Request]: ...
    def taken_requests(self) -> Sequence[Request]:
        """Taken and never answered: what a process that crashed left behind."""
        ...

    def take_request(self, request_id: str, at: datetime) -> bool:
        """True for exactly one caller."""
        ...

    def answer_request(self, request_id: str, state: RequestState, message: str, at: datetime) -> None: ...
    def request_state(self, request_id: str) -> tuple[RequestState, str]: ...

    # -- reading
    def status_rows(self, identifiers: Collection[str] | None = None) -> Sequence[Mapping[str, Any]]:
        """`data` of `v_fraise_status`: the objects of `status --json`."""
        ...

    def status_at(self, at: datetime, identifiers: Collection[str] | None = None) -> Sequence[Mapping[str, Any]]:
        """What was live then, from the log alone: the objects of `status --at --json`."""
        ...

    def history_rows(
        self,
        identifiers: Collection[str] | None = None,
        *,
        limit: int = 20,
        before: str | None = None,
        filter: HistoryFilter | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """`data` of `v_deployment_history`, newest first: the objects of `history --json`."""
        ...

    def stats_rows(
        self, identifiers: Collection[str] | None = None, window: str = "30d"
    ) -> Sequence[Mapping[str, Any]]:
        """`data` of `v_deployment_stats` for one of `STATS_WINDOWS`: the objects of `stats --json`."""
        ...

    def quarantine_rows(self, identifiers: Collection[str] | None = None) -> Sequence[Mapping[str, Any]]:
        """`data` of `v_quarantine`."""
        ...

    def typical_durations(self, identifiers: Collection[str]) -> Mapping[str, Mapping[ActionKind, float]]:
        """By identifier and action, the median seconds of the last few that converged."""
        ...

    def declared_when_healthy(self, target: TargetId) -> str | None:
        """`declared` of the deployment that last proved the target healthy; None where there is none."""
        ...

    def inventory(self) -> Sequence[InventoryEntry]:
        """Everything made on this server and not removed since, by identifier."""
        ...

    def arranged(self, since: datetime | None, until: datetime | None) -> Sequence[Event]:
        """The events of `ARRANGED` of every scope in that time, newest first. Costs what it finds."""
        ...

    def events_after(self, pk: int, *, identifier: str | None = None, limit: int = 500) -> Sequence[Event]: ...
    def last_event_pk(self) -> int: ...
    def attempts_of(self, deployment_id: str) -> Sequence[Mapping[str, Any]]: ...
    def close(self) -> None: ...
