"""`fraisier stats`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..model.records import STATS_WINDOWS
from .options import Options, pass_options

if TYPE_CHECKING:
    from ..daemon.assembly import Assembly
    from ..model.names import TargetId

_HEADINGS = (
    "TARGET",
    "DEPLOYS",
    "PER DAY",
    "SUCCESS",
    "LEAD TIME",
    "AVERAGE",
    "LONGEST",
    "FAILURES",
    "RESTORE",
    "REPAIRS",
)
_SPARE = ("LONGEST", "AVERAGE", "REPAIRS")
"""DORA's four and what they are made of stay on a narrow terminal."""


@click.command()
@click.argument("fraise", required=False)
@click.argument("environment", required=False)
@click.option("--window", type=click.Choice(STATS_WINDOWS), default="30d", show_default=True, help="Back from now.")
@click.option("--json", "as_json", is_flag=True)
@pass_options
def stats(options: Options, fraise: str | None, environment: str | None, window: str, as_json: bool) -> None:
    """How often, how fast and how well is deployed, per target.

    \b
    DEPLOYS    deployments begun, of every kind: repairs and returns too
    PER DAY    changes that converged a day        (DORA: deployment frequency)
    SUCCESS    converged, of all that converged, failed or were rolled back
    LEAD TIME  from commit to healthy, on average  (DORA: lead time for changes)
    AVERAGE    time at work on a deployment that converged, on average
    LONGEST    and at most
    FAILURES   changes that failed or were rolled back, of all changes
                                                   (DORA: change failure rate)
    RESTORE    from a failure to the next success, on average
                                                   (DORA: time to restore)
    REPAIRS    drift that was repaired

    Changes bring new code or configuration. A deployment counts when it began; windows of days are whole
    days in UTC. A dash: not known yet.
    """  # noqa: D301 - click takes the character itself for "do not wrap"
    from .console import console, print_rows
    from .memory import remember
    from .past_names import named_now_or_ever
    from .status_rows import left

    assembly, known = remember(options)
    identifiers = named_now_or_ever(assembly, known, fraise, environment)
    rows = assembly.store.stats_rows(identifiers, window)
    if identifiers is None:
        rows = _worth_showing(rows, {*known, *left(assembly)})
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    out = console(options)
    if not rows:
        out.print(_why_nothing(assembly, window))
        return
    print_rows(out, _HEADINGS, [_cells(row) for row in rows], _notes(assembly, rows), note="", spare=_SPARE)


def _worth_showing(rows: Any, present: set[TargetId]) -> list[Mapping[str, Any]]:
    """What is not there any more and had no part in the window says nothing."""
    names = {str(id) for id in present}
    return [row for row in rows if row["identifier"] in names or row["deployments"]]


def _why_nothing(assembly: Assembly, window: str) -> str:
    if window == "all" or not assembly.store.stats_rows(window="all"):
        return "Nothing was deployed yet."
    return f"Nothing was deployed in the last {window}."


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    from rich.markup import escape

    return (
        f"[name]{escape(row['identifier'])}[/]",
        str(row["deployments"]),
        _number(row["deployments_per_day"]),
        _percent(row["success_rate"]),
        _span(row["average_lead_time_s"]),
        _span(row["average_duration_s"]),
        _span(row["longest_duration_s"]),
        _percent(row["change_failure_rate"]),
        _span(row["average_time_to_restore_s"]),
        str(row["repairs"]),
    )


def _notes(assembly: Assembly, rows: Any) -> list[str]:
    from .words import age, clock

    now = assembly.host.clock.now()
    return [
        f"failing since {clock(row['failing_since'], now)} ({age(row['failing_since'], now)})"
        if row["failing_since"]
        else ""
        for row in rows
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value >= 0.1 or value == 0 else f"{value:.2f}"


def _percent(value: float | None) -> str:
    """Not rounded up to all, nor down to none."""
    if value is None:
        return "-"
    rounded = round(value * 100)
    if rounded in (0, 100) and value not in (0, 1):
        return "> 99 %" if rounded else "< 1 %"
    return f"{rounded} %"


def _span(seconds: float | None) -> str:
    from .words import span

    return "-" if seconds is None else span(seconds)
