"""`fraisier deploy`, `rollback`, `retry` and `cancel`: what is done to one target now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from .asking import asks, one_target, yes_option
from .options import Options, pass_options

if TYPE_CHECKING:
    from ..model.config import Target


@click.command()
@one_target
@click.option("--force", is_flag=True, help="Restart and prove health again although nothing differs.")
@click.option("--allow-rewind", metavar="SHA", help="Accept that the branch was rewound to SHA.")
@click.option("--emergency", metavar="REASON", help="Let the present head pass the windows; the reason is recorded.")
@pass_options
def deploy(
    options: Options,
    fraise: str,
    environment: str | None,
    force: bool,
    allow_rewind: str | None,
    emergency: str | None,
) -> None:
    """Bring one target to its desired revision now, without waiting for the next poll."""
    from .asking import ask_for, opened, present_head

    payload: dict[str, Any] = {"force": force}
    if allow_rewind is not None:
        payload["allow_rewind"] = _full_sha(allow_rewind)
    assembly, target = opened(options, fraise, environment)
    if emergency is not None:
        payload |= {"emergency": emergency, "sha": _known(present_head(assembly, target), target)}
    sys.exit(ask_for(options, assembly, "deploy", target.id, payload))


@click.command()
@one_target
@pass_options
def retry(options: Options, fraise: str, environment: str | None) -> None:
    """Lift the quarantine, the back-off and the spent repairs of one target, and try again now."""
    from .asking import ask_for, opened

    assembly, target = opened(options, fraise, environment)
    sys.exit(ask_for(options, assembly, "retry", target.id))


@click.command()
@one_target
@pass_options
def cancel(options: Options, fraise: str, environment: str | None) -> None:
    """Stop what is being done to one target before its next step.

    A revision on trial goes into quarantine in your name, and the target returns to the one that was
    healthy before. A step that must not be cut off, such as a migration, finishes first.
    """
    from .asking import ask_for, opened

    assembly, target = opened(options, fraise, environment)
    sys.exit(ask_for(options, assembly, "cancel", target.id))


@click.command()
@one_target
@click.option("--to", metavar="SHA", help="The revision to return to; by default the one before.")
@yes_option
@pass_options
def rollback(options: Options, fraise: str, environment: str | None, to: str | None, yes: bool) -> None:
    """Return to an earlier revision that was proven healthy.

    What is left goes into quarantine in your name: it is not deployed again by itself. A new commit
    passes it by, and `fraisier retry` lifts it.
    """
    from ..model.names import short
    from ..reconcile.requests import rollback_payload
    from .asking import ask_for, opened, present_head
    from .console import console

    assembly, target = opened(options, fraise, environment)
    payload = dict(rollback_payload(assembly.store.recorded(target.id), present_head(assembly, target), to))
    out = console(options)
    left = ", ".join(short(str(sha)) for sha in payload["leave"])  # type: ignore[attr-defined] # a list of ours
    out.print(f"[name]{target.id}[/]: back to [sha]{short(str(payload['to']))}[/]; {left} into quarantine")
    asks("Roll back?", yes)
    sys.exit(ask_for(options, assembly, "rollback", target.id, payload))


def _known(sha: str | None, target: Target) -> str:
    from ..model.errors import Refused

    if sha is None:
        raise Refused(
            f"the head of {target.id} is not known, so nothing can be let through",
            code="unknown_head",
            hint="mend the remote first: fraisier plan",
        )
    return sha


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
