"""Rows of status as people read them: all in a table, or one in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

from ..model.names import short
from .arranged_text import override_text, resume_command, suspension_text, unpin_command
from .console import print_rows
from .status_rows import has_left
from .words import age, clock, parse_moment

SYNC = {"in_sync": "good", "pending": "busy", "drifted": "warn", "held": "bad", "unknown": "warn", "left": "warn"}
HEALTH = {"healthy": "good", "degraded": "bad", "progressing": "busy", "stopped": "bad", "unknown": "warn"}

Row = Mapping[str, Any]

_ARRANGED = ("suspended", "pinned", "tried")
"""Reasons that the sentences of what people arranged tell better."""


def coloured(word: str, styles: Mapping[str, str]) -> str:
    return f"[{styles.get(word, 'quiet')}]{word.replace('_', ' ')}[/]"


def sync_word(row: Row) -> str:
    if has_left(row):
        return "left"
    return "pending" if row["operation"] == "running" else str(row["sync"])


def because(row: Row, now: datetime) -> str:
    """Why it is not simply in sync, in one line; empty where it is."""
    said = [suspension_text(row, now), override_text(row, now)]
    if row["sync"] != "in_sync" and not (row["reason"]["code"] in _ARRANGED and any(said)):
        others = len(row["held_by"]) - 1
        more = f" (and held by {others} more)" if others > 0 else ""
        said.insert(0, row["reason"]["message"].partition("\n")[0] + more)
    return " ".join("; ".join(filter(None, said)).split())


# --- all -------------------------------------------------------------------------------------


def print_table(out: Console, rows: Sequence[Row], now: datetime) -> None:
    cells = [
        (
            f"[name]{escape(row['identifier'])}[/]",
            coloured(sync_word(row), SYNC),
            coloured(row["health"], HEALTH),
            f"[sha]{short(row['running'] or row['healthy'])}[/]",
            f"[sha]{short(row['desired'])}[/]",
            age(row["last_converged_at"], now),
        )
        for row in rows
    ]
    headings = ("TARGET", "SYNC", "HEALTH", "RUNS", "DESIRED", "CONVERGED")
    notes = [escape(_with_a_way_out(row, now)) for row in rows]
    print_rows(out, headings, cells, notes, note="BECAUSE", spare=("CONVERGED", "DESIRED"))


def _with_a_way_out(row: Row, now: datetime) -> str:
    """What has left is nobody's business until somebody says so: the way on is not found elsewhere."""
    return because(row, now) + (f"; to go on: {row['to_go_on']}" if has_left(row) else "")


# --- one -------------------------------------------------------------------------------------

Line = tuple[str, str]


def print_one(out: Console, row: Row, now: datetime) -> None:
    out.print(f"[name]{escape(row['identifier'])}[/]  {row['type'] or ''}")
    for label, text in _lines(row, now):
        first, *rest = text.splitlines() or [""]
        out.print(f"  [quiet]{label:<10}[/] {first}")
        for line in rest:
            out.print(f"  {'':<10} {line}")


def _lines(row: Row, now: datetime) -> Iterator[Line]:
    """In markup."""
    yield "desired", f"{row['desired'] or 'unknown'}  {escape(row['ref'] or '')}"
    yield "attempted", row["attempted"] or "never"
    yield "healthy", row["healthy"] or "never"
    yield "runs", row["running"] or "unknown"
    since = f"  [quiet]since {clock(row['since'], now)} ({age(row['since'], now)})[/]" if row["since"] else ""
    yield "sync", coloured(sync_word(row), SYNC) + since
    yield "health", coloured(row["health"], HEALTH)
    yield "operation", row["operation"]
    yield from _reason(row)
    yield from _drift(row)
    yield from _arranged(row, now)
    yield from _holds(row, now)
    yield "converged", age(row["last_converged_at"], now)


def _reason(row: Row) -> Iterator[Line]:
    """Unless one of the lines below says the same."""
    code, message = row["reason"]["code"], row["reason"]["message"]
    said_below = {hold["message"] for hold in row["held_by"]}
    if message in said_below or (code in _ARRANGED and (row["suspended"] or row["override"])):
        return
    yield "because", escape(message)
    if row["to_go_on"]:
        yield "to go on", escape(row["to_go_on"])


def _drift(row: Row) -> Iterator[Line]:
    """Where there is more than one, those that nothing else speaks of."""
    said = [row["reason"]["message"], *(hold["message"] for hold in row["held_by"])]
    for drift in row["drift"]:
        differs = f"desired {drift['desired']}, observed {drift['observed']}"
        if not any(differs in each for each in said):
            yield "drift", escape(f"{drift['field']}: {differs}")


def _arranged(row: Row, now: datetime) -> Iterator[Line]:
    if row["suspended"]:
        yield "suspended", escape(suspension_text(row, now).removeprefix("suspended "))
        held = [hold for hold in row["held_by"] if hold["code"] == "suspended"]
        yield "to go on", escape(held[0]["to_go_on"] if held else resume_command(row["suspended"]))
    if row["override"]:
        word, _, rest = override_text(row, now).partition(" ")
        yield word, escape(rest)
        yield "to end it", escape(unpin_command(row["identifier"]))


def _holds(row: Row, now: datetime) -> Iterator[Line]:
    for hold in row["held_by"]:
        if hold["code"] == "suspended" and row["suspended"]:
            continue  # said already, in other words
        until = f" (until {clock(hold['until'], now)})" if _is_ahead(hold["until"], now) else ""
        yield "held by", escape(hold["message"]) + until
        yield "to go on", escape(hold["to_go_on"])


def _is_ahead(until: str | None, now: datetime) -> bool:
    return until is not None and parse_moment(until) > now
