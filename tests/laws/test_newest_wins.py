"""Law 6: a newer revision passes by one that waits. Laws 9 and 10: the gate, and the way back. Law 13: rewinds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fraisier.model.errors import Transient
from fraisier.model.state import Unknown
from fraisier.testing import Behaviour, PowerCut
from tests.support.bench import Bench


def test_a_newer_commit_supersedes_a_health_gate(bench: Bench) -> None:
    bench.push("a", behaviour=Behaviour.UNHEALTHY)
    bench.supersede_after(3.0, "b")

    first = bench.cycle()
    second = bench.cycle()

    assert (first.outcome, second.outcome) == ("superseded", "converged")
    assert bench.recorded.quarantines == ()
    assert bench.serving == bench.remote.branches["main"]


def test_a_newer_commit_passes_by_a_back_off(bench: Bench) -> None:
    bench.push("a")
    bench.host.faults.arm(6, "before", lambda: Transient("the remote hung up", code="remote_unreachable"))
    assert bench.cycle().seen.action.is_held

    newer = bench.push("b")

    assert bench.cycle().outcome == "converged"
    assert bench.serving == newer


def test_a_step_that_has_begun_is_finished_before_the_newer_commit_is_seen_to(bench: Bench) -> None:
    """Only waits are ended: `current` and the service are never left between two revisions by an interrupt."""
    bench.push("a")
    bench.host.commands.script = None
    bench.interrupt.set("superseded", "superseded by b")
    bench.supersede_after(0.5, "b")

    first = bench.cycle()

    kinds = [(event.kind, event.step) for event in bench.store.events_after(0)]
    assert first.outcome == "superseded"
    assert kinds.count(("step_started", "restart")) == kinds.count(("step_finished", "restart")) == 1
    assert ("step_failed", "health") in kinds


def test_the_deadline_of_a_gate_survives_a_restart_of_the_daemon(bench: Bench) -> None:
    bad = bench.push("a", behaviour=Behaviour.UNHEALTHY)
    _die_in_the_gate(bench)
    gate = bench.recorded.gate
    assert gate is not None
    starts = len(bench.host.services.starts)

    bench.restart(power=False)
    health = bench.plan().steps[-2 if bench.plan().steps[-1].kind == "prune" else -1]

    assert health.deadline_at == gate.deadline_at  # type: ignore[attr-defined]
    bench.host.clock.advance(60)
    before = bench.host.clock.monotonic()
    assert bench.cycle().outcome == "failed"
    assert bench.host.clock.monotonic() - before < 1, "it fails at the first look: its moment has passed"
    assert len(bench.host.services.starts) == starts, "nothing is started again for it"
    assert [entry.sha for entry in bench.recorded.quarantines] == [bad]


def test_a_loss_of_power_in_the_gate_is_not_held_against_the_revision(bench: Bench) -> None:
    """The service is started afresh then, and has its whole time again."""
    slow = bench.push("a", behaviour=Behaviour.SLOW)
    _die_in_the_gate(bench)

    bench.restart(power=True)
    bench.host.services.live.clear()
    bench.host.services.known.clear()
    bench.host.clock.advance(3600)
    bench.settle()

    assert bench.recorded.quarantines == ()
    assert bench.serving == slow == bench.recorded.healthy[0].sha


def _die_in_the_gate(bench: Bench) -> None:
    """`kill -9` while the gate waits."""

    def die() -> None:
        raise PowerCut

    bench.host.clock.after(4.0, die)
    with pytest.raises(PowerCut):
        bench.cycle()


@pytest.mark.parametrize("hours", [-48, -1, 48])
def test_a_clock_that_jumps_delays_nothing_for_long(bench: Bench, hours: int) -> None:
    bench.push("a")
    bench.host.faults.arm(6, "before", lambda: Transient("the remote hung up", code="remote_unreachable"))
    bench.cycle()

    bench.host.clock.jump(timedelta(hours=hours))
    bench.host.clock.advance(16 * 60)

    assert bench.cycle().outcome == "converged"


def test_a_stored_gate_is_no_longer_than_a_new_one_when_the_clock_was_set_back(bench: Bench) -> None:
    bench.push("a", behaviour=Behaviour.UNHEALTHY)
    _die_in_the_gate(bench)
    bench.restart(power=False)
    bench.host.clock.jump(timedelta(days=-2))
    before = bench.host.clock.monotonic()

    bench.cycle()

    assert bench.host.clock.monotonic() - before <= 35


def test_the_way_back_is_the_same_pipeline_in_the_same_attempt(bench: Bench) -> None:
    old = bench.push("a")
    bench.settle()
    bad = bench.push("b", behaviour=Behaviour.UNHEALTHY)

    back = bench.cycle()

    steps = [event.step for event in bench.store.events_after(0) if event.kind == "step_finished"][-4:]
    assert (back.outcome, back.proven) == ("rolled_back", old)
    assert steps == ["configure", "activate", "restart", "health"]
    assert bench.recorded.quarantines[0].sha == bad
    assert bench.outcomes() == ["rolled_back", "converged"]


def test_a_first_deployment_that_fails_leaves_the_unit_stopped_and_says_so(bench: Bench) -> None:
    bench.push("a", behaviour=Behaviour.UNHEALTHY)

    failed = bench.cycle()

    assert failed.outcome == "failed"
    assert "stopped" in failed.message
    assert bench.serving is None
    assert bench.recorded.healthy == ()


def test_a_rewind_is_held_until_it_is_accepted_by_name(bench: Bench) -> None:
    old = bench.push("a")
    bench.settle()
    new = bench.push("b")
    bench.settle()
    bench.remote.branches["main"] = old

    held = bench.settle()

    assert [hold.code for hold in held.held_by] == ["rewind"]
    assert held.held_by[0].to_go_on == f"fraisier deploy shop/production --allow-rewind {old}"
    assert bench.serving == new
    bench.ask("deploy", {"allow_rewind": old})
    bench.settle()
    assert bench.serving == old


def test_a_rewind_is_held_although_it_could_not_be_told_before_the_fetch(bench: Bench) -> None:
    base = bench.push("a")
    bench.settle()
    healthy = bench.push("b")
    bench.settle()
    fork = bench.push("fork", onto=base)
    bench.host.faults.arm(2, "before", lambda: Transient("the remote hung up", code="remote_unreachable"))

    first = bench.cycle()
    held = bench.settle()

    assert first.outcome == "superseded"
    assert "was rewound" in first.message
    assert [hold.code for hold in held.held_by] == ["rewind"]
    assert bench.serving == healthy
    assert fork not in {start.sha for start in bench.host.services.starts}


def test_an_unreachable_remote_repairs_and_removes_nothing(bench: Bench) -> None:
    sha = bench.push("a")
    bench.settle()
    bench.remote.reachable = False
    bench.host.services.kill(bench.target.service.unit)

    repaired = bench.settle()

    assert bench.serving == sha
    assert [reason.code for reason in repaired.incomplete] == ["stale"]
    assert "as seen at 2026-01-02 03:04:1" in repaired.incomplete[0].message


@pytest.mark.parametrize("facet", ["releases", "services"])
def test_an_unreadable_host_is_left_alone(bench: Bench, facet: str) -> None:
    sha = bench.push("a")
    bench.settle()
    bench.push("b")
    getattr(bench.host, facet).unreadable = Unknown("unreadable", "permission denied")

    seen = bench.cycle()

    assert (seen.outcome, seen.seen.action.steps) == (None, ())
    assert seen.seen.action.incomplete
    assert bench.serving == sha


def test_a_person_goes_back_and_stays_there(bench: Bench) -> None:
    from fraisier.reconcile.requests import rollback_payload

    old = bench.push("a")
    bench.settle()
    new = bench.push("b")
    bench.settle()
    request = bench.ask("rollback", rollback_payload(bench.recorded, new, None))

    held = bench.settle()

    assert bench.store.request_state(request.id)[0] == "done"
    assert bench.serving == old
    assert [hold.code for hold in held.held_by] == ["quarantined"]
    bench.ask("retry")
    bench.settle()
    assert bench.serving == new
