"""A page of history as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

from ..model.names import short
from .arranged_text import selection_text
from .console import print_rows
from .words import age, clock, parse_moment, span

Row = Mapping[str, Any]

_STYLES = {"converged": "good", "running": "busy", "superseded": "warn", "interrupted": "warn"}
_HEADINGS = ("STARTED", "TARGET", "ACTION", "FROM", "TO", "OUTCOME", "TOOK", "TRIES", "TRIGGER")


def print_history(out: Console, rows: Sequence[Row], now: datetime) -> None:
    cells = [_event_cells(row, now) if "event" in row else _cells(row, now) for row in rows]
    notes = [escape(_event_note(row, now) if "event" in row else _note(row)) for row in rows]
    print_rows(out, _HEADINGS, cells, notes, note="MESSAGE", spare=("TRIES", "TOOK", "TRIGGER", "FROM"))


def _cells(row: Row, now: datetime) -> tuple[str, ...]:
    return (
        age(row["started_at"], now),
        f"[name]{escape(row['identifier'])}[/]",
        row["action"].replace("_", " "),
        f"[sha]{short(row['from_revision'])}[/]",
        f"[sha]{short(row['to_revision'])}[/]",
        f"[{_STYLES.get(row['status'], 'bad')}]{row['status'].replace('_', ' ')}[/]",
        _took(row),
        str(row["attempts"]),
        escape(row["requested_by"] if row["trigger"] == "request" else row["trigger"]),
    )


def _took(row: Row) -> str:
    if row["finished_at"] is None:
        return ""
    return span((parse_moment(row["finished_at"]) - parse_moment(row["started_at"])).total_seconds())


def _note(row: Row) -> str:
    because = row.get("because") or [""]
    return str(row["message"] or because[0]).partition("\n")[0]  # what is still at work has no message yet


# --- what people arranged --------------------------------------------------------------------


def _event_cells(row: Row, now: datetime) -> tuple[str, ...]:
    data = row["data"]
    about = selection_text(data["selection"]) if "selection" in data else short(data["sha"]) if data.get("sha") else ""
    who = row["by"] or ""
    return (
        age(row["at"], now),
        f"[name]{escape(_scope(row['identifier']))}[/]",
        f"[warn]{_word(row)}[/]",
        "",
        f"[sha]{escape(about)}[/]",
        "",
        "",
        "",
        escape(who),
    )


def _scope(identifier: str) -> str:
    return "everything" if identifier == "*/*" else identifier


def _word(row: Row) -> str:
    if row["event"] == "pinned" and row["data"]["kind"] == "try":
        return "tried"
    return str(row["event"]).replace("_", " ")


def _event_note(row: Row, now: datetime) -> str:
    data, parts = row["data"], []
    if data.get("stop"):
        parts.append("and stopped")
    if data.get("until"):
        parts.append(f"until {clock(data['until'], now)}")
    if "hash" in data:
        parts.append(f"plan {data['hash']}")
    message = row["message"].partition("\n")[0]
    return f"{' '.join(parts)}: {message}" if parts and message else message or " ".join(parts)
