"""What the verbs that ask for something share: naming targets, asking first, sending the request."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from .options import Options

if TYPE_CHECKING:  # these verbs are imported for every `--help`: what they do is imported when it is done
    from ..daemon.assembly import Assembly
    from ..model.config import Target
    from ..model.names import Scope, TargetId
    from ..model.records import RequestKind

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask first.")


def one_target(command: Callable[..., Any]) -> Callable[..., Any]:
    """Arguments for one target: `my_api production`, `my_api/production`, or unambiguous beginnings of them."""
    command = click.argument("environment", required=False)(command)
    return click.argument("fraise")(command)


def some_targets(command: Callable[..., Any]) -> Callable[..., Any]:
    """Arguments for a target, a fraise, or everything."""
    command = click.argument("environment", required=False)(command)
    return click.argument("fraise", required=False)(command)


def asks(question: str, yes: bool) -> None:
    """Only on a terminal; a script is never asked. Raises `click.Abort` for a no."""
    if not yes and sys.stdin.isatty() and sys.stdout.isatty() and not click.confirm(question):
        raise click.exceptions.Abort


def opened(options: Options, fraise: str, environment: str | None) -> tuple[Assembly, Target]:
    """Everything that is needed to act on one target."""
    from ..daemon.assembly import assemble
    from .selection import select_usable

    assembly = assemble(config=options.config, state=options.state, mode="write")
    return assembly, select_usable(assembly, fraise, environment)


def ask_for(
    options: Options,
    assembly: Assembly,
    kind: RequestKind,
    scope: Scope | TargetId,
    payload: Mapping[str, Any] | None = None,
) -> int:
    """Sends one request and shows what comes of it; the exit code of the command."""
    from ..host.interrupt import Interruption
    from .console import console
    from .work import Work, request_for

    work = Work(assembly, console(options), Interruption())
    return work.carry_out([request_for(assembly, kind, scope, payload)])


def present_head(assembly: Assembly, target: Target) -> str | None:
    """The SHA that is desired now: as the remote says, else as it was last seen."""
    from ..reconcile.look import ask_remotes
    from .work import eyes_of

    eyes = eyes_of(assembly)
    selection = eyes.selection(target)
    sha = ask_remotes(eyes, [target])[target.remote].sha(selection)
    if sha is not None:
        return sha
    last = assembly.store.heads(target.remote).get(selection.key)
    return last.sha if last is not None else None
