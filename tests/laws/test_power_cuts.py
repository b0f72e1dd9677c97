"""One deployment, cut off before and after each of its effects: the next start converges (law 8)."""

from __future__ import annotations

from typing import Any

import pytest

from fraisier.testing import Behaviour, PowerCut
from tests.support.bench import Bench, scratch


def _effects(behaviour: Behaviour, *, first: bool = False) -> int:
    """How many effects the deployment of such a commit has, over a healthy one or as the first."""
    bench = Bench(scratch(), kind="systemd")
    if not first:
        bench.push("a")
        bench.settle()
    bench.push("b", behaviour=behaviour)
    bench.host.faults.disarm()
    bench.cycle()
    count = len(bench.host.faults.names)
    bench.close()
    return count


def _cut_at(bench: Bench, at: int, where: Any, behaviour: Behaviour, *, power: bool) -> tuple[str, str]:
    old = bench.push("a")
    bench.settle()
    new = bench.push("b", behaviour=behaviour)
    bench.host.faults.arm(at, where)
    with pytest.raises(PowerCut):
        bench.cycle()
    bench.restart(power=power)
    return old, new


GOOD = range(1, _effects(Behaviour.HEALTHY) + 1)
BAD = range(1, _effects(Behaviour.UNHEALTHY) + 1)
FIRST = range(1, _effects(Behaviour.UNHEALTHY, first=True) + 1)


def test_there_are_effects_to_cut_off() -> None:
    assert len(GOOD) > 25
    assert len(BAD) > len(GOOD)


@pytest.mark.parametrize("power", [True, False], ids=["power", "kill"])
@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("at", GOOD)
def test_a_good_commit_is_deployed_wherever_it_was_cut_off(bench: Bench, at: int, where: Any, power: bool) -> None:
    _, new = _cut_at(bench, at, where, Behaviour.HEALTHY, power=power)

    action = bench.settle()

    assert (action.steps, action.held_by) == ((), ())
    assert bench.serving == new == bench.recorded.healthy[0].sha
    assert bench.recorded.quarantines == ()
    assert bench.store.open_attempts() == []


@pytest.mark.parametrize("power", [True, False], ids=["power", "kill"])
@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("at", BAD)
def test_a_bad_commit_is_left_wherever_it_was_cut_off(bench: Bench, at: int, where: Any, power: bool) -> None:
    old, new = _cut_at(bench, at, where, Behaviour.UNHEALTHY, power=power)

    action = bench.settle()

    assert [hold.code for hold in action.held_by] == ["quarantined"]
    assert bench.serving == old == bench.recorded.healthy[0].sha
    assert [entry.sha for entry in bench.recorded.quarantines] == [new]
    assert bench.store.open_attempts() == []


@pytest.mark.parametrize("at", FIRST)
def test_a_first_commit_that_is_bad_is_stopped_wherever_it_was_cut_off(bench: Bench, at: int) -> None:
    bench.push("a", behaviour=Behaviour.UNHEALTHY)
    bench.host.faults.arm(at, "after")
    with pytest.raises(PowerCut):
        bench.cycle()
    bench.restart(power=True)

    action = bench.settle()

    assert [hold.code for hold in action.held_by] == ["quarantined"]
    assert bench.serving is None
    assert bench.recorded.healthy == ()
