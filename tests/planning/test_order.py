"""Dependencies first; dependants are woken by what they depend on."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from fraisier.model.names import TargetId
from fraisier.planning.order import dependants_of, dependencies_first
from tests.support.profiles import examples

IDS = [TargetId(letter, "production") for letter in "abcdefgh"]


@st.composite
def graphs(draw: st.DrawFn) -> dict[TargetId, list[TargetId]]:
    """Each depends only on earlier ones of a drawn order, and may name one that is not on this server."""
    order = draw(st.permutations(IDS))
    elsewhere = TargetId("z", "elsewhere")
    return {
        target: draw(st.lists(st.sampled_from([*order[:number], elsewhere]), max_size=3))
        for number, target in enumerate(order)
    }


@given(graphs())
@examples(100)
def test_what_is_depended_on_comes_first(graph: dict[TargetId, list[TargetId]]) -> None:
    ordered = dependencies_first(graph)

    assert sorted(ordered) == sorted(graph)
    place = {target: number for number, target in enumerate(ordered)}
    assert all(place[need] < place[target] for target, needs in graph.items() for need in needs if need in place)


@given(graphs())
@examples(50)
def test_the_order_does_not_hang_on_the_order_of_declaration(graph: dict[TargetId, list[TargetId]]) -> None:
    assert dependencies_first(dict(sorted(graph.items()))) == dependencies_first(graph)


@given(graphs(), st.sampled_from(IDS))
@examples(50)
def test_dependants_are_those_that_name_it(graph: dict[TargetId, list[TargetId]], target: TargetId) -> None:
    assert set(dependants_of(target, graph)) == {other for other, needs in graph.items() if target in needs}
