"""A page of history: deployments, and where asked for what people arranged in between."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..model.names import Scope, TargetId
from ..model.records import Event, HistoryFilter, Store
from .words import parse_moment

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Row]
    """Newest first: deployments, and events, which have a key `event`."""
    next_before: str | None
    """The last deployment of this page, where there are earlier ones."""


def read_page(
    store: Store,
    identifiers: Collection[str] | None,
    chosen: HistoryFilter,
    *,
    limit: int,
    before: str | None,
    events: bool,
) -> Page:
    """With `events`, all of those between the deployments of the page, however many; pages do not overlap."""
    rows = store.history_rows(identifiers, limit=limit + 1, before=before, filter=chosen)
    shown, more = rows[:limit], len(rows) > limit
    next_before = shown[-1]["id"] if more else None
    if not events:
        return Page(shown, next_before)
    oldest = parse_moment(shown[-1]["started_at"]) if more else None
    since = max((moment for moment in (chosen.since, oldest) if moment is not None), default=None)
    newest = parse_moment(store.attempts_of(before)[0]["started_at"]) if before is not None else None
    arranged = [
        event_row(event)
        for event in store.arranged(since, chosen.until)
        if _is_of(event, identifiers) and (newest is None or event.at < newest)
    ]
    return Page(sorted([*shown, *arranged], key=_moment, reverse=True), next_before)


def _is_of(event: Event, identifiers: Collection[str] | None) -> bool:
    """What was arranged for a wider scope was arranged for each target in it."""
    if identifiers is None or event.identifier in identifiers:
        return True
    scope = Scope.parse(event.identifier)
    return scope.target is None and any(scope.covers(TargetId.parse(name)) for name in identifiers)


def event_row(event: Event) -> Row:
    """An element of `history --events --json`."""
    return {
        "event": event.kind,
        "identifier": event.identifier,
        "at": event.at.isoformat().replace("+00:00", "Z"),
        "by": event.data.get("by"),
        "message": event.message,
        "data": dict(event.data),
        "deployment": event.deployment_id,
    }


def _moment(row: Row) -> datetime:
    return parse_moment(row["at"] if "event" in row else row["started_at"])
