"""What people arrange and take back: `suspend`, `resume`, `pin`, `unpin`, `try`, `approve`."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from .asking import asks, one_target, some_targets, yes_option
from .options import Options, pass_options

if TYPE_CHECKING:
    from ..daemon.assembly import Assembly
    from ..model.config import Target
    from ..model.names import Scope
    from ..model.selection import Selection

_all = click.option("--all", "everything", is_flag=True, help="Everything on this server.")


@click.command()
@some_targets
@_all
@click.option("--reason", metavar="TEXT", required=True, help="For everybody who wonders; shown by status and plan.")
@click.option("--for", "lasting", metavar="DURATION", help="It ends by itself after this time: 2h, 30m.")
@click.option("--until", metavar="INSTANT", help="It ends by itself then: 2026-11-30T09:00+01:00, or local time.")
@click.option("--stop", is_flag=True, help="Stop the services too, and leave them stopped.")
@pass_options
def suspend(
    options: Options,
    fraise: str | None,
    environment: str | None,
    everything: bool,
    reason: str,
    lasting: str | None,
    until: str | None,
    stop: bool,
) -> None:
    """Let nothing be done to a target, to all of a fraise, or to everything (--all).

    No deployment begins and no drift is repaired until `fraisier resume`, or until the time given.
    What is being done just now finishes; `fraisier cancel` ends it.
    """
    from .asking import ask_for

    assembly, scope = _scoped(options, fraise, environment, everything)
    payload: dict[str, Any] = {"reason": reason, "stop": stop}
    ends = _ends(assembly, lasting, until)
    if ends is not None:
        payload["until"] = ends.isoformat()
    codes = [ask_for(options, assembly, "suspend", each, payload) for each in _each_to_stop(assembly, scope, stop)]
    sys.exit(max(codes))


@click.command()
@some_targets
@_all
@pass_options
def resume(options: Options, fraise: str | None, environment: str | None, everything: bool) -> None:
    """End a suspension, and go on at once."""
    from .asking import ask_for

    assembly, scope = _scoped(options, fraise, environment, everything)
    sys.exit(ask_for(options, assembly, "resume", scope))


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="FRAISE [ENVIRONMENT] REVISION")
@click.option("--reason", metavar="TEXT", default="", help="Why; shown by status and plan.")
@pass_options
def pin(options: Options, what: tuple[str, ...], reason: str) -> None:
    """Keep one target at a revision, whatever its branch or tag says, until `fraisier unpin`.

    REVISION is a full commit SHA, or the beginning of one that was deployed here, or a tag.
    """
    from ..model.selection import Branch
    from .asking import ask_for, opened

    if not 2 <= len(what) <= 3:
        raise click.UsageError("name a target and a revision: fraisier pin my_api production v1.4.2")
    *named, revision = what
    assembly, target = opened(options, named[0], named[1] if len(named) > 1 else None)
    chosen = _resolved(assembly, target, revision)
    if isinstance(chosen, Branch):
        raise click.UsageError(f"{revision} is a branch, which moves; to follow it for a while: fraisier try")
    sha = assembly.host.git.heads(target.remote, [chosen])[chosen].sha  # a tag may be moved; a pin is not
    why = ": ".join(part for part in (str(chosen) if chosen.kind == "tag" else "", reason) if part)
    payload = {"kind": "revision", "value": sha, "reason": why}
    sys.exit(ask_for(options, assembly, "pin", target.id, payload))


@click.command()
@one_target
@pass_options
def unpin(options: Options, fraise: str, environment: str | None) -> None:
    """End a pin or a trial: back to what is declared, at once."""
    from .asking import ask_for, opened

    assembly, target = opened(options, fraise, environment)
    sys.exit(ask_for(options, assembly, "unpin", target.id))


@click.command("try")
@one_target
@click.option("--ref", required=True, metavar="REF", help="A branch, which is followed, a tag or a commit.")
@click.option(
    "--ttl", default="2h", show_default=True, metavar="DURATION", help="It returns by itself after this time."
)
@click.option("--reason", metavar="TEXT", default="", help="Why; shown by status and plan.")
@pass_options
def try_verb(options: Options, fraise: str, environment: str | None, ref: str, ttl: str, reason: str) -> None:
    """Run another branch, tag or commit on one target for a while; it returns by itself.

    The health gate judges it like any revision. `fraisier unpin` ends it before its time.
    """
    from .asking import ask_for, opened

    assembly, target = opened(options, fraise, environment)
    ends = assembly.host.clock.now() + _duration(ttl, "--ttl")
    chosen = _resolved(assembly, target, ref)
    payload = {"kind": chosen.kind, "value": _value(chosen), "until": ends.isoformat(), "reason": reason, "try": True}
    sys.exit(ask_for(options, assembly, "pin", target.id, payload))


@click.command()
@one_target
@click.option("--hash", "wanted", metavar="HASH", help="Approve only if the plan is still this one.")
@yes_option
@pass_options
def approve(options: Options, fraise: str, environment: str | None, wanted: str | None, yes: bool) -> None:
    """Show the plan of one target that waits for approval, ask, and let it run.

    The approval is for that deployment alone: when another revision or configuration comes, or another
    revision becomes healthy meanwhile, it is void.
    """
    from ..model.errors import Refused
    from ..reconcile.look import make_plan
    from .asking import ask_for, opened
    from .console import console
    from .plan_text import print_plan
    from .work import eyes_of

    assembly, target = opened(options, fraise, environment)
    made = make_plan(eyes_of(assembly), {target.id})
    print_plan(console(options), made, assembly, verbose=max(options.verbose, 1))
    action = made.actions[0]
    if not any(hold.code.value == "approval" for hold in action.held_by):
        raise Refused(
            f"{target.id} waits for no approval", code="nothing_to_approve", hint="the plan above says what it does"
        )
    if wanted is not None and wanted != action.hash:
        raise Refused(
            f"the plan is {action.hash}, not {wanted}: it has moved", code="plan_stale", hint="look at it again"
        )
    asks(f"\nApprove {action.hash}?", yes)
    sys.exit(ask_for(options, assembly, "approve", target.id, {"hash": action.hash}))


# --- scopes ----------------------------------------------------------------------------------


def _scoped(options: Options, fraise: str | None, environment: str | None, everything: bool) -> tuple[Assembly, Scope]:
    from ..daemon.assembly import assemble
    from ..model.names import Scope
    from .selection import select

    if everything == (fraise is not None):
        raise click.UsageError("name a target or a fraise, or say --all")
    assembly = assemble(config=options.config, state=options.state, mode="write")
    if fraise is None:
        return assembly, Scope()
    known = {*assembly.config.targets, *assembly.loaded.held, *(entry.id for entry in assembly.store.inventory())}
    chosen = select(known, fraise, environment)
    is_fraise = environment is None and "/" not in fraise
    return assembly, Scope(chosen[0].fraise) if is_fraise else Scope.of(chosen[0])


def _each_to_stop(assembly: Assembly, scope: Scope, stop: bool) -> list[Scope]:
    """Each target that is to be stopped is waited for; a suspension alone is done when it is recorded."""
    from ..model.names import Scope

    if not stop or scope.target is not None:
        return [scope]
    return [Scope.of(target) for target in assembly.config.targets if scope.covers(target)]


# --- moments and revisions -------------------------------------------------------------------


def _ends(assembly: Assembly, lasting: str | None, until: str | None) -> datetime | None:
    if lasting is not None and until is not None:
        raise click.UsageError("--for and --until say the same in two ways; give one")
    now = assembly.host.clock.now()
    if lasting is not None:
        return now + _duration(lasting, "--for")
    if until is None:
        return None
    ends = instant(until, "--until")
    if not now < ends < now + timedelta(days=3650):
        raise click.UsageError(f"--until: {until} is in the past, or more than ten years away")
    return ends


def instant(text: str, option: str) -> datetime:
    """Aware; without a zone it is local time, as a person at this terminal means it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{option}: {text!r} is no moment; such as 2026-11-30T09:00+01:00") from None
    try:
        return moment.astimezone()
    except OverflowError:
        raise click.UsageError(f"{option}: {text} is too far away") from None


