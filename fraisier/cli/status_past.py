"""`fraisier status --at`: what was live at a moment, from the log alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from ..daemon.assembly import Assembly
from ..model.names import TargetId, short
from .console import print_rows
from .past_names import named_now_or_ever
from .words import age, clock, past_moment

Row = Mapping[str, Any]


def print_past(
    out: Console,
    assembly: Assembly,
    known: Collection[TargetId],
    named: tuple[str | None, str | None],
    at: str,
    *,
    as_json: bool,
) -> None:
    """Raises `click.UsageError` for a time that is none or is still to come."""
    now = assembly.host.clock.now()
    moment = past_moment(at, "--at", now)
    if moment > now:
        raise click.UsageError(f"--at: {clock(moment, now)} is still to come; what is planned: fraisier plan")
    identifiers = named_now_or_ever(assembly, known, *named)
    rows = assembly.store.status_at(moment, identifiers)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    shown = [row for row in rows if identifiers is not None or _has_something(row, known)]
    out.print(f"{moment.astimezone():%Y-%m-%d %H:%M:%S %z} ({age(moment, now)})", style="quiet")
    if not shown:
        out.print(_why_nothing(assembly, moment, now, named))
        return
    _print_table(out, shown, moment)


def _has_something(row: Row, known: Collection[TargetId]) -> bool:
    """What was gone by then, and is not configured now, says nothing."""
    is_known = TargetId.parse(row["identifier"]) in known
    return is_known or any(row[key] for key in ("revision", "deployment", "suspended", "quarantined"))


def _why_nothing(assembly: Assembly, moment: datetime, now: datetime, named: tuple[str | None, str | None]) -> str:
    first = next(iter(assembly.store.events_after(0, limit=1)), None)
    if first is None:
        return "Nothing was recorded yet."
    if moment < first.at:
        return f"Nothing was recorded by then: the record begins {clock(first.at, now)} ({age(first.at, now)})."
    what = "/".join(filter(None, named))
    return f"Nothing was known of {what} by then." if what else "Nothing was deployed by then."


def _print_table(out: Console, rows: Collection[Row], moment: datetime) -> None:
    cells = [
        (
            f"[name]{escape(row['identifier'])}[/]",
            f"[sha]{short(row['revision'])}[/]" if row["revision"] else "[warn]nothing[/]",
            escape(row["ref"] or ""),
            _since(row["live_since"], moment),
        )
        for row in rows
    ]
    notes = [escape("; ".join(_notes(row, moment))) for row in rows]
    print_rows(out, ("TARGET", "LIVE", "REF", "SINCE"), cells, notes, note="BESIDES", spare=("REF",))


def _since(live_since: str | None, moment: datetime) -> str:
    if live_since is None:
        return ""
    before = age(live_since, moment).removesuffix(" ago")
    return f"{clock(live_since, moment)} ({'just then' if before == 'just now' else f'{before} before'})"


def _notes(row: Row, moment: datetime) -> list[str]:
    notes = []
    if row["deployment"]:
        deployment = row["deployment"]
        action, to = deployment["action"].replace("_", " "), short(deployment["to_revision"])
        notes.append(f"{action} to {to} was running since {clock(deployment['started_at'], moment)}")
    elif row["last_outcome"] not in (None, "converged"):
        notes.append(f"the last attempt had ended: {row['last_outcome'].replace('_', ' ')}")
    if row["suspended"]:
        suspended = row["suspended"]
        why = f": {suspended['reason']}" if suspended["reason"] else ""
        notes.append(f"suspended since {clock(suspended['since'], moment)} by {suspended['by']}{why}")
    if row["quarantined"]:
        notes.append("in quarantine: " + ", ".join(short(sha) for sha in row["quarantined"]))
    return notes
