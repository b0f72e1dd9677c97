"""`depends_on`: names to targets; unknown ones, those of other servers and cycles are problems."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from fraisier.model.names import TargetId

from .sentences import closest
from .targets import Draft
from .view import View

Edges = Mapping[TargetId, Mapping[TargetId, View]]
"""What each target depends on, with the line that says so."""


def read_dependencies(
    environments: Mapping[TargetId, View], drafts: Mapping[TargetId, Draft], known: Collection[TargetId], server: str
) -> Edges:
    """The dependencies on `known` targets, held ones among them. A cycle is reported at every line of it."""
    edges = {
        target: {
            wanted: item
            for wanted, item in _read(view, target, known)
            if _can_wait(target, wanted, item, drafts, server)
        }
        for target, view in environments.items()
    }
    for cycle in _cycles(edges):
        _report_cycle(cycle, edges)
    return edges


def _read(view: View, target: TargetId, known: Collection[TargetId]) -> Iterator[tuple[TargetId, View]]:
    for item in view.at("depends_on").items():
        fraise, slash, environment = item.value.partition("/")
        wanted = TargetId(fraise, environment if slash else target.environment)
        if wanted in known:
            yield wanted, item
        else:
            item.problem(f"there is no target {wanted}", closest(str(wanted), map(str, known)))


def _can_wait(target: TargetId, wanted: TargetId, item: View, drafts: Mapping[TargetId, Draft], server: str) -> bool:
    if drafts[target].is_on(server) and wanted in drafts and not drafts[wanted].is_on(server):
        item.problem(f"{wanted} does not run on {server}", "this version waits for targets of the same server only")
        return False
    return True


def _report_cycle(cycle: list[TargetId], edges: Edges) -> None:
    shown = " → ".join(map(str, [*cycle, cycle[0]]))
    for target, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
        edges[target][following].problem(f"is part of a cycle: {shown}", "a target cannot wait for itself")


def _cycles(edges: Edges) -> Iterator[list[TargetId]]:
    """Cycles, each target in one at most: enough to hold and to name every knot, in linear time per round."""
    left = {target: set(wanted) for target, wanted in edges.items()}
    while left := _without_ends(left):
        following = {target: min(wanted) for target, wanted in left.items()}
        found = list(_walks(following))
        yield from found
        for cycle in found:
            for target in cycle:
                left.pop(target)


def _without_ends(left: Mapping[TargetId, set[TargetId]]) -> dict[TargetId, set[TargetId]]:
    """Drops, again and again, whatever depends on nothing that is left: it cannot be part of a cycle."""
    wanted = {target: {one for one in many if one in left} for target, many in left.items()}
    wanted_by: dict[TargetId, list[TargetId]] = {target: [] for target in left}
    for target, many in wanted.items():
        for one in many:
            wanted_by[one].append(target)
    ends = [target for target, many in wanted.items() if not many]
    while ends:
        end = ends.pop()
        wanted.pop(end)
        for target in wanted_by[end]:
            wanted[target].discard(end)
            if not wanted[target]:
                ends.append(target)
    return wanted


def _walks(following: Mapping[TargetId, TargetId]) -> Iterator[list[TargetId]]:
    """Every cycle of a graph in which each target has exactly one way on."""
    seen: set[TargetId] = set()
    for start in sorted(following):
        walk: dict[TargetId, None] = {}
        at = start
        while at not in seen:
            seen.add(at)
            walk[at] = None
            at = following[at]
        if at in walk:
            whole = list(walk)
            yield whole[whole.index(at) :]
