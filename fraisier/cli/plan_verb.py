"""`fraisier plan`."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

import click

from .options import Options, pass_options

if TYPE_CHECKING:  # this verb is imported for every `--help`: what it does is imported when it is done
    from ..daemon.assembly import Assembly
    from ..model.plan import Plan
    from ..reconcile.look import Eyes


@click.command()
@click.argument("fraise", required=False)
@click.argument("environment", required=False)
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option("--out", metavar="FILE", help="Save the plan too; `fraisier apply FILE` does that and nothing else.")
@click.option("--prune", is_flag=True, help="Plan also the removal of what left the configuration; never of data.")
@click.option("--explain", is_flag=True, help="Say of each step how it is undone, and what the plan was made from.")
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
    out: str | None,
    prune: bool,
    explain: bool,
    offline: bool,
    detailed_exitcode: bool,
) -> None:
    """Show what would be done now, and why. Changes nothing.

    FRAISE and ENVIRONMENT may be shortened as far as they stay unambiguous: `fraisier plan my prod`.
    """
    from ..daemon.assembly import assemble
    from ..host.interrupt import Interruption
    from ..planning.document import exit_code
    from ..reconcile.look import make_plan
    from .plan_file import check_place, save_plan
    from .plan_text import held_by_configuration
    from .selection import plan_scope
    from .work import eyes_of

    if out is not None:
        check_place(out)
    assembly = assemble(config=options.config, state=options.state, mode="read")
    eyes, chosen = eyes_of(assembly), plan_scope(assembly, fraise, environment, prune=prune)
    made = make_plan(eyes, chosen, offline=offline, prune=prune, interrupt=Interruption())
    broken = {id: problems for id, problems in assembly.loaded.held.items() if chosen is None or id in chosen}
    shown = held_by_configuration(made, broken)
    form = "json" if as_json else form
    _show(options, assembly, shown, form, explains=explain, prunes=prune)
    if form == "text" and chosen is None and not prune:
        _mention_orphans(options, eyes)
    if out is not None:
        save_plan(out, shown)
        _say_where(shown, out, err=form != "text")
    if detailed_exitcode:
        sys.exit(exit_code(shown))


def _show(options: Options, assembly: Assembly, shown: Plan, form: str, *, explains: bool, prunes: bool) -> None:
    from ..planning.document import plan_document
    from .console import console
    from .plan_markdown import markdown
    from .plan_text import print_plan

    if form == "json":
        click.echo(json.dumps(plan_document(shown), indent=2))
    elif form == "markdown":
        click.echo(markdown(shown, prunes=prunes))
    else:
        print_plan(console(options), shown, assembly, verbose=options.verbose, explains=explains, prunes=prunes)


def _mention_orphans(options: Options, eyes: Eyes) -> None:
    """Nothing of a configuration that would remove nothing: it is no time to speak of removing."""
    from ..model.errors import Refused
    from ..reconcile.removal import orphans
    from .console import console

    try:
        count = len(orphans(eyes))
    except Refused:
        return
    if count:
        have = "target has" if count == 1 else "targets have"
        console(options).print(f"[quiet]{count} {have} left the configuration: fraisier plan --prune[/]")


def _say_where(shown: Plan, path: str, *, err: bool) -> None:
    """Beside the plan itself, which a program may be reading."""
    runs = any(action.is_runnable for action in shown.actions)
    then = f"carry it out with: fraisier apply {shlex.quote(path)}" if runs else "it has nothing to be carried out now"
    click.echo(f"saved to {path}; {then}", err=err)
