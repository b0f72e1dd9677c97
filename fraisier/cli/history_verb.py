"""`fraisier history`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, get_args

import click

from ..model.plan import ACTION_KINDS, Outcome
from .options import Options, pass_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..daemon.assembly import Assembly
    from ..model.records import HistoryFilter

OUTCOMES = ("running", *get_args(Outcome))
ACTIONS = tuple(kind for kind in ACTION_KINDS if kind != "none")


@click.command()
@click.argument("fraise", required=False)
@click.argument("environment", required=False)
@click.option("--outcome", "outcomes", multiple=True, type=click.Choice(OUTCOMES), help="May be given several times.")
@click.option("--action", "actions", multiple=True, type=click.Choice(ACTIONS), help="May be given several times.")
@click.option("--since", metavar="TIME", help="Begun then or later: 2h, 09:00, 2026-11-30, 2026-11-30T09:00.")
@click.option("--until", metavar="TIME", help="Begun then or before; a date is its end.")
@click.option("--revision", metavar="SHA", help="Deployed this commit; the beginning of its SHA is enough.")
@click.option("--events", is_flag=True, help="And what people arranged in between: suspended, pinned, approved.")
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=20, show_default=True, help="Deployments.")
@click.option("--before", metavar="ID", help="The next page: those before this deployment.")
@click.option("--json", "as_json", is_flag=True)
@pass_options
def history(
    options: Options,
    fraise: str | None,
    environment: str | None,
    outcomes: tuple[str, ...],
    actions: tuple[str, ...],
    since: str | None,
    until: str | None,
    revision: str | None,
    events: bool,
    limit: int,
    before: str | None,
    as_json: bool,
) -> None:
    """Deployments, newest first: what was wished, by whom, and how it ended.

    Everything that is asked for must fit.
    """
    from ..model.records import HistoryFilter
    from .history_page import read_page
    from .memory import remember
    from .past_names import named_now_or_ever

    assembly, known = remember(options)
    now = assembly.host.clock.now()
    begin, end = _period(since, until, now)
    chosen = HistoryFilter(frozenset(outcomes), begin, end, _revision(revision), frozenset(actions))
    identifiers = named_now_or_ever(assembly, known, fraise, environment)
    page = read_page(assembly.store, identifiers, chosen, limit=limit, before=before, events=events)
    if as_json:
        click.echo(json.dumps(page.rows, indent=2))
    else:
        _print(options, assembly, page.rows, chosen if before is None else None)
    if page.next_before is not None and not as_json:
        click.echo(f"Earlier ones: the same with --before {page.next_before}", err=True)


def _print(
    options: Options, assembly: Assembly, rows: Sequence[Mapping[str, Any]], chosen: HistoryFilter | None
) -> None:
    from ..model.records import HistoryFilter
    from .console import console
    from .history_text import print_history

    out, now = console(options), assembly.host.clock.now()
    if rows:
        print_history(out, rows, now)
    elif chosen == HistoryFilter():
        out.print("Nothing was deployed yet.")
    else:
        out.print("No deployment fits.")


def _period(since: str | None, until: str | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    from .words import past_moment

    begin = past_moment(since, "--since", now) if since is not None else None
    end = past_moment(until, "--until", now, is_end=True) if until is not None else None
    if begin is not None and begin > now:
        raise click.UsageError(f"--since: {since} is still to come")
    if begin is not None and end is not None and begin > end:
        raise click.UsageError(f"--since {since} is after --until {until}")
    return begin, end


def _revision(text: str | None) -> str:
    if text is not None and not re.fullmatch(r"[0-9a-f]{1,64}", text.lower()):
        raise click.UsageError(f"--revision: {text!r} is not the beginning of a commit's SHA")
    return (text or "").lower()
