"""`fraisier list` and `fraisier status`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .options import Options, pass_options

if TYPE_CHECKING:
    from rich.console import Console

    from ..daemon.assembly import Assembly

_SYNC = {"in_sync": "good", "pending": "busy", "drifted": "warn", "held": "bad", "unknown": "warn"}
_HEALTH = {"healthy": "good", "degraded": "bad", "progressing": "busy", "stopped": "bad", "unknown": "warn"}


@click.command("list")
@click.option("--json", "as_json", is_flag=True)
@pass_options
def list_verb(options: Options, as_json: bool) -> None:
    """Targets, where they run, and how they are in one word."""
    from rich.table import Table

    from ..daemon.assembly import assemble
    from .console import console

    assembly = assemble(config=options.config, state=options.state, mode="read")
    rows = _listed(assembly)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="quiet")
    for heading in ("TARGET", "TYPE", "BRANCH", "SERVER", "STATUS"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(
            f"[name]{row['identifier']}[/]",
            row["type"],
            row["branch"] or "",
            ", ".join(row["servers"]),
            f"[{_SYNC.get(row['sync'], 'quiet')}]{row['sync'].replace('_', ' ')}[/]",
        )
    console(options).print(table if rows else "No fraises are configured. Start with: fraisier init")


def _listed(assembly: Assembly) -> list[dict[str, Any]]:
    known = {row["identifier"]: row for row in assembly.store.status_rows()}
    config = assembly.config
    rows = [
        {
            "identifier": str(target.id),
            "type": target.type,
            "branch": target.branch,
            "servers": [config.server.name],
            "sync": known.get(str(target.id), {}).get("sync", "unknown"),
        }
        for target in config.targets.values()
    ]
    rows += [
        {"identifier": str(id), "type": "", "branch": None, "servers": [config.server.name], "sync": "held"}
        for id in assembly.loaded.held
    ]
    rows += [
        {"identifier": str(id), "type": "", "branch": None, "servers": list(servers), "sync": "elsewhere"}
        for id, servers in config.elsewhere.items()
    ]
    return sorted(rows, key=lambda row: str(row["identifier"]))


@click.command()
@click.argument("fraise", required=False)
@click.argument("environment", required=False)
@click.option("--json", "as_json", is_flag=True)
@pass_options
def status(options: Options, fraise: str | None, environment: str | None, as_json: bool) -> None:
    """What is desired, what runs, and how it does, as of the last look at the machine.

    It reads the store only; `fraisier plan` looks afresh.
    """
    from ..store import DaemonLock
    from .console import console
    from .memory import remember
    from .selection import select

    assembly, known = remember(options)
    rows = _rows(assembly, [str(id) for id in select(known, fraise, environment)])
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    out = console(options)
    if DaemonLock(str(assembly.paths.store)).holder() is None and rows:
        out.print("No daemon is running: this is what was seen last. `fraisier plan` looks now.", style="warn")
    if fraise is not None and len(rows) == 1:
        _print_one(out, rows[0], assembly)
    else:
        _print_table(out, rows, assembly)


def _rows(assembly: Assembly, identifiers: list[str]) -> list[Mapping[str, Any]]:
    """The rows of the view; a target that no cycle has looked at yet says so in the same shape."""
    known = {row["identifier"]: row for row in assembly.store.status_rows(identifiers)}
    return [known.get(identifier) or _never_seen(assembly, identifier) for identifier in identifiers]


def _never_seen(assembly: Assembly, identifier: str) -> Mapping[str, Any]:
    from ..model.names import TargetId

    id = TargetId.parse(identifier)
    problems = assembly.loaded.held.get(id)
    code, message = ("config_invalid", str(problems[0])) if problems else ("never_seen", "not looked at yet")
    target = assembly.config.targets.get(id)
    return {
        "identifier": identifier,
        "fraise": id.fraise,
        "environment": id.environment,
        "type": target.type if target else None,
        "ref": target.branch if target else None,
        "desired": None,
        "attempted": None,
        "healthy": None,
        "sync": "held" if problems else "unknown",
        "health": "unknown",
        "operation": "idle",
        "reason": {"code": code, "message": message},
        "last_converged_at": None,
        "to_go_on": "fraisier validate" if problems else "fraisier apply, or start: fraisier daemon",
    }


def _print_table(out: Console, rows: list[Mapping[str, Any]], assembly: Assembly) -> None:
    from rich.markup import escape

    from ..model.names import short
    from .console import print_rows
    from .words import age

    if not rows:
        out.print("No fraises are configured. Start with: fraisier init")
        return
    now = assembly.host.clock.now()
    cells = [
        (
            f"[name]{escape(row['identifier'])}[/]",
            _coloured(_sync_word(row), _SYNC),
            _coloured(row["health"], _HEALTH),
            f"[sha]{short(row.get('running') or row['healthy'])}[/]",
            f"[sha]{short(row['desired'])}[/]",
            age(row["last_converged_at"], now),
        )
        for row in rows
    ]
    because = [escape(row["reason"]["message"].partition("\n")[0]) if row["sync"] != "in_sync" else "" for row in rows]
    print_rows(out, ("TARGET", "SYNC", "HEALTH", "RUNS", "DESIRED", "CONVERGED"), cells, because, note="BECAUSE")


def _sync_word(row: Mapping[str, Any]) -> str:
    return "pending" if row["operation"] == "running" else str(row["sync"])


def _coloured(word: str, styles: Mapping[str, str]) -> str:
    return f"[{styles.get(word, 'quiet')}]{word.replace('_', ' ')}[/]"


def _print_one(out: Console, row: Mapping[str, Any], assembly: Assembly) -> None:
    from rich.markup import escape

    from .words import age

    now = assembly.host.clock.now()
    lines = [
        ("desired", f"{row['desired'] or 'unknown'}  {row.get('ref') or ''}"),
        ("attempted", row["attempted"] or "never"),
        ("healthy", row["healthy"] or "never"),
        ("runs", row.get("running") or "unknown"),
        ("sync", _coloured(row["sync"], _SYNC)),
        ("health", _coloured(row["health"], _HEALTH)),
        ("operation", row["operation"]),
        ("because", escape(row["reason"]["message"])),
        ("to go on", escape(row.get("to_go_on") or "")),
        ("converged", age(row["last_converged_at"], now)),
    ]
    out.print(f"[name]{escape(row['identifier'])}[/]  {row['type'] or ''}")
    for label, text in lines:
        if text:
            first, *rest = str(text).splitlines()
            out.print(f"  [quiet]{label:<10}[/] {first}")
            for line in rest:
                out.print(f"  {'':<10} {line}")
