"""`fraisier explain`: everything known about one target, in the order a person asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from .options import Options, pass_options

if TYPE_CHECKING:
    from rich.console import Console

    from ..daemon.assembly import Assembly
    from ..reconcile.look import Look


@click.command()
@click.argument("fraise")
@click.argument("environment", required=False)
@click.option("--offline", is_flag=True, help="Ask no remote; go by the head last seen.")
@click.option("--json", "as_json", is_flag=True)
@pass_options
def explain(options: Options, fraise: str, environment: str | None, offline: bool, as_json: bool) -> None:
    """Why a target is as it is: desired, observed, recorded, what follows, and the last attempts."""
    from ..daemon.assembly import assemble
    from ..model.state import Unknown
    from ..reconcile.desire import Heads
    from ..reconcile.look import Eyes, ask_remotes
    from .console import console
    from .selection import select_usable

    assembly = assemble(config=options.config, state=options.state, mode="read")
    target = select_usable(assembly, fraise, environment)
    now = assembly.host.clock.now()
    heads = (
        Heads(Unknown("offline", "not asked (--offline)", now), now)
        if offline
        else ask_remotes(assembly.host, [target])[target.remote]
    )
    look = Eyes(assembly.host, assembly.store, assembly.config).look(target, heads)
    document = _document(assembly, look)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        _print(console(options), document)


def _document(assembly: Assembly, look: Look) -> dict[str, Any]:
    from ..model.state import Head, Layout, ServiceState
    from ..planning.document import action_document, stamp

    head, layout, service, recorded = look.desired.head, look.observed.layout, look.observed.service, look.recorded
    known = layout if isinstance(layout, Layout) else None
    return {
        "identifier": str(look.target.id),
        "declared_at": look.target.declared_at,
        "desired": {
            "branch": look.target.branch,
            "sha": head.sha if isinstance(head, Head) else None,
            "seen_at": stamp(head.seen_at) if isinstance(head, Head) else None,
            "problem": None if isinstance(head, Head) and head.stale is None else str(getattr(head, "message", "")),
            "lineage": look.desired.lineage,
            "commits": look.desired.commits,
        },
        "observed": {
            "current": known.current if known else None,
            "releases": sorted(known.releases) if known else None,
            "started_with": known.stamp.release if known and known.stamp else None,
            "service": service.run if isinstance(service, ServiceState) else service.message,
            "pid": service.pid if isinstance(service, ServiceState) else None,
            "message": service.message if isinstance(service, ServiceState) else "",
            "problem": None if isinstance(layout, Layout) else layout.message,
        },
        "recorded": {
            "healthy": [{"sha": proven.sha, "at": stamp(proven.at)} for proven in recorded.healthy],
            "attempted": recorded.attempted,
            "quarantine": [
                {"sha": entry.sha, "fault": entry.fault, "since": stamp(entry.at), "message": entry.message}
                for entry in recorded.quarantines
            ],
            "back_off": None
            if recorded.back_off is None
            else {
                "failures": recorded.back_off.failures,
                "until": stamp(recorded.back_off.until),
                "message": recorded.back_off.message,
            },
        },
        "plan": action_document(look.action),
        "last": [dict(row) for row in assembly.store.history_rows([str(look.target.id)], limit=3)],
    }


def _print(out: Console, document: dict[str, Any]) -> None:
    from rich.markup import escape

    plan = document["plan"]
    out.print(f"[name]{escape(document['identifier'])}[/]  [quiet]{escape(document['declared_at'])}[/]")
    for part in ("desired", "observed", "recorded"):
        out.print(f"[quiet]{part}[/]")
        for key, value in document[part].items():
            for number, line in enumerate(_lines(value)):
                out.print(f"  {key if number == 0 else '':<13}{escape(line)}")
    out.print("[quiet]what follows[/]")
    out.print(f"  {'action':<13}{plan['action'].replace('_', ' ')}")
    for label, key in (("because", "reasons"), ("held by", "held_by"), ("unknown", "incomplete")):
        for reason in plan[key]:
            out.print(f"  {label:<13}{escape(reason['message'])}")
            if "to_go_on" in reason:
                out.print(f"  {'to go on':<13}{escape(reason['to_go_on'])}")
    for step in plan["steps"]:
        out.print(f"  {'step':<13}{escape(step['summary'])}  [quiet]{escape(step['undo'])}[/]")
    out.print("[quiet]last deployments[/]")
    for row in document["last"]:
        message = (row.get("message") or "").splitlines()
        out.print(f"  {row['started_at'][:19]}  {row['status']:<12} {escape(message[0] if message else '')}")


def _lines(value: object) -> list[str]:
    if value in (None, "", []):
        return ["-"]
    if isinstance(value, list):
        return [_inline(item) for item in value]
    return [_inline(value)]


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(str(item).splitlines()[0] for item in value.values() if item)
    return str(value)
