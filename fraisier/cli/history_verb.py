"""`fraisier history`."""

from __future__ import annotations

import json

import click

from .options import Options, pass_options

_STYLES = {"converged": "good", "running": "busy", "superseded": "warn", "interrupted": "warn"}


@click.command()
@click.argument("fraise", required=False)
@click.argument("environment", required=False)
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@pass_options
def history(options: Options, fraise: str | None, environment: str | None, limit: int, as_json: bool) -> None:
    """Deployments, newest first: what was wished, by whom, and how it ended."""
    from rich.markup import escape

    from ..model.names import short
    from .console import console, print_rows
    from .memory import remember
    from .selection import select
    from .words import age, parse_moment, span

    assembly, known = remember(options)
    identifiers = None
    if fraise is not None:
        identifiers = [str(id) for id in select(known, fraise, environment)]
    rows = assembly.store.history_rows(identifiers, limit=limit)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    out, now = console(options), assembly.host.clock.now()
    if not rows:
        out.print("Nothing was deployed yet.")
        return
    cells = []
    for row in rows:
        ended = row["finished_at"]
        took = (parse_moment(ended) - parse_moment(row["started_at"])).total_seconds() if ended else None
        cells.append(
            (
                age(row["started_at"], now),
                f"[name]{escape(row['identifier'])}[/]",
                str(row.get("action", "")).replace("_", " "),
                f"[sha]{short(row['from_revision'])}[/]",
                f"[sha]{short(row['to_revision'])}[/]",
                f"[{_STYLES.get(row['status'], 'bad')}]{row['status'].replace('_', ' ')}[/]",
                span(took) if took is not None else "",
                str(row["attempts"]),
                _trigger(row["trigger"], row["requested_by"]),
            )
        )
    headings = ("STARTED", "TARGET", "ACTION", "FROM", "TO", "OUTCOME", "TOOK", "TRIES", "TRIGGER")
    messages = [escape((row.get("message") or "").partition("\n")[0]) for row in rows]
    print_rows(out, headings, cells, messages, note="MESSAGE")


def _trigger(trigger: str, requested_by: str) -> str:
    return requested_by if trigger == "request" else trigger
