"""Which targets a command is about: names, `fraise/environment`, or unambiguous prefixes of them."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from ..daemon.assembly import Assembly
from ..model.config import Target
from ..model.errors import ConfigFault, Refused
from ..model.names import TargetId


def select(known: Collection[TargetId], fraise: str | None, environment: str | None) -> tuple[TargetId, ...]:
    """Everything when nothing is named; raises `Refused` when a name fits nothing or too much."""
    if fraise is None:
        return tuple(sorted(known))
    if environment is None and "/" in fraise:
        fraise, _, environment = fraise.partition("/")
    name = _one_of(sorted({target.fraise for target in known}), fraise, "fraise")
    of_fraise = sorted(target for target in known if target.fraise == name)
    if environment is None:
        return tuple(of_fraise)
    chosen = _one_of([target.environment for target in of_fraise], environment, f"environment of {name}")
    return (TargetId(name, chosen),)


def select_one(known: Collection[TargetId], fraise: str, environment: str | None) -> TargetId:
    """Exactly one; raises `Refused` naming the choices when an environment must be given."""
    chosen = select(known, fraise, environment)
    if len(chosen) != 1:
        choices = ", ".join(target.environment for target in chosen)
        raise Refused(
            f"{chosen[0].fraise} has several environments: {choices}",
            code="ambiguous",
            hint=f"name one, such as: {chosen[0].fraise} {chosen[0].environment}",
        )
    return chosen[0]


def select_usable(assembly: Assembly, fraise: str, environment: str | None) -> Target:
    """Exactly one target that can be acted on; raises `ConfigFault` with the problems of one that is held by them."""
    id = select_one((*assembly.config.targets, *assembly.loaded.held), fraise, environment)
    if id in assembly.loaded.held:
        problems = "\n".join(str(problem) for problem in assembly.loaded.held[id])
        raise ConfigFault(f"{id} is held by its configuration:\n{problems}", code="config_invalid")
    return assembly.config.targets[id]


def plan_scope(
    assembly: Assembly, fraise: str | None, environment: str | None, *, prune: bool
) -> tuple[TargetId, ...] | None:
    """What a plan is about; None is everything. With `prune` also what has left the configuration may be named."""
    if fraise is None:
        return None
    known = {*assembly.config.targets, *assembly.loaded.held}
    left = {entry.id for entry in assembly.store.inventory()} if prune else set[TargetId]()
    return select(known | left, fraise, environment)


def _one_of(names: list[str], given: str, what: str) -> str:
    if given in names:
        return given
    fitting = [name for name in names if name.startswith(given)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise Refused(f"{given!r} may be any of: {', '.join(fitting)}", code="ambiguous", hint="write more of the name")
    close = difflib.get_close_matches(given, names, n=1)
    guess = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names) or 'none'}"
    raise Refused(f"there is no {what} {given!r}", code="unknown_target", hint=guess)
