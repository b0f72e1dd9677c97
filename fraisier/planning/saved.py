"""Saved plans: `plan --out FILE` writes one, `apply FILE` carries out exactly that or refuses.

A file is the document of `plan --format json`. What it was made from is in it, target by target; when
any of that has moved, nothing is done, and what moved is named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..model.errors import Refused
from ..model.names import TargetId
from ..model.plan import Plan
from .basis import moved
from .document import hash_of, plan_document

_MAJOR = Plan.FORMAT_VERSION.partition(".")[0]
"""Additions make a minor version and are read; what would be misread makes a major one."""


@dataclass(frozen=True, slots=True)
class SavedAction:
    id: TargetId
    action: str
    is_runnable: bool
    """False also for one that is held, unless only by what the plan itself brings about."""
    basis: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SavedPlan:
    server: str
    plan_hash: str
    actions: tuple[SavedAction, ...]

    @property
    def wanted(self) -> tuple[SavedAction, ...]:
        return tuple(action for action in self.actions if action.is_runnable)


def saved_text(plan: Plan) -> str:
    return json.dumps(plan_document(plan), indent=2) + "\n"


def read_saved(text: str) -> SavedPlan:
    """Raises `Refused` for what is no plan of this version, or was changed since it was saved."""
    try:
        document = json.loads(text)
        version = str(document["format_version"])
        if version.partition(".")[0] != _MAJOR:
            raise _unreadable(f"it has format {version}, and this program reads {_MAJOR}.x")
        if hash_of(document) != document["plan_hash"]:
            raise _unreadable("its content does not fit its plan_hash: it was edited, or cut off")
        actions = tuple(_action(entry) for entry in document["actions"])
        return SavedPlan(str(document["basis"]["server"]), str(document["plan_hash"]), actions)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable("it is not a plan that `fraisier plan --out` wrote") from error


def what_moved(saved: SavedPlan, now: Plan) -> tuple[str, ...]:
    """One line for each thing that is not as the saved plan has it; none: it may be carried out."""
    if saved.server != now.basis.server:
        return (f"the plan was made on {saved.server}, and this is {now.basis.server}",)
    present = {action.id: action for action in now.actions}
    lines: list[str] = []
    for wanted in saved.wanted:
        action = present.get(wanted.id)
        if action is None:
            lines.append(f"{wanted.id}: is not configured here any more")
            continue
        lines += [f"{wanted.id}: {line}" for line in moved(wanted.basis, action.basis)]
    return tuple(lines)


def _action(entry: Mapping[str, Any]) -> SavedAction:
    codes = {str(hold["code"]) for hold in entry["held_by"]}
    basis = {str(name): str(value) for name, value in entry["basis"].items()}
    is_runnable = bool(entry["steps"]) and codes <= {"dependency"}
    return SavedAction(TargetId.parse(entry["identifier"]), str(entry["action"]), is_runnable, basis)


def _unreadable(why: str) -> Refused:
    return Refused(
        f"the plan cannot be used: {why}", code="bad_plan", hint="make another one: fraisier plan --out FILE"
    )
