"""`fraisier plan`."""

from __future__ import annotations

import json
import sys

import click

from .options import Options, pass_options


@click.command()
@click.argument("fraise", required=False)
@click.argument("environment", required=False)
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option("--offline", is_flag=True, help="Ask no remote; go by the heads last seen.")
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="0 nothing to do, 2 changes, 4 changes but all held, 5 incomplete.",
)
@pass_options
def plan(
    options: Options,
    fraise: str | None,
    environment: str | None,
    form: str,
    as_json: bool,
    offline: bool,
    detailed_exitcode: bool,
) -> None:
    """Show what would be done now, and why. Changes nothing.

    FRAISE and ENVIRONMENT may be shortened as far as they stay unambiguous: `fraisier plan my prod`.
    """
    from ..daemon.assembly import assemble
    from ..planning.document import exit_code, plan_document
    from ..reconcile.look import Eyes, make_plan
    from .console import console
    from .plan_text import held_by_configuration, markdown, print_plan
    from .selection import select

    assembly = assemble(config=options.config, state=options.state, mode="read")
    chosen = select((*assembly.config.targets, *assembly.loaded.held), fraise, environment)
    eyes = Eyes(assembly.host, assembly.store, assembly.config)
    made = make_plan(eyes, chosen, offline=offline)
    broken = {id: problems for id, problems in assembly.loaded.held.items() if id in chosen}
    shown = held_by_configuration(made, broken)
    if as_json or form == "json":
        click.echo(json.dumps(plan_document(shown), indent=2))
    elif form == "markdown":
        click.echo(markdown(shown))
    else:
        print_plan(console(options), shown, assembly, verbose=options.verbose)
    if detailed_exitcode:
        sys.exit(exit_code(shown))
