"""What is suspended is left alone, or stopped, as long as a person wants; what is cancelled ends in their name."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from fraisier.model.names import Scope
from fraisier.model.plan import Action
from fraisier.testing import Behaviour
from tests.support.bench import Bench

SCOPES = [Scope("shop", "production"), Scope("shop"), Scope()]


def _codes(action: Action) -> list[str]:
    return [hold.code.value for hold in action.held_by]


def _suspend(bench: Bench, scope: Scope | None = None, *, until: datetime | None = None, stop: bool = False) -> None:
    moment = {} if until is None else {"until": until.isoformat()}
    bench.ask("suspend", {"reason": "an audit", "stop": stop, **moment}, scope)


# -- suspended


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_what_is_suspended_is_not_touched_whatever_happens_to_it(bench: Bench, scope: Scope) -> None:
    old = bench.push("a")
    bench.settle()
    _suspend(bench, scope)
    bench.push("b")
    bench.configure(env={"LEVEL": "1"})
    bench.host.services.kill(bench.target.service.unit)
    bench.host.faults.disarm()

    held = bench.settle()

    assert _codes(held) == ["suspended"]
    assert "ann: an audit" in held.held_by[0].message
    assert bench.serving is None
    assert [name for name in bench.host.faults.names if name.startswith(("services.", "releases."))] == []
    status = bench.store.status_rows()[0]
    assert (status["sync"], status["reason"]["code"]) == ("held", "suspended")
    bench.ask("resume", scope=scope)
    bench.settle()
    assert bench.serving == bench.remote.branches["main"] != old


def test_what_is_suspended_and_in_sync_shows_it_all_the_same(bench: Bench) -> None:
    bench.push("a")
    bench.settle()
    _suspend(bench)

    seen = bench.settle()

    assert (seen.sync, seen.held_by) == ("in_sync", ())
    assert [note.code.value for note in seen.notes] == ["suspended"]
    assert bench.store.status_rows()[0]["reason"]["code"] == "suspended"


def test_a_suspension_ends_by_itself_at_its_moment(bench: Bench) -> None:
    bench.push("a")
    bench.settle()
    until = bench.host.clock.now() + timedelta(hours=2)
    _suspend(bench, until=until)
    new = bench.push("b")

    held = bench.cycle()

    assert held.seen.wake_at == until
    bench.host.clock.advance(7199)
    assert bench.cycle().outcome is None
    bench.host.clock.advance(1)
    assert bench.cycle().outcome == "converged"
    assert bench.serving == new


def test_a_wider_suspension_stays_when_a_target_is_resumed(bench: Bench) -> None:
    bench.push("a")
    bench.settle()
    _suspend(bench, Scope())
    bench.push("b")

    refused = bench.ask("resume")
    held = bench.settle()

    assert bench.answer(refused)[0] == "refused"
    assert _codes(held) == ["suspended"]
    assert held.held_by[0].to_go_on == "fraisier resume --all"


# -- stopped


def test_a_stop_stops_says_who_and_stays_until_it_is_resumed(bench: Bench) -> None:
    sha = bench.push("a")
    bench.settle()
    _suspend(bench, stop=True)

    plan = _after_receiving(bench)
    stopped = bench.cycle()
    still = bench.settle()

    assert (plan.action, plan.reasons[0].code.value) == ("repair", "stopped_by_person")
    assert "ann stopped it at 2026-01-02" in plan.reasons[0].message
    assert [step.kind for step in plan.steps] == ["stop"]
    assert stopped.outcome == "converged"
    assert (bench.serving, still.steps, still.sync) == (None, (), "held")
    bench.push("b")
    assert bench.settle().steps == ()
    assert bench.serving is None
    bench.ask("resume")
    bench.settle()
    assert bench.serving == bench.remote.branches["main"] != sha


def _after_receiving(bench: Bench) -> Action:
    bench.desk.receive()
    return bench.plan()


def test_what_a_person_stopped_comes_back_when_the_suspension_is_over_and_that_is_no_drift(bench: Bench) -> None:
    sha = bench.push("a")
    bench.settle()
    _suspend(bench, stop=True, until=bench.host.clock.now() + timedelta(hours=1))
    bench.settle()

    bench.host.clock.advance(3601)
    plan = bench.plan()
    bench.settle()

    assert plan.action == "repair"
    assert all(reason.drift is None for reason in plan.reasons), plan.reasons
    assert bench.serving == sha


def test_a_service_that_a_person_starts_again_by_hand_is_stopped_again(bench: Bench) -> None:
    bench.push("a")
    bench.settle()
    _suspend(bench, stop=True)
    bench.settle()
    app = bench.host.releases.app(bench.target.app_path)
    runtime = app.runtimes[bench.target.runtime_digest]
    release = bench.host.releases.path(bench.target.app_path, app.current or "")
    bench.host.services.restart(runtime, release, 10, bench.host.interrupt())

    bench.settle()

    assert bench.serving is None


# -- cancelled


def test_a_cancelled_deployment_ends_before_its_next_step_and_goes_back(bench: Bench) -> None:
    old = bench.push("a")
    bench.settle()
    new = bench.push("b", behaviour=Behaviour.UNHEALTHY)
    requests = bench.cancel_after(3.0)

    ended = bench.cycle()
    held = bench.settle()

    assert (ended.outcome, ended.message) == ("interrupted", "cancelled by ann")
    assert bench.answer(requests[0]) == ("done", "shop/production ends before its next step")
    assert [(entry.sha, entry.fault, entry.message) for entry in bench.recorded.quarantines] == [
        (new, "person", "cancelled by ann")
    ]
    assert _codes(held) == ["quarantined"]
    assert bench.serving == old
    assert bench.outcomes()[:2] == ["converged", "interrupted"]
    assert bench.recorded.back_off is None


def test_what_was_cancelled_may_be_tried_again(bench: Bench) -> None:
    bench.push("a")
    bench.settle()
    new = bench.push("b", behaviour=Behaviour.SLOW)
    bench.cancel_after(1.0)
    bench.settle()

    bench.ask("retry")
    bench.settle()

    assert bench.serving == new


def test_a_first_deployment_that_is_cancelled_leaves_nothing_running(bench: Bench) -> None:
    bench.push("a", behaviour=Behaviour.UNHEALTHY)
    bench.cancel_after(3.0)

    bench.settle()

    assert bench.serving is None
    assert [entry.fault for entry in bench.recorded.quarantines] == ["person"]


def test_a_cancelled_repair_waits_and_quarantines_nothing(bench: Bench) -> None:
    sha = bench.push("a")
    bench.settle()
    bench.host.behaviours[sha] = Behaviour.UNHEALTHY
    bench.host.services.kill(bench.target.service.unit)
    bench.cancel_after(3.0)

    ended = bench.cycle()

    assert ended.outcome == "interrupted"
    assert bench.recorded.quarantines == ()
    assert _codes(ended.seen.action) == ["back_off"]
    assert "cancelled by ann" in ended.seen.action.held_by[0].message
    bench.host.behaviours.clear()
    bench.settle()
    assert bench.serving == sha


def test_a_cancelled_way_back_waits_too_and_is_gone_on_with(bench: Bench) -> None:
    old = bench.push("a")
    bench.settle()
    new = bench.push("b", behaviour=Behaviour.UNHEALTHY)
    bench.host.behaviours[old] = Behaviour.UNHEALTHY
    bench.cancel_after(33.0)  # the trial of b takes 30 seconds

    ended = bench.cycle()

    assert ended.outcome == "interrupted"
    assert [(entry.sha, entry.fault) for entry in bench.recorded.quarantines] == [(new, "revision")]
    bench.host.behaviours[old] = Behaviour.HEALTHY
    bench.settle()
    assert bench.serving == old


def test_with_nothing_to_end_a_cancellation_is_refused(bench: Bench) -> None:
    bench.push("a")
    bench.settle()
    request = bench.ask("cancel")

    bench.cycle()

    assert bench.answer(request) == ("refused", "nothing is being done to shop/production\nsee: fraisier status")
