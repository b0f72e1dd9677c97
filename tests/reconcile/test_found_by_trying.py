"""States that were found by trying to get the reconciler into trouble, and must not come back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fraisier.model.config import OnDrift
from fraisier.model.errors import Transient
from fraisier.model.plan import ReasonCode
from fraisier.testing import Behaviour
from fraisier.testing.services import FakeServices
from tests.support.bench import Bench


def test_a_pin_to_what_serves_does_not_hide_it_from_the_next_rewind(bench: Bench):
    first = bench.push("a")
    bench.settle()
    second = bench.push("b")
    bench.settle()
    bench.ask("pin", {"kind": "revision", "value": second, "reason": "freeze"})
    bench.settle()
    bench.host.services.kill(bench.target.service.unit)  # repaired, and so proven, under the pin
    bench.settle()
    bench.ask("unpin")
    bench.settle()

    rewritten = bench.push("evil", onto=first)
    bench.settle()

    assert bench.serving == second != rewritten
    assert bench.plan().held_by[0].code is ReasonCode.REWIND


def test_a_trial_that_was_merged_is_what_is_returned_to(bench: Bench):
    bench.push("a")
    bench.settle()
    tried = bench.push("f", branch="feature")
    until = (bench.host.clock.now() + timedelta(hours=1)).isoformat()
    bench.ask("pin", {"kind": "branch", "value": "feature", "try": True, "until": until})
    bench.settle()
    bench.remote.branches["main"] = tried
    bench.ask("unpin")
    bench.settle()

    bench.push("c", behaviour=Behaviour.UNHEALTHY)
    bench.settle()

    assert bench.serving == tried


def test_what_the_next_head_must_descend_from_outlives_a_long_trial(bench: Bench):
    first = bench.push("a")
    bench.settle()
    until = (bench.host.clock.now() + timedelta(days=30)).isoformat()
    bench.push("f", branch="feature", onto=first)
    bench.ask("pin", {"kind": "branch", "value": "feature", "try": True, "until": until})
    for number in range(22):
        bench.push(f"f{number}", branch="feature")
        bench.settle()

    assert any(proven.sha == first for proven in bench.recorded.healthy)


def test_a_stop_that_fails_is_tried_again_later_and_not_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    bench.push("a")
    bench.settle()
    del bench.remote.branches["main"]
    bench.settle()

    def refuse(*_: object) -> None:
        raise Transient("systemctl stop: timed out", code="manager_timeout")

    monkeypatch.setattr(FakeServices, "stop", refuse)
    bench.ask("suspend", {"reason": "x", "stop": True})
    bench.cycle()

    assert bench.cycle().seen.action.held_by[0].code is ReasonCode.BACK_OFF


def test_the_way_back_of_an_attempt_is_not_held_by_a_suspension_that_came_meanwhile(bench: Bench):
    good = bench.push("a")
    bench.settle()
    bench.push("b", behaviour=Behaviour.UNHEALTHY)
    bench.host.clock.after(3, lambda: _suspend(bench))

    cycled = bench.cycle()

    assert cycled.outcome == "rolled_back"
    assert bench.serving == good
    assert bench.recorded.suspensions


def test_what_is_down_and_left_so_is_not_judged_by_the_repair_of_something_else(bench: Bench):
    bench.configure(on_drift=OnDrift("repair", {"service": "ignore"}))
    bench.push("a")
    bench.settle()
    unit = bench.target.service.unit
    bench.host.services.kill(unit)
    bench.host.services.disable(unit)

    cycled = bench.cycle()

    assert cycled.outcome == "converged"
    assert unit not in bench.host.services.live


def _suspend(bench: Bench) -> None:
    bench.ask("suspend", {"reason": "friday"})
    bench.desk.receive()


@pytest.mark.parametrize("kind", ["resume", "unpin"])
def test_what_was_done_before_a_crash_is_answered_as_done_after_it(bench: Bench, kind: str):
    first = bench.push("a")
    bench.settle()
    bench.ask("suspend", {"reason": "x"})
    bench.ask("pin", {"kind": "revision", "value": first})
    bench.settle()
    asked = bench.ask(kind)
    bench.desk.receive()  # applied, and not answered

    bench.restart(power=False)
    bench.settle()

    assert bench.answer(asked)[0] != "refused"


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("pin", {}),
        ("pin", {"kind": "tag", "value": "garbage !!"}),
        ("pin", {"kind": "branch", "value": "--upload-pack=x"}),
        ("pin", {"kind": "revision", "value": "zzz"}),
        ("approve", {}),
        ("rollback", {"leave": 3}),
        ("deploy", {"emergency": "x"}),
        ("suspend", {"until": "soon"}),
    ],
)
def test_a_row_that_is_no_request_is_refused_and_changes_nothing(bench: Bench, kind: str, payload: dict[str, object]):
    good = bench.push("a")
    bench.settle()
    before = bench.recorded

    asked = bench.ask(kind, payload)  # type: ignore[arg-type] # as anybody may insert it
    bench.settle()

    assert bench.answer(asked)[0] == "refused"
    assert (bench.recorded, bench.serving) == (before, good)


def test_a_basis_of_another_shape_is_a_stale_plan(bench: Bench):
    bench.push("a")
    bench.settle()

    asked = bench.ask("deploy", {"basis": {"desired": 3}})
    bench.cycle()

    assert bench.answer(asked)[0] == "refused"
