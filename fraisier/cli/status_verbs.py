"""`fraisier list` and `fraisier status`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from .options import Options, pass_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from ..daemon.assembly import Assembly

_NOTHING = "No fraises are configured. Start with: fraisier init"


@click.command("list")
@click.option("--json", "as_json", is_flag=True)
@pass_options
def list_verb(options: Options, as_json: bool) -> None:
    """Targets, where they run, and how they are in one word.

    `left`: no longer in the configuration, and what was made for it is still on this server.
    """
    from ..daemon.assembly import assemble
    from .console import console, print_rows
    from .status_rows import listed
    from .status_text import SYNC, coloured

    assembly = assemble(config=options.config, state=options.state, mode="read")
    rows = listed(assembly)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    out = console(options)
    if not rows:
        out.print(_NOTHING)
        return
    cells = [
        (
            f"[name]{row['identifier']}[/]",
            row["type"],
            _selected(row),
            ", ".join(row["servers"]),
            coloured("left" if row["reason"] else row["sync"], SYNC),
        )
        for row in rows
    ]
    notes = [f"{row['reason']['message']}; to go on: {row['to_go_on']}" if row["reason"] else "" for row in rows]
    print_rows(out, ("TARGET", "TYPE", "FOLLOWS", "SERVER", "STATUS"), cells, notes, note="", spare=("TYPE", "SERVER"))


def _selected(row: Mapping[str, Any]) -> str:
    """`main`, `tag v1.*`, `commit 1a2b3c4`."""
    from rich.markup import escape

    words = {"tag": "tag ", "revision": "commit "}
    return words.get(row["selects"], "") + escape(row["selection"] or "")


@click.command()
@click.argument("fraise", required=False)
@click.argument("environment", required=False)
@click.option("--at", metavar="TIME", help="What was live then: 2026-11-30T09:00, 2026-11-30, 2h.")
@click.option("--json", "as_json", is_flag=True)
@pass_options
def status(options: Options, fraise: str | None, environment: str | None, at: str | None, as_json: bool) -> None:
    """What is desired, what runs, and how it does, as of the last look at the machine.

    It reads the store only; `fraisier plan` looks afresh. With --at, what was live at a moment in the
    past, from the log alone.
    """
    from .console import console
    from .memory import remember
    from .selection import select
    from .status_past import print_past
    from .status_rows import left, rows_of
    from .status_text import print_one, print_table

    assembly, known = remember(options)
    out = console(options)
    if at is not None:
        print_past(out, assembly, known, (fraise, environment), at, as_json=as_json)
        return
    named = select({*known, *left(assembly)}, fraise, environment)
    rows = rows_of(assembly, [str(id) for id in named])
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        out.print(_NOTHING)
        return
    _say_that_nobody_looks(out, assembly)
    now = assembly.host.clock.now()
    if fraise is not None and len(rows) == 1:
        print_one(out, rows[0], now)
    else:
        print_table(out, rows, now)


def _say_that_nobody_looks(out: Console, assembly: Assembly) -> None:
    from ..store import DaemonLock

    if DaemonLock(str(assembly.paths.store)).holder() is None:
        out.print("No daemon is running: this is what was seen last. `fraisier plan` looks now.", style="warn")
