"""What people arranged counts until its own moment, is shown by its narrowest scope, and says how to end it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fraisier.model.names import Scope
from fraisier.model.selection import Branch, Exact
from fraisier.model.state import HealthyRevision, Override, Recorded, Suspension
from fraisier.planning.standing import (
    ends_at,
    lineage_base,
    override_note,
    selection_of,
    standing_at,
    suspension_hold,
)
from fraisier.testing import api_target
from fraisier.testing.clock import START
from tests.support.profiles import examples
from tests.support.states import arranged_pasts

TARGET = api_target()
HOUR = timedelta(hours=1)
OWN, FRAISE, EVERYTHING = Scope.of(TARGET.id), Scope("shop"), Scope()


def suspension(scope: Scope = OWN, **changes: object) -> Suspension:
    return replace(Suspension(scope, "an audit", "ann", START), **changes)  # type: ignore[arg-type]


def proven(sha: str, *, is_chosen: bool = False) -> HealthyRevision:
    return HealthyRevision("main", sha, "b", "r", START, sha, is_chosen)


@given(arranged_pasts, st.integers(-20, 20))
@examples(200)
def test_what_is_over_counts_no_more_and_everything_else_stays(recorded: Recorded, minutes: int) -> None:
    now = START + timedelta(minutes=minutes)

    standing = standing_at(recorded, now)

    lasting = tuple(each for each in recorded.suspensions if each.until is None or each.until > now)
    override = recorded.override
    over = override is not None and override.until is not None and override.until <= now
    assert standing == replace(recorded, suspensions=lasting, override=None if over else override)
    assert standing_at(standing, now) == standing


@given(arranged_pasts)
@examples(100)
def test_nothing_changes_by_itself_before_the_moment_that_is_told(recorded: Recorded) -> None:
    standing = standing_at(recorded, START)
    moment = ends_at(standing)

    if moment is None:
        assert standing_at(standing, START + 10_000 * HOUR) == standing
    else:
        assert standing_at(standing, moment - timedelta(microseconds=1)) == standing
        assert standing_at(standing, moment) != standing


def test_a_pin_selects_instead_of_what_is_declared() -> None:
    pinned = Recorded(override=Override("pin", Exact("a" * 40), "ann", START))

    assert selection_of(TARGET, pinned) == Exact("a" * 40)
    assert selection_of(TARGET, Recorded()) == Branch("main")


def test_a_head_descends_from_the_newest_proof_that_was_nobodys_choice() -> None:
    chosen, old = proven("b", is_chosen=True), proven("a")

    assert lineage_base(Recorded(healthy=(chosen, old))) == old
    assert lineage_base(Recorded(healthy=(chosen,))) is None


def test_the_narrowest_suspension_is_shown_and_all_are_to_be_resumed() -> None:
    hold = suspension_hold(TARGET.id, (suspension(), suspension(FRAISE), suspension(EVERYTHING)))

    assert hold is not None
    assert hold.message == "suspended since 2026-01-02 03:04 UTC by ann: an audit"
    assert hold.to_go_on == ("fraisier resume shop/production, then: fraisier resume shop, then: fraisier resume --all")


def test_a_wider_suspension_names_its_scope() -> None:
    hold = suspension_hold(TARGET.id, (suspension(FRAISE, stop=True, until=START + HOUR, reason=""),))

    assert hold is not None
    assert hold.message == (
        "suspended and stopped (shop/*) since 2026-01-02 03:04 UTC until 2026-01-02 04:04 UTC by ann"
    )


@pytest.mark.parametrize(
    ("untils", "until"),
    [((None,), None), ((1,), 1), ((1, 3, 2), 3), ((1, None), None)],
    ids=str,
)
def test_it_is_held_until_the_last_of_them_is_over(untils: tuple[int | None, ...], until: int | None) -> None:
    moments = [None if hours is None else START + hours * HOUR for hours in untils]
    hold = suspension_hold(TARGET.id, [suspension(until=moment) for moment in moments])

    assert hold is not None
    assert hold.until == (None if until is None else START + until * HOUR)


def test_without_a_suspension_nothing_holds() -> None:
    assert suspension_hold(TARGET.id, ()) is None


def test_a_pin_and_a_trial_are_shown_with_who_why_and_how_to_end_them() -> None:
    pin = override_note(TARGET.id, Override("pin", Exact("a" * 40), "ann", START, "the fix waits"))
    trial = override_note(TARGET.id, Override("try", Branch("fix-x"), "bob", START, "", START + 2 * HOUR))

    assert (pin.code.value, pin.until) == ("pinned", None)
    assert pin.message == "pinned to aaaaaaa by ann since 2026-01-02 03:04 UTC: the fix waits"
    assert pin.to_go_on == "fraisier unpin shop/production"
    assert (trial.code.value, trial.until) == ("tried", START + 2 * HOUR)
    assert trial.message == "bob tries fix-x until 2026-01-02 05:04 UTC"
    assert trial.to_go_on == "it returns by itself, or now: fraisier unpin shop/production"
