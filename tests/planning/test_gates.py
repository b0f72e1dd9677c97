"""What keeps a plan from running although it has steps, gate by gate; and what passes each of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fraisier.model.config import RepairBudget, Window
from fraisier.model.names import Scope, TargetId
from fraisier.model.plan import Action, ActionKind, Drift, Goal, Hold, Reason, ReasonCode
from fraisier.model.state import (
    Approval,
    BackOff,
    DependencyState,
    Emergency,
    HealthyRevision,
    Recorded,
    Suspension,
)
from fraisier.planning.back_off import LONGEST, SPREAD
from fraisier.planning.gates import Circumstances, gate
from fraisier.steps.fetch import Fetch
from fraisier.testing import api_target
from fraisier.testing.clock import START
from tests.support.profiles import examples

TARGET = api_target()
NEW, OLD = "b" * 40, "a" * 40
CHANGES: tuple[ActionKind, ...] = ("deploy", "reconfigure")
OTHERS: tuple[ActionKind, ...] = ("repair", "roll_back")
DRIFTED = Reason(ReasonCode.DRIFT_SERVICE, "drift", Drift("service", "running", "stopped"))


def action_of(kind: ActionKind = "deploy", code: ReasonCode = ReasonCode.HEAD_MOVED, **changes: Any) -> Action:
    reason = DRIFTED if kind == "repair" and code is ReasonCode.HEAD_MOVED else Reason(code, "because")
    made = Action(
        TARGET.id,
        kind,
        "pending" if kind in CHANGES else "drifted",
        (reason,),
        (Fetch(TARGET.remote, "main", NEW),),
        from_revision=OLD,
        to_revision=NEW,
        config_digest=TARGET.config_digest,
    )
    return replace(made, **changes)


def around_of(recorded: Recorded | None = None, **changes: Any) -> Circumstances:
    now = changes.pop("now", START)
    dependencies: Iterable[DependencyState] = changes.pop("dependencies", ())
    invalid: Hold | None = changes.pop("invalid", None)
    return Circumstances(replace(TARGET, **changes), recorded or Recorded(), dependencies, now, invalid)


def codes(action: Action, around: Circumstances) -> list[str]:
    return [hold.code.value for hold in gate(action, around).held_by]


def proven(sha: str, **changes: Any) -> HealthyRevision:
    made = HealthyRevision("main", sha, TARGET.build_digest, TARGET.runtime_digest, START, sha)
    return replace(made, **changes)


# -- all of them


@pytest.mark.parametrize("kind", [*CHANGES, *OTHERS])
def test_what_nothing_holds_passes_as_it_is(kind: ActionKind) -> None:
    action = action_of(kind)

    assert gate(action, around_of()) == action


def test_what_has_no_steps_is_held_by_nothing() -> None:
    action = action_of("none", steps=())
    suspended = Recorded(suspensions=(Suspension(Scope(), "x", "ann", START),))

    assert gate(action, around_of(suspended)) is action


def test_every_hold_is_named_and_says_how_to_go_on() -> None:
    everything = Recorded(
        suspensions=(Suspension(Scope.of(TARGET.id), "an audit", "ann", START),),
        back_off=BackOff(NEW, TARGET.config_digest, 1, START + timedelta(seconds=5), "the remote hung up"),
    )
    around = around_of(
        everything,
        windows=(Window("freeze", "deny"),),
        approval=True,
        dependencies=(DependencyState(TargetId("db", "production"), False, "it was never healthy"),),
        invalid=Hold(ReasonCode.CONFIG_INVALID, "bad", "mend it"),
    )

    held = gate(action_of(), around)

    assert [hold.code.value for hold in held.held_by] == [
        "suspended",
        "config_invalid",
        "back_off",
        "window",
        "approval",
        "dependency",
    ]
    assert all(hold.message and hold.to_go_on for hold in held.held_by)
    assert held.sync == "held"
    assert not held.is_runnable


def test_a_repair_that_is_held_is_still_drift() -> None:
    suspended = Recorded(suspensions=(Suspension(Scope(), "x", "ann", START),))

    assert gate(action_of("repair"), around_of(suspended)).sync == "drifted"


def test_what_holds_already_stays() -> None:
    hold = Hold(ReasonCode.QUARANTINED, "bad", "push another")
    suspended = Recorded(suspensions=(Suspension(Scope(), "x", "ann", START),))

    assert codes(action_of(held_by=(hold,)), around_of(suspended)) == ["quarantined", "suspended"]


# -- suspensions


@pytest.mark.parametrize("kind", [*CHANGES, *OTHERS])
@pytest.mark.parametrize("scope", [Scope.of(TARGET.id), Scope("shop"), Scope()], ids=str)
def test_a_suspension_holds_everything(scope: Scope, kind: ActionKind) -> None:
    around = around_of(Recorded(suspensions=(Suspension(scope, "an audit", "ann", START),)))

    assert codes(action_of(kind), around) == ["suspended"]


def test_a_stop_that_a_person_asked_for_is_not_held_by_the_suspension_that_asks_for_it() -> None:
    around = around_of(Recorded(suspensions=(Suspension(Scope(), "an audit", "ann", START, stop=True),)))

    assert codes(action_of("repair", ReasonCode.STOPPED_BY_PERSON), around) == []


# -- a configuration with problems


def test_a_broken_configuration_lets_repairs_and_returns_pass_and_nothing_new() -> None:
    around = around_of(invalid=Hold(ReasonCode.CONFIG_INVALID, "line 4", "mend it"))

    assert [codes(action_of(kind), around) for kind in CHANGES] == [["config_invalid"]] * 2
    assert [codes(action_of(kind), around) for kind in OTHERS] == [[], []]


# -- windows

PARIS = ZoneInfo("Europe/Paris")
OFFICE = Window("office", "allow", frozenset({"mon", "tue", "wed", "thu", "fri"}), time(9), time(18), PARIS)
FRIDAY_NIGHT = datetime(2026, 11, 27, 21, tzinfo=UTC)


@pytest.mark.parametrize("kind", CHANGES)
def test_outside_of_its_windows_nothing_new_begins_and_the_hold_ends_by_itself(kind: ActionKind) -> None:
    held = gate(action_of(kind), around_of(windows=(OFFICE,), now=FRIDAY_NIGHT))

    assert [hold.code.value for hold in held.held_by] == ["window"]
    assert held.held_by[0].until == datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert "--emergency" in held.held_by[0].to_go_on
    assert "office" in held.held_by[0].message


def test_inside_of_its_windows_it_begins() -> None:
    assert codes(action_of(), around_of(windows=(OFFICE,), now=datetime(2026, 11, 27, 8, tzinfo=UTC))) == []


@pytest.mark.parametrize("kind", OTHERS)
def test_repairs_and_returns_know_no_windows(kind: ActionKind) -> None:
    assert codes(action_of(kind), around_of(windows=(OFFICE,), now=FRIDAY_NIGHT)) == []


@pytest.mark.parametrize("kind", CHANGES)
def test_what_has_begun_may_finish_when_the_window_closes(kind: ActionKind) -> None:
    assert codes(action_of(kind, ReasonCode.UNFINISHED), around_of(windows=(OFFICE,), now=FRIDAY_NIGHT)) == []


@pytest.mark.parametrize(("sha", "held"), [(NEW, []), (OLD, ["window"])])
def test_an_emergency_is_for_exactly_one_revision(sha: str, held: list[str]) -> None:
    recorded = Recorded(emergency=Emergency(sha, "the shop is down", "ann", START))

    assert codes(action_of(), around_of(recorded, windows=(OFFICE,), now=FRIDAY_NIGHT)) == held


def test_a_window_that_never_opens_says_to_change_it() -> None:
    held = gate(action_of(), around_of(windows=(Window("freeze", "deny"),)))

    assert held.held_by[0].until is None
    assert "change deploy.windows (fraises.yaml:4:7)" in held.held_by[0].to_go_on
    assert "--emergency" in held.held_by[0].to_go_on


def _trial_is_over(*healthy: HealthyRevision) -> tuple[Action, Recorded]:
    goal = Goal("main", NEW, NEW, TARGET.build_digest, TARGET.runtime_digest)
    action = action_of("deploy", ReasonCode.UNPINNED, proves=goal)
    return action, Recorded(healthy=(proven("f" * 40, is_chosen=True), *healthy))


def test_what_served_before_a_trial_returns_at_any_time_and_asks_nobody() -> None:
    action, recorded = _trial_is_over(proven(NEW))

    assert codes(action, around_of(recorded, windows=(OFFICE,), approval=True, now=FRIDAY_NIGHT)) == []


@pytest.mark.parametrize("served", [(), (proven(OLD),), (proven(NEW, runtime_digest="other"),)], ids=len)
def test_what_never_served_waits_also_after_a_trial(served: tuple[HealthyRevision, ...]) -> None:
    action, recorded = _trial_is_over(*served)

    held = codes(action, around_of(recorded, windows=(OFFICE,), approval=True, now=FRIDAY_NIGHT))
    assert held == ["window", "approval"]


# -- approvals


def _hash(action: Action, around: Circumstances) -> str:
    """What the person is asked to approve."""
    held = gate(action, around)
    assert [hold.code.value for hold in held.held_by] == ["approval"]
    assert held.hash in held.held_by[0].message
    return held.hash


@pytest.mark.parametrize("kind", CHANGES)
def test_what_was_approved_passes_and_needs_no_other_word(kind: ActionKind) -> None:
    around = around_of(Recorded(healthy=(proven(OLD),)), approval=True)
    wanted = _hash(action_of(kind), around)

    approved = replace(around, recorded=replace(around.recorded, approval=Approval(wanted, "bob", START)))

    assert codes(action_of(kind), approved) == []


def test_an_approval_outlives_how_far_an_attempt_got() -> None:
    """Steps, reasons and what `current` points at change while it is carried out; what was approved does not."""
    around = around_of(Recorded(healthy=(proven(OLD),)), approval=True)
    approval = Approval(_hash(action_of(), around), "bob", START)
    approved = replace(around, recorded=replace(around.recorded, approval=approval))

    later = action_of("reconfigure", ReasonCode.CONFIG_CHANGED, from_revision=NEW, steps=action_of().steps * 3)

    assert codes(later, approved) == []


@pytest.mark.parametrize(
    "moved",
    [
        {"action": {"to_revision": "c" * 40}},
        {"target": {"config_digest": "other"}},
        {"target": {"runtime_digest": "other"}},
        {"target": {"build_digest": "other"}},
        {"recorded": {"healthy": (proven("c" * 40),)}},
        {"recorded": {"healthy": (proven(OLD, runtime_digest="other"),)}},
        {"recorded": {"healthy": ()}},
    ],
    ids=str,
)
def test_an_approval_is_void_when_what_it_was_given_for_moved(moved: dict[str, dict[str, Any]]) -> None:
    around = around_of(Recorded(healthy=(proven(OLD),)), approval=True)
    approval = Approval(_hash(action_of(), around), "bob", START)
    recorded = replace(around.recorded, approval=approval, **moved.get("recorded", {}))
    now = replace(around, recorded=recorded, target=replace(around.target, **moved.get("target", {})))

    held = gate(action_of(**moved.get("action", {})), now)

    assert [hold.code.value for hold in held.held_by] == ["approval"]
    assert f"bob approved another one, {approval.hash}" in held.held_by[0].message
    assert held.hash != approval.hash


@pytest.mark.parametrize("kind", OTHERS)
def test_repairs_and_returns_wait_for_nobody(kind: ActionKind) -> None:
    assert codes(action_of(kind), around_of(approval=True)) == []


@pytest.mark.parametrize("kind", CHANGES)
def test_what_has_begun_is_not_asked_for_again(kind: ActionKind) -> None:
    assert codes(action_of(kind, ReasonCode.UNFINISHED), around_of(approval=True)) == []


# -- back-off

back_offs = st.builds(
    BackOff,
    st.sampled_from([NEW, OLD]),
    st.sampled_from([TARGET.config_digest, "other"]),
    st.integers(1, 9),
    st.integers(-3000, 3000).map(lambda seconds: START + timedelta(seconds=seconds)),
    st.just("the remote hung up"),
)


@given(back_offs, st.sampled_from([*CHANGES, *OTHERS]))
@examples(100)
def test_only_what_failed_waits_and_no_longer_than_any_wait_is(back_off: BackOff, kind: ActionKind) -> None:
    held = codes(action_of(kind), around_of(Recorded(back_off=back_off)))

    same = (back_off.sha, back_off.config_digest) == (NEW, TARGET.config_digest)
    lasts = START < back_off.until <= START + LONGEST * (1 + SPREAD)
    assert held == (["back_off"] if same and lasts else [])


# -- the budget of repairs


def _repaired(*seconds_ago: float) -> Recorded:
    return Recorded(repairs=tuple(START - timedelta(seconds=seconds) for seconds in seconds_ago))


def test_drift_that_comes_back_too_often_is_left() -> None:
    around = around_of(_repaired(100, 200, 300), repairs=RepairBudget(3, timedelta(hours=1)))

    assert codes(action_of("repair"), around) == ["repair_budget"]


@pytest.mark.parametrize("kind", [*CHANGES, "roll_back"])
def test_the_budget_is_for_repairs_alone(kind: ActionKind) -> None:
    around = around_of(_repaired(100, 200, 300), repairs=RepairBudget(3, timedelta(hours=1)))

    assert codes(action_of(kind), around) == []


def test_the_budget_is_for_drift_alone() -> None:
    """What a person has stopped, and what was not finished, is no drift that comes back."""
    around = around_of(_repaired(100, 200, 300), repairs=RepairBudget(3, timedelta(hours=1)))

    assert codes(action_of("repair", ReasonCode.UNFINISHED), around) == []


# -- dependencies


@pytest.mark.parametrize("kind", CHANGES)
def test_what_is_new_waits_for_each_dependency(kind: ActionKind) -> None:
    ready, not_ready = TargetId("db", "production"), TargetId("cache", "production")
    states = (DependencyState(ready, True), DependencyState(not_ready, False, "it was never healthy"))

    held = gate(action_of(kind), around_of(dependencies=states))

    assert [hold.code.value for hold in held.held_by] == ["dependency"]
    assert held.held_by[0].message == "waits for cache/production: it was never healthy"
    assert "cache/production" in held.held_by[0].to_go_on


@pytest.mark.parametrize("kind", OTHERS)
def test_what_served_before_may_serve_again_whatever_it_depends_on(kind: ActionKind) -> None:
    states = (DependencyState(TargetId("db", "production"), False, "it was never healthy"),)

    assert codes(action_of(kind), around_of(dependencies=states)) == []


def test_what_was_begun_waits_for_its_dependencies_all_the_same() -> None:
    """Law 15 is about what runs together, not about when somebody may be disturbed."""
    states = (DependencyState(TargetId("db", "production"), False, "it was never healthy"),)

    assert codes(action_of("deploy", ReasonCode.UNFINISHED), around_of(dependencies=states)) == ["dependency"]
