"""`fraisier diff`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from .options import Options, pass_options

if TYPE_CHECKING:  # this verb is imported for every `--help`: what it does is imported when it is done
    from ..daemon.assembly import Assembly
    from ..model.names import TargetId


@click.command()
@click.argument("fraise", required=False)
@click.argument("environment", required=False)
@click.option("--offline", is_flag=True, help="Ask no remote and fetch nothing; go by what was seen last.")
@click.option("--json", "as_json", is_flag=True)
@pass_options
def diff(options: Options, fraise: str | None, environment: str | None, offline: bool, as_json: bool) -> None:
    """Show what is behind a plan: commits, configuration, unit files, files that were changed. Changes nothing.

    Of every target that has something to do, or of those that are named. Exits 1 when nothing could be
    compared.
    """
    from ..daemon.assembly import assemble
    from ..host.interrupt import Interruption
    from ..reconcile.difference import differences, is_worth_it
    from ..reconcile.look import look_at
    from .console import console
    from .diff_text import diff_document, print_differences
    from .selection import plan_scope
    from .work import eyes_of

    assembly = assemble(config=options.config, state=options.state, mode="read")
    chosen, eyes = plan_scope(assembly, fraise, environment, prune=False), eyes_of(assembly)
    _insist_on_usable(assembly, chosen)
    looks = look_at(eyes, chosen, offline=offline)
    wanted = [look for look in looks if chosen is not None or is_worth_it(look)]
    found = [differences(eyes, look, Interruption(), offline=offline) for look in wanted]
    if as_json:
        click.echo(json.dumps([diff_document(each) for each in found], indent=2))
    else:
        out = console(options)
        print_differences(out, found, assembly.host.clock.now(), targets=len(looks))
        _mention_held(assembly, chosen)
    sys.exit(1 if found and all(each.is_blind for each in found) else 0)


def _insist_on_usable(assembly: Assembly, chosen: tuple[TargetId, ...] | None) -> None:
    """Raises `ConfigFault` when only targets are named that the configuration has problems with."""
    from ..model.errors import ConfigFault

    held = assembly.loaded.held
    if chosen is not None and all(id in held for id in chosen):
        problems = "\n".join(str(problem) for id in chosen for problem in held[id])
        names = ", ".join(str(id) for id in chosen)
        raise ConfigFault(f"{names} cannot be compared, held by its configuration:\n{problems}", code="config_invalid")


def _mention_held(assembly: Assembly, chosen: tuple[TargetId, ...] | None) -> None:
    held = [str(id) for id in sorted(assembly.loaded.held) if chosen is None or id in chosen]
    if held:
        click.echo(f"not compared, held by their configuration: {', '.join(held)} (fraisier validate)", err=True)
