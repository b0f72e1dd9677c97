"""`fraisier apply`, `deploy`, `rollback` and `retry`: everything that changes something."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from .options import Options, pass_options

_yes = click.option("--yes", "-y", is_flag=True, help="Do not ask first.")


def _asks(question: str, yes: bool) -> None:
    """Only on a terminal; a script is never asked."""
    if not yes and sys.stdin.isatty() and sys.stdout.isatty() and not click.confirm(question):
        raise click.exceptions.Abort


def _one_target(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.argument("environment", required=False)(command)
    return click.argument("fraise")(command)


@click.command()
@click.argument("fraise", required=False)
@click.argument("environment", required=False)
@_yes
@pass_options
def apply(options: Options, fraise: str | None, environment: str | None, yes: bool) -> None:
    """Show the plan, ask, and carry it out step by step.

    With a daemon running the daemon does it; without one this command does it itself.
    """
    from ..daemon.assembly import assemble
    from ..host.interrupt import Interruption
    from ..model.names import TargetId
    from ..reconcile.look import Eyes, make_plan
    from .console import console
    from .failures import NEEDS_A_PERSON
    from .plan_text import held_by_configuration, print_plan
    from .selection import select
    from .work import Work, request_for, worse

    assembly = assemble(config=options.config, state=options.state, mode="write")
    out = console(options)
    chosen = select((*assembly.config.targets, *assembly.loaded.held), fraise, environment)
    eyes = Eyes(assembly.host, assembly.store, assembly.config)
    made = make_plan(eyes, chosen)
    broken = {id: problems for id, problems in assembly.loaded.held.items() if id in chosen}
    print_plan(out, held_by_configuration(made, broken), assembly, verbose=options.verbose)
    code, done = 0, set[TargetId]()
    if any(action.is_runnable for action in made.actions):
        _asks("\nCarry it out?", yes)
        out.print()
    while due := [action.id for action in made.actions if action.is_runnable and action.id not in done]:
        # again after each round: what became healthy may be what others waited for
        requests = [request_for(assembly, "deploy", id) for id in due]
        code = worse(code, Work(assembly, out, Interruption()).carry_out(requests))
        done.update(due)
        made = make_plan(eyes, chosen)
    held = any(action.is_held for action in made.actions) or bool(broken)
    sys.exit(code or (1 if not made.complete else NEEDS_A_PERSON if held else 0))


@click.command()
@_one_target
@click.option("--force", is_flag=True, help="Restart and prove health again although nothing differs.")
@click.option("--allow-rewind", metavar="SHA", help="Accept that the branch was rewound to SHA.")
@pass_options
def deploy(options: Options, fraise: str, environment: str | None, force: bool, allow_rewind: str | None) -> None:
    """Bring one target to the head of its branch now, without waiting for the next poll."""
    payload: dict[str, Any] = {"force": force}
    if allow_rewind is not None:
        payload["allow_rewind"] = _full_sha(allow_rewind)
    _ask_for(options, "deploy", fraise, environment, payload)


@click.command()
@_one_target
@pass_options
def retry(options: Options, fraise: str, environment: str | None) -> None:
    """Lift the quarantine and the back-off of one target, and try again now."""
    _ask_for(options, "retry", fraise, environment, {})


@click.command()
@_one_target
@click.option("--to", metavar="SHA", help="The revision to return to; by default the one before.")
@_yes
@pass_options
def rollback(options: Options, fraise: str, environment: str | None, to: str | None, yes: bool) -> None:
    """Return to an earlier revision that was proven healthy.

    What is left goes into quarantine in your name: it is not deployed again by itself. A new commit
    passes it by, and `fraisier retry` lifts it.
    """
    from ..daemon.assembly import assemble
    from ..host.interrupt import Interruption
    from ..model.names import short
    from ..reconcile.look import ask_remotes
    from ..reconcile.requests import rollback_payload
    from .console import console
    from .selection import select_usable
    from .work import Work, request_for

    assembly = assemble(config=options.config, state=options.state, mode="write")
    target = select_usable(assembly, fraise, environment)
    heads = ask_remotes(assembly.host, [target])[target.remote]
    present = heads.sha(target.branch)
    if present is None:
        last = assembly.store.heads(target.remote).get(target.branch)
        present = last.sha if last is not None else None
    payload = dict(rollback_payload(assembly.store.recorded(target.id), present, to))
    out = console(options)
    left = ", ".join(short(str(sha)) for sha in payload["leave"])  # type: ignore[attr-defined] # a list of ours
    out.print(f"[name]{target.id}[/]: back to [sha]{short(str(payload['to']))}[/]; {left} into quarantine")
    _asks("Roll back?", yes)
    sys.exit(Work(assembly, out, Interruption()).carry_out([request_for(assembly, "rollback", target.id, payload)]))


def _ask_for(options: Options, kind: Any, fraise: str, environment: str | None, payload: dict[str, Any]) -> None:
    from ..daemon.assembly import assemble
    from ..host.interrupt import Interruption
    from .console import console
    from .selection import select_usable
    from .work import Work, request_for

    assembly = assemble(config=options.config, state=options.state, mode="write")
    target = select_usable(assembly, fraise, environment).id
    work = Work(assembly, console(options), Interruption())
    sys.exit(work.carry_out([request_for(assembly, kind, target, payload)]))


def _full_sha(text: str) -> str:
    from ..model.errors import Refused
    from ..model.names import SHA

    if not SHA.fullmatch(text):
        raise Refused(
            f"--allow-rewind: {text!r} is not a full commit SHA",
            code="bad_sha",
            hint="`fraisier plan` prints the command with the SHA to accept",
        )
    return text
