"""Repairs that fail are tried again until they are proven; drift that comes back is repaired later each time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fraisier.model.config import RepairBudget
from fraisier.testing import Behaviour
from tests.reconcile.drifting import drift, healthy
from tests.support.bench import Bench


def test_a_repair_that_fails_is_tried_again_until_it_is_proven(bench: Bench) -> None:
    """Also when the machine looks as it should by then: what runs was started, and never proven."""
    sha = healthy(bench)
    bench.host.behaviours[sha] = Behaviour.UNHEALTHY
    drift(bench, "service")

    failed = bench.cycle()
    held = bench.plan()

    assert failed.outcome == "failed"
    assert bench.serving == sha
    assert [hold.code.value for hold in held.held_by] == ["back_off"]
    first = held.held_by[0].until
    assert first is not None
    bench.host.clock.advance((first - bench.host.clock.now()).total_seconds() + 1)
    again = bench.plan()
    assert (again.action, again.is_runnable) == ("repair", True)
    assert again.reasons[0].code == "unfinished"
    assert bench.cycle().outcome == "failed"
    back_off = bench.recorded.back_off
    assert back_off is not None
    assert back_off.failures == 2
    bench.host.behaviours.clear()
    assert bench.settle().sync == "in_sync"
    assert bench.recorded.back_off is None
    assert bench.recorded.quarantines == ()


def _undone(bench: Bench, times: int) -> list[float]:
    """Something kills the service as soon as it is repaired; how long each repair had to wait."""
    waits: list[float] = []
    for _ in range(times):
        drift(bench, "service")
        held, waited = bench.plan(), 0.0
        while held.held_by and held.held_by[0].code == "back_off":
            until = held.held_by[0].until
            assert until is not None
            seconds = (until - bench.host.clock.now()).total_seconds()
            bench.host.clock.advance(seconds)
            waited, held = waited + seconds, bench.plan()
        waits.append(waited)
        if held.held_by:
            return waits
        assert bench.cycle().outcome == "converged"
    return waits


def test_drift_that_comes_back_is_repaired_later_each_time_and_then_left(bench: Bench) -> None:
    bench.configure(repairs=RepairBudget(4, timedelta(hours=1)))
    healthy(bench, None)
    bench.configure(repairs=RepairBudget(4, timedelta(hours=1)))

    waits = _undone(bench, 6)

    assert waits == [0, 10, 20, 40, 0]
    left = bench.plan()
    assert [hold.code.value for hold in left.held_by] == ["repair_budget"]
    assert bench.serving is None
    until = left.held_by[0].until
    assert until is not None
    bench.host.clock.advance((until - bench.host.clock.now()).total_seconds() + 1)
    assert bench.cycle().outcome == "converged"


@pytest.mark.parametrize("how", ["retry", "deployment"])
def test_the_budget_begins_anew_when_a_person_says_so_or_something_new_is_deployed(bench: Bench, how: str) -> None:
    healthy(bench)
    bench.configure(repairs=RepairBudget(2, timedelta(hours=1)))
    _undone(bench, 3)
    assert [hold.code.value for hold in bench.plan().held_by] == ["repair_budget"]

    if how == "retry":
        bench.ask("retry")
    else:
        bench.push("b")
    bench.settle()

    assert bench.serving == bench.remote.branches["main"]
    if how == "deployment":
        assert bench.recorded.repairs == ()


def test_a_budget_that_is_spent_keeps_no_new_revision_out(bench: Bench) -> None:
    healthy(bench)
    bench.configure(repairs=RepairBudget(1, timedelta(hours=1)))
    _undone(bench, 2)
    new = bench.push("b")

    assert bench.cycle().outcome == "converged"
    assert bench.serving == new


def test_a_clock_that_is_set_back_makes_no_repair_wait(bench: Bench) -> None:
    """What was repaired in the future says nothing; else it would have to wait until then."""
    healthy(bench)
    bench.configure(repairs=RepairBudget(2, timedelta(hours=1)))
    _undone(bench, 3)

    bench.host.clock.jump(timedelta(days=-1))

    assert bench.cycle().outcome == "converged"
    assert _undone(bench, 2) == [10, 0], "it counts from the beginning"
    assert [hold.code.value for hold in bench.plan().held_by] == ["repair_budget"]
