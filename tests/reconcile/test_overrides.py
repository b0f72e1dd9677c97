"""Pins and trials: what is selected instead, visible everywhere, and what its end is and is not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from fraisier.model.names import Scope
from fraisier.model.plan import Action
from fraisier.model.state import Suspension
from fraisier.reconcile.requests import rollback_payload
from fraisier.testing import Behaviour
from tests.support.bench import Bench

HOURS = timedelta(hours=1)


def _pin(bench: Bench, sha: str, reason: str = "the fix waits") -> None:
    bench.ask("pin", {"kind": "revision", "value": sha, "reason": reason})


def _try(bench: Bench, branch: str, until: datetime) -> None:
    bench.ask("pin", {"kind": "branch", "value": branch, "try": True, "until": until.isoformat()})


def _codes(action: Action) -> list[str]:
    return [each.code.value for each in (*action.held_by, *action.notes)]


def test_a_pin_deploys_what_is_pinned_says_who_and_why_and_holds_nothing_else(bench: Bench) -> None:
    old = bench.push("a")
    bench.settle()
    bench.push("b")
    bench.settle()

    _pin(bench, old)
    pinned = bench.cycle()
    later = bench.push("c")
    kept = bench.settle()

    assert pinned.outcome == "converged"
    assert bench.serving == old
    assert bench.store.history_rows()[0]["to_revision"] == old
    assert bench.store.history_rows()[0]["action"] == "deploy"
    assert (kept.sync, kept.steps, _codes(kept)) == ("in_sync", (), ["pinned"])
    status = bench.store.status_rows()[0]
    assert status["desired"] == old
    bench.ask("unpin")
    bench.settle()
    assert bench.serving == later


def test_the_reason_of_a_pin_is_in_the_plan(bench: Bench) -> None:
    old = bench.push("a")
    bench.settle()
    new = bench.push("b")
    bench.settle()
    bench.store.suspend(Suspension(Scope(), "", "ann", bench.host.clock.now()))
    _pin(bench, old)
    bench.settle()

    plan = bench.plan()

    assert (plan.reasons[0].code.value, plan.reasons[0].message) == (
        "pinned",
        f"ann pinned it to {old[:7]}: the fix waits",
    )
    assert _codes(plan) == ["suspended", "pinned"]
    assert bench.serving == new


def test_a_trial_returns_by_itself_when_its_time_is_over(bench: Bench) -> None:
    main = bench.push("a")
    bench.settle()
    tried = bench.push("fix", branch="fix-x", onto=main)
    _try(bench, "fix-x", bench.host.clock.now() + 2 * HOURS)

    bench.settle()
    during = bench.plan()
    newer = bench.push("better", branch="fix-x")
    bench.settle()
    assert bench.serving == newer, "what is tried is a branch, wherever it moves"
    bench.host.clock.advance(7200)
    after = bench.plan()
    bench.settle()

    assert tried in {start.sha for start in bench.host.services.starts}
    assert _codes(during) == ["tried"]
    assert "ann tries fix-x until 2026-01-02 05:04 UTC" in during.notes[0].message
    assert bench.serving == main
    assert after.reasons[0].code == "unpinned"
    assert after.held_by == (), "the branch has not moved: returning to it is no rewind"
    assert _codes(bench.plan()) == []


def test_the_end_of_a_trial_wakes_its_target_at_its_moment(bench: Bench) -> None:
    main = bench.push("a")
    bench.settle()
    bench.push("fix", branch="fix-x", onto=main)
    until = bench.host.clock.now() + 2 * HOURS
    _try(bench, "fix-x", until)

    bench.settle()

    assert bench.look().wake_at == until
    bench.ask("unpin")
    bench.settle()
    assert bench.look().wake_at is None


@pytest.mark.parametrize("onto_trial", [True, False])
def test_what_comes_after_a_trial_descends_from_the_branch_and_need_not_from_what_was_tried(
    bench: Bench, onto_trial: bool
) -> None:
    main = bench.push("a")
    bench.settle()
    tried = bench.push("fix", branch="fix-x", onto=main)
    _try(bench, "fix-x", bench.host.clock.now() + HOURS)
    bench.settle()
    bench.host.clock.advance(3601)

    new = bench.push("b", onto=tried if onto_trial else main)
    bench.settle()

    assert bench.serving == new
    assert not bench.plan().held_by


def test_a_branch_that_was_rewound_during_a_trial_is_held_after_it(bench: Bench) -> None:
    """A trial launders no force push."""
    bench.push("a")
    main = bench.push("b")
    bench.settle()
    bench.push("fix", branch="fix-x", onto=main)
    _try(bench, "fix-x", bench.host.clock.now() + HOURS)
    bench.settle()
    rewound = bench.push("other", onto=next(iter(bench.remote.parents)))
    bench.host.clock.advance(3601)

    held = bench.settle()

    assert [hold.code.value for hold in held.held_by] == ["rewind"]
    assert rewound not in {start.sha for start in bench.host.services.starts}


def test_a_pin_to_what_does_not_descend_is_no_rewind_for_a_person_named_it(bench: Bench) -> None:
    old = bench.push("a")
    bench.push("b")
    bench.settle()

    _pin(bench, old)
    bench.settle()

    assert bench.serving == old


def test_a_trial_of_a_bad_revision_goes_back_and_does_not_block_the_branch(bench: Bench) -> None:
    main = bench.push("a")
    bench.settle()
    bad = bench.push("bad", branch="fix-x", onto=main, behaviour=Behaviour.UNHEALTHY)
    _try(bench, "fix-x", bench.host.clock.now() + HOURS)

    held = bench.settle()

    assert bench.serving == main
    assert [hold.code.value for hold in held.held_by] == ["quarantined"]
    assert [entry.sha for entry in bench.recorded.quarantines] == [bad]
    bench.host.clock.advance(3601)
    assert bench.settle().sync == "in_sync"


def test_a_trial_of_a_branch_that_is_not_there_keeps_what_serves(bench: Bench) -> None:
    main = bench.push("a")
    bench.settle()
    _try(bench, "no-such", bench.host.clock.now() + HOURS)

    held = bench.settle()

    assert bench.serving == main
    assert "branch_missing" in _codes(held)
    assert "tried" in _codes(held)


def test_the_newest_pin_counts(bench: Bench) -> None:
    first = bench.push("a")
    bench.settle()
    second = bench.push("b")
    bench.settle()

    _pin(bench, first)
    _pin(bench, second)
    bench.settle()

    assert bench.serving == second
    assert bench.recorded.override is not None
    bench.ask("unpin")
    bench.cycle()
    again = bench.ask("unpin")
    bench.cycle()
    assert bench.answer(again)[0] == "refused"


def test_a_rollback_leaves_what_was_pinned(bench: Bench) -> None:
    """The pin stands, and its revision is in quarantine in the person's name: a hold that says both."""
    old = bench.push("a")
    bench.settle()
    new = bench.push("b")
    bench.settle()
    _pin(bench, new)
    bench.settle()

    bench.ask("rollback", rollback_payload(bench.recorded, new, None))
    held = bench.settle()

    assert bench.serving == old
    assert "quarantined" in _codes(held)
    assert "unpin" in held.held_by[0].to_go_on
