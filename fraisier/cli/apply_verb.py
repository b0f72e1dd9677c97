"""`fraisier apply`: a plan made now, or one that was saved."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .asking import asks, some_targets, yes_option
from .options import Options, pass_options

if TYPE_CHECKING:
    from rich.console import Console

    from ..daemon.assembly import Assembly
    from ..model.names import TargetId
    from ..model.plan import Action, Plan
    from ..planning.saved import SavedPlan


@click.command()
@some_targets
@click.option("--prune", is_flag=True, help="Remove also what left the configuration; see: fraisier plan --prune.")
@yes_option
@pass_options
def apply(options: Options, fraise: str | None, environment: str | None, prune: bool, yes: bool) -> None:
    """Show the plan, ask, and carry it out step by step.

    `fraisier apply FILE` carries out a plan that `fraisier plan --out FILE` saved: that and nothing
    else. When anything it was made from has moved it is refused, and what moved is named.

    With a daemon running the daemon does it; without one this command does it itself.
    """
    from ..daemon.assembly import assemble
    from .console import console

    assembly = assemble(config=options.config, state=options.state, mode="write")
    out = console(options)
    if fraise is not None and environment is None and Path(fraise).is_file():
        if prune:
            raise click.UsageError("--prune belongs to the plan: fraisier plan --prune --out FILE")
        sys.exit(_Saved(assembly, out, options, yes, Path(fraise)).carry_out())
    sys.exit(_apply_now(assembly, out, options, fraise, environment, prune=prune, yes=yes))


def _apply_now(
    assembly: Assembly,
    out: Console,
    options: Options,
    fraise: str | None,
    environment: str | None,
    *,
    prune: bool,
    yes: bool,
) -> int:
    from ..host.interrupt import Interruption
    from ..reconcile.look import make_plan
    from .plan_text import held_by_configuration, print_plan
    from .selection import plan_scope
    from .work import eyes_of

    eyes, chosen = eyes_of(assembly), plan_scope(assembly, fraise, environment, prune=prune)
    made = make_plan(eyes, chosen, prune=prune, interrupt=Interruption())
    broken = {id: problems for id, problems in assembly.loaded.held.items() if chosen is None or id in chosen}
    print_plan(out, held_by_configuration(made, broken), assembly, verbose=options.verbose)
    if any(action.is_runnable for action in made.actions):
        asks("\nCarry it out?", yes)
        out.print()
    code = 0
    done: set[TargetId] = set()
    while due := [action for action in made.actions if action.is_runnable and action.id not in done]:
        # again after each round: what became healthy may be what others waited for
        code = _worse(code, _round(assembly, out, due, {}))
        done.update(action.id for action in due)
        made = make_plan(eyes, chosen, prune=prune, interrupt=Interruption())
    return code or _left_over(made, broken=bool(broken))


def _round(assembly: Assembly, out: Console, due: Sequence[Action], bases: Mapping[TargetId, Mapping[str, str]]) -> int:
    from ..host.interrupt import Interruption
    from .work import Work, request_for

    requests = [
        request_for(assembly, "remove" if action.action == "remove" else "deploy", action.id, _payload(action, bases))
        for action in due
    ]
    return Work(assembly, out, Interruption()).carry_out(requests)


def _payload(action: Action, bases: Mapping[TargetId, Mapping[str, str]]) -> dict[str, Any]:
    basis = bases.get(action.id)
    return {} if basis is None else {"basis": dict(basis)}


def _left_over(made: Plan, *, broken: bool) -> int:
    from .failures import NEEDS_A_PERSON

    if not made.complete:
        return 1
    return NEEDS_A_PERSON if broken or any(action.is_held for action in made.actions) else 0


def _worse(one: int, other: int) -> int:
    from .work import worse

    return worse(one, other)


class _Saved:
    """Carries out a plan from a file."""

    def __init__(self, assembly: Assembly, out: Console, options: Options, yes: bool, path: Path) -> None:
        self.assembly, self.out, self.options, self.yes = assembly, out, options, yes
        self.saved = _read(path)
        self.bases = {action.id: action.basis for action in self.saved.wanted}

    def carry_out(self) -> int:
        from .plan_text import print_plan

        made = self._plan()
        self._insist_on_the_same(made)
        print_plan(self.out, made, self.assembly, verbose=self.options.verbose)
        if not self.saved.wanted:
            return 0
        asks("\nCarry it out?", self.yes)
        self.out.print()
        code = 0
        done: set[TargetId] = set()
        while due := [action for action in made.actions if action.is_runnable and action.id in set(self.bases) - done]:
            code = _worse(code, _round(self.assembly, self.out, due, self.bases))
            done.update(action.id for action in due)
            made = self._plan()
        return code or _left_over(made, broken=False)

    def _plan(self) -> Plan:
        from ..host.interrupt import Interruption
        from ..reconcile.look import make_plan
        from .work import eyes_of

        removes = any(action.action == "remove" for action in self.saved.wanted)
        chosen = {action.id for action in self.saved.actions}
        return make_plan(eyes_of(self.assembly), chosen, prune=removes, interrupt=Interruption())

    def _insist_on_the_same(self, made: Plan) -> None:
        from ..model.errors import Refused
        from ..planning.saved import what_moved

        lines = what_moved(self.saved, made)
        if lines:
            raise Refused(
                "the plan is stale, and nothing was done:\n" + "\n".join(f"  {line}" for line in lines),
                code="plan_stale",
                hint="make another one: fraisier plan --out FILE",
            )


def _read(path: Path) -> SavedPlan:
    from ..model.errors import Refused
    from ..planning.saved import read_saved

    try:
        return read_saved(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read: {error}", code="bad_plan", hint="name the file of a plan") from error