def _duration(text: str, option: str) -> timedelta:
    from ..config.problems import Wrong
    from ..config.values import parse_positive

    try:
        if not re.fullmatch(r"([0-9]+(ms|s|m|h|d))+", text):
            raise Wrong("is no duration")
        return parse_positive(text)
    except Wrong as wrong:
        raise click.UsageError(f"{option}: {text!r} {wrong.message}; such as 2h or 30m") from None


def _resolved(assembly: Assembly, target: Target, text: str) -> Selection:
    """What a person named: a commit, else a branch or a tag that the remote has."""
    from ..model.errors import Refused
    from ..model.names import SHA
    from ..model.selection import Branch, Exact, TagRange
    from ..model.versions import newer

    if SHA.fullmatch(text):
        return Exact(text)
    known = [proven.sha for proven in assembly.store.recorded(target.id).healthy if proven.sha.startswith(text)]
    if len(text) >= 4 and len(set(known)) == 1:
        return Exact(known[0])
    wanted: list[Selection] = [Branch(text)]
    if newer(text, text) is not None:  # it is a version
        wanted.append(TagRange(text))
    found = assembly.host.git.heads(target.remote, wanted)
    for each in wanted:
        if each in found:
            return each
    raise Refused(
        f"{target.remote} has no branch {text}, no such version tag, and {target.id} never ran such a commit",
        code="unknown_revision",
        hint="name a branch, a version tag, or a full commit SHA",
    )


def _value(selection: Selection) -> str:
    from ..model.selection import Branch, Exact

    if isinstance(selection, Exact):
        return selection.sha
    return selection.name if isinstance(selection, Branch) else selection.range
