"""Dependencies first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter

from ..model.names import TargetId


def dependencies_first(depends_on: Mapping[TargetId, Collection[TargetId]]) -> tuple[TargetId, ...]:
    """The keys in an order where what a target depends on comes before it; by name among equals.

    Cycles were refused when the configuration was read; `graphlib.CycleError` here is a bug.
    """
    sorter: TopologicalSorter[TargetId] = TopologicalSorter(
        {target: [d for d in needs if d in depends_on] for target, needs in depends_on.items()}
    )
    sorter.prepare()
    ordered: list[TargetId] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered.extend(ready)
        sorter.done(*ready)
    return tuple(ordered)


def dependants_of(target: TargetId, depends_on: Mapping[TargetId, Collection[TargetId]]) -> tuple[TargetId, ...]:
    """The targets to be woken when `target` has become healthy (law 15)."""
    return tuple(sorted(other for other, needs in depends_on.items() if target in needs))
