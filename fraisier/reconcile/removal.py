"""What Fraisier made for targets that have left the configuration: shown and removed only when asked for.

By the inventory alone (law 14), dependants before what they depend on. A configuration that is empty,
or has problems, removes nothing: a target that cannot be read has not left.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from ..model.config import Config
from ..model.errors import Refused
from ..model.names import TargetId
from ..model.plan import Action, Hold, ReasonCode
from ..model.ports import Host
from ..model.records import Store
from ..model.state import InventoryEntry, Recorded
from ..planning.order import dependencies_first
from ..planning.standing import standing_at, suspension_hold
from ..services.registry import service_types


class Surroundings(Protocol):
    """What of `look.Eyes` is needed here."""

    @property
    def host(self) -> Host: ...
    @property
    def store(self) -> Store: ...
    @property
    def config(self) -> Config: ...
    @property
    def holds(self) -> Mapping[TargetId, Hold]: ...


def removals(around: Surroundings, only: Collection[TargetId] | None = None) -> list[Action]:
    """The removal of everything that left (of `only`, where given), in the order it must be done.

    Raises `Refused` for a configuration that removes nothing.
    """
    left = orphans(around)
    if only is not None:
        left = {id: entry for id, entry in left.items() if id in only}
    order = reversed(dependencies_first({id: entry.depends_on for id, entry in left.items()}))
    return [removal_of(around, left[id]) for id in order]


def orphans(around: Surroundings) -> Mapping[TargetId, InventoryEntry]:
    """What was made here and is not configured here any more. A target that was only renamed, so that
    another now has its folder, has left nothing behind.
    """
    _insist_on_a_sound(around)
    folders = [os.path.realpath(target.app_path) for target in around.config.targets.values()]
    return {
        entry.id: entry
        for entry in around.store.inventory()
        if entry.id not in around.config.targets and not _meets(os.path.realpath(entry.app_path), folders)
    }


def _meets(folder: str, others: Iterable[str]) -> bool:
    """Whether it is one of `others`, in one or around one, however it is spelled."""
    return any(folder == other or folder.startswith(f"{other}/") or other.startswith(f"{folder}/") for other in others)


def removal_of(around: Surroundings, entry: InventoryEntry) -> Action:
    keeps_unit = any(target.service.unit == entry.unit for target in around.config.targets.values())
    action = service_types()[entry.type].removal(entry, around.host, keeps_unit=keeps_unit)
    action = replace(action, basis={"app_path": entry.app_path, "unit": entry.unit, "made_at": entry.at.isoformat()})
    recorded = standing_at(around.store.recorded(entry.id), around.host.clock.now())
    held = (*_suspended(entry.id, recorded), *_needed(around, entry))
    return replace(action, held_by=held, sync="held") if held else action


def _insist_on_a_sound(around: Surroundings) -> None:
    if around.holds:
        first = next(iter(around.holds.values()))
        raise Refused(
            f"nothing is removed while the configuration has problems: {first.message}",
            code="config_invalid",
            hint="mend it first; all problems: fraisier validate",
        )
    if not around.config.targets:
        raise Refused(
            "nothing is removed: the configuration has no target for this server, which may be a mistake",
            code="config_empty",
            hint="keep one target, or remove by hand what is left",
        )


def _suspended(id: TargetId, recorded: Recorded) -> Iterable[Hold]:
    hold = suspension_hold(id, recorded.suspensions)
    return () if hold is None else (hold,)


def _needed(around: Surroundings, entry: InventoryEntry) -> Iterable[Hold]:
    """By something that is still configured."""
    needing = sorted(str(id) for id, target in around.config.targets.items() if entry.id in target.depends_on)
    if needing:
        yield Hold(ReasonCode.DEPENDENCY, f"{', '.join(needing)} depends on it", "take it out of depends_on first")
