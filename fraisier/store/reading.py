"""The half of the store that only reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..model.names import TargetId
from ..model.plan import ActionKind
from ..model.records import Attempt, Event, HistoryFilter, Request, RequestState
from ..model.state import Head, InventoryEntry, Suspension
from . import arrangements, figures, history, inventory, journal, observations, queries, requests
from .past import Past
from .readers import Readers

Rows = Sequence[Mapping[str, Any]]


class Reading:
    """Never waits for a writer, and sees what is committed."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    # -- what is going on

    def open_attempts(self) -> Sequence[Attempt]:
        with self._readers.lend() as lent:
            return journal.open_attempts(lent.connection)

    def heads(self, remote: str) -> Mapping[str, Head]:
        with self._readers.lend() as lent:
            return observations.load_heads(lent.connection, remote)

    def suspensions(self) -> Sequence[Suspension]:
        """Oldest first."""
        with self._readers.lend() as lent:
            return arrangements.suspensions(lent.connection)

    def inventory(self) -> Sequence[InventoryEntry]:
        with self._readers.lend() as lent:
            return inventory.load(lent.connection)

    # -- requests

    def pending_requests(self) -> Sequence[Request]:
        """Oldest first."""
        with self._readers.lend() as lent:
            return requests.in_state(lent.connection, "pending")

    def taken_requests(self) -> Sequence[Request]:
        """Taken and never answered, oldest first: after a crash, what the next start has to see to."""
        with self._readers.lend() as lent:
            return requests.in_state(lent.connection, "taken")

    def request_state(self, request_id: str) -> tuple[RequestState, str]:
        """Raises `StoreError` `unknown_request`."""
        with self._readers.lend() as lent:
            return requests.state_of(lent.connection, request_id)

    # -- what is shown

    def status_rows(self, identifiers: Collection[str] | None = None) -> Rows:
        with self._readers.lend() as lent:
            return queries.status_rows(lent.connection, identifiers)

    def status_at(self, at: datetime, identifiers: Collection[str] | None = None) -> Rows:
        """By identifier; targets without a past by then have no row."""
        with self._readers.snapshot() as connection:
            return Past(connection, at).rows(identifiers)

    def history_rows(
        self,
        identifiers: Collection[str] | None = None,
        *,
        limit: int = 20,
        before: str | None = None,
        filter: HistoryFilter | None = None,
    ) -> Rows:
        """`before`: the `id` of the last row of the page before. Raises `StoreError` `unknown_deployment`."""
        with self._readers.snapshot() as connection:
            return history.history_rows(connection, identifiers, limit, before, filter or HistoryFilter())

    def stats_rows(self, identifiers: Collection[str] | None = None, window: str = "30d") -> Rows:
        """Raises `StoreError` `unknown_window`."""
        with self._readers.lend() as lent:
            return figures.stats_rows(lent.connection, identifiers, window)

    def quarantine_rows(self, identifiers: Collection[str] | None = None) -> Rows:
        """`data` of `v_quarantine`."""
        with self._readers.lend() as lent:
            return queries.quarantine_rows(lent.connection, identifiers)

    def typical_durations(self, identifiers: Collection[str]) -> Mapping[str, Mapping[ActionKind, float]]:
        with self._readers.lend() as lent:
            return figures.typical_durations(lent.connection, identifiers)

    def declared_when_healthy(self, target: TargetId) -> str | None:
        with self._readers.lend() as lent:
            return figures.declared_when_healthy(lent.connection, target)

    # -- the journal

    def arranged(self, since: datetime | None, until: datetime | None) -> Sequence[Event]:
        with self._readers.lend() as lent:
            return queries.arranged(lent.connection, since, until)

    def events_after(self, pk: int, *, identifier: str | None = None, limit: int = 500) -> Sequence[Event]:
        with self._readers.lend() as lent:
            return queries.events_after(lent.connection, pk, identifier, limit)

    def last_event_pk(self) -> int:
        with self._readers.lend() as lent:
            return queries.last_event_pk(lent.connection)

    def attempts_of(self, deployment_id: str) -> Rows:
        with self._readers.snapshot() as connection:
            return queries.attempts_of(connection, deployment_id)
