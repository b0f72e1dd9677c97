"""How often drift is repaired: later each time, so often and no more, and whatever the clock does."""

from __future__ import annotations

from datetime import datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fraisier.model.config import RepairBudget
from fraisier.model.names import TargetId
from fraisier.planning.repairs import FIRST, repair_hold
from fraisier.testing.clock import START
from tests.support.profiles import examples

SHOP = TargetId("shop", "production")
BUDGET = RepairBudget(6, timedelta(hours=1))


def _ago(*seconds: float) -> tuple[datetime, ...]:
    return tuple(START - timedelta(seconds=each) for each in seconds)


def test_the_first_is_at_once() -> None:
    assert repair_hold(SHOP, BUDGET, (), START) is None


@pytest.mark.parametrize(("count", "wait"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160)])
def test_the_wait_doubles_with_each(count: int, wait: float) -> None:
    def last_was(seconds: float) -> tuple[datetime, ...]:
        return _ago(*(seconds + 300 * number for number in range(count)))

    held = repair_hold(SHOP, BUDGET, last_was(wait - 1), START)

    assert held is not None
    assert (held.code.value, held.until) == ("back_off", START + timedelta(seconds=1))
    assert "fraisier retry shop/production" in held.to_go_on
    assert repair_hold(SHOP, BUDGET, last_was(wait), START) is None


def test_the_budget_is_spent_until_the_oldest_that_counts_is_an_hour_ago() -> None:
    repairs = _ago(60, 600, 1200, 1800, 2400, 3000, 4000)

    held = repair_hold(SHOP, BUDGET, repairs, START)

    assert held is not None
    assert held.code == "repair_budget"
    assert held.until == START + timedelta(seconds=600)
    assert held.message == "repaired 6 times within 1 h, and it came back each time"
    assert "fraisier retry shop/production" in held.to_go_on
    assert repair_hold(SHOP, BUDGET, repairs, START + timedelta(seconds=601)) is None


def test_more_than_the_budget_counts_from_the_newest() -> None:
    """A budget that was made smaller: three count, whatever else there was."""
    budget = RepairBudget(3, timedelta(hours=1))

    held = repair_hold(SHOP, budget, _ago(60, 600, 1200, 1800), START)

    assert held is not None
    assert held.until == START - timedelta(seconds=1200) + timedelta(hours=1)


moments = st.lists(st.integers(-100_000, 100_000), max_size=12).map(
    lambda seconds: tuple(START + timedelta(seconds=each) for each in sorted(seconds, reverse=True))
)
budgets = st.builds(
    RepairBudget, st.integers(1, 8), st.sampled_from([1, 90, 3600, 86400]).map(lambda s: timedelta(seconds=s))
)


@given(budgets, moments)
@examples(300)
def test_no_hold_lasts_longer_than_the_budgets_span_even_when_the_clock_was_set_back(
    budget: RepairBudget, repairs: tuple[datetime, ...]
) -> None:
    """Repairs in the future are from before the clock was set back, and would be waited for until then."""
    held = repair_hold(SHOP, budget, repairs, START)

    if held is not None:
        assert held.until is not None
        assert START < held.until <= START + budget.within
        assert held.message


@given(budgets, moments)
@examples(200)
def test_what_is_too_long_ago_or_yet_to_come_does_not_count(
    budget: RepairBudget, repairs: tuple[datetime, ...]
) -> None:
    recent = tuple(at for at in repairs if START - budget.within < at <= START)

    assert repair_hold(SHOP, budget, repairs, START) == repair_hold(SHOP, budget, recent, START)


def test_the_first_wait_is_short() -> None:
    assert timedelta(seconds=1) <= FIRST <= timedelta(minutes=1)


@given(budgets, moments)
@examples(200)
def test_a_hold_is_over_when_it_says_so(budget: RepairBudget, repairs: tuple[datetime, ...]) -> None:
    """Nothing but the waiting itself happens meanwhile, and it does not move on before us."""
    before = tuple(at for at in repairs if at <= START)
    held = repair_hold(SHOP, budget, before, START)

    if held is not None and held.until is not None:
        again = repair_hold(SHOP, budget, before, held.until)
        assert again is None or again.code == "back_off"
        assert again is None or again.until is None or again.until > held.until
