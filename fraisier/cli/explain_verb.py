"""`fraisier explain`: everything known about one target, in the order a person asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from .options import Options, pass_options

if TYPE_CHECKING:  # this verb is imported for every `--help`: what it does is imported when it is done
    from ..daemon.assembly import Assembly
    from ..model.config import Target
    from ..model.state import ProbeResult
    from ..reconcile.look import Look


@click.command()
@click.argument("fraise")
@click.argument("environment", required=False)
@click.option("--offline", is_flag=True, help="Ask no remote; go by the head last seen.")
@click.option("--json", "as_json", is_flag=True)
@pass_options
def explain(options: Options, fraise: str, environment: str | None, offline: bool, as_json: bool) -> None:
    """Why a target is as it is: what runs, whether it is healthy, what is wanted, what follows, and how to go on.

    Looks at the machine now, and asks the service once whether it is healthy.
    """
    from ..daemon.assembly import assemble
    from .console import console
    from .explain_document import explain_document
    from .explain_text import print_explanation
    from .selection import select_usable

    assembly = assemble(config=options.config, state=options.state, mode="read")
    target = select_usable(assembly, fraise, environment)
    look = _look(assembly, target, offline=offline)
    history = assembly.store.history_rows([str(target.id)], limit=3)
    now = assembly.host.clock.now()
    document = explain_document(look, _probe(assembly, target), history, now)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        print_explanation(console(options), document, look.shown, now)


def _look(assembly: Assembly, target: Target, *, offline: bool) -> Look:
    from ..reconcile.look import look_at
    from .work import eyes_of

    return look_at(eyes_of(assembly), [target.id], offline=offline)[0]


def _probe(assembly: Assembly, target: Target) -> ProbeResult | None:
    """Not by a command: that runs as somebody, somewhere, and may leave something."""
    from ..model.config import CommandProbe
    from ..services.registry import service_type

    if isinstance(target.health.probe, CommandProbe):
        return None
    return service_type(target).probe(target, assembly.host)
