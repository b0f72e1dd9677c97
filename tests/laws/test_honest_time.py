"""Law 19: deadlines are moments that survive a restart, and no jump of the clock moves one that runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fraisier.model.config import Window
from fraisier.testing import Behaviour
from fraisier.testing.clock import START
from tests.support.bench import Bench

PARIS = ZoneInfo("Europe/Paris")
JUMPS = [timedelta(days=-400), timedelta(days=-1), timedelta(hours=-1), timedelta(hours=1), timedelta(days=1)]


def _jumps_after(bench: Bench, seconds: float, by: timedelta) -> None:
    bench.host.clock.after(seconds, lambda: bench.host.clock.jump(by))


@pytest.mark.parametrize("by", JUMPS, ids=str)
@pytest.mark.parametrize("seconds", [0.5, 2.5, 6.0])
def test_a_jump_in_the_gate_fails_no_revision_that_is_good(bench: Bench, seconds: float, by: timedelta) -> None:
    sha = bench.push("a", behaviour=Behaviour.SLOW)
    _jumps_after(bench, seconds, by)

    ended = bench.cycle()

    assert (ended.outcome, bench.serving) == ("converged", sha)
    assert bench.recorded.quarantines == ()


@pytest.mark.parametrize("by", JUMPS, ids=str)
def test_a_jump_in_the_gate_gives_no_bad_revision_more_time(bench: Bench, by: timedelta) -> None:
    bad = bench.push("a", behaviour=Behaviour.UNHEALTHY)
    _jumps_after(bench, 2.5, by)
    before = bench.host.clock.monotonic()

    ended = bench.cycle()

    assert ended.outcome == "failed"
    assert [entry.sha for entry in bench.recorded.quarantines] == [bad]
    assert 29 <= bench.host.clock.monotonic() - before <= 35


@pytest.mark.parametrize("by", JUMPS, ids=str)
def test_a_jump_neither_ends_nor_lengthens_an_attempt(bench: Bench, by: timedelta) -> None:
    """Its timeout is two minutes; the build takes one."""
    bench.configure(timeout=timedelta(minutes=2))
    sha = bench.push("a")
    bench.host.commands.script = _takes_a_minute
    _jumps_after(bench, 30, by)

    ended = bench.cycle()

    assert (ended.outcome, bench.serving) == ("converged", sha)


def _takes_a_minute(command: Any, interrupt: Any) -> Any:
    from fraisier.model.ports import CommandResult

    assert command.timeout <= 120
    interrupt.wait(60)
    return CommandResult(0, "")


NIGHT = Window("night", "deny", start=datetime(2026, 1, 1, 1).time(), end=datetime(2026, 1, 1, 4).time(), zone=PARIS)


@pytest.mark.parametrize(
    ("night", "hours"),
    [
        (datetime(2026, 3, 28), 3),
        (datetime(2026, 3, 29), 2),  # the clock jumps from two to three
        (datetime(2026, 10, 25), 4),  # three comes twice
    ],
    ids=str,
)
def test_a_window_is_as_long_as_the_wall_says_on_the_days_the_clocks_change(
    bench: Bench, night: datetime, hours: int
) -> None:
    bench.configure(windows=(NIGHT,))
    begins = night.replace(hour=1, tzinfo=PARIS)
    bench.host.clock.jump(begins - START)
    sha = bench.push("a")

    held = bench.cycle().seen.action

    assert [hold.code.value for hold in held.held_by] == ["window"]
    assert held.held_by[0].until == bench.host.clock.now() + timedelta(hours=hours)
    bench.host.clock.advance(hours * 3600 - 1)
    assert bench.cycle().outcome is None
    bench.host.clock.advance(1)
    assert bench.cycle().outcome == "converged"
    assert bench.serving == sha


def test_an_attempt_that_has_begun_finishes_although_its_window_closes_meanwhile(bench: Bench) -> None:
    bench.configure(windows=(NIGHT,))
    bench.host.clock.jump(datetime(2026, 3, 28, 0, 59, 58, tzinfo=PARIS) - START)
    sha = bench.push("a", behaviour=Behaviour.SLOW)

    assert bench.cycle().outcome == "converged"
    assert bench.serving == sha


def test_what_was_cut_off_in_its_gate_finishes_in_a_closed_window(bench: Bench) -> None:
    """And what had not come so far waits."""
    from fraisier.testing import PowerCut

    bench.configure(windows=(NIGHT,))
    bench.host.clock.jump(datetime(2026, 3, 28, 0, 59, 58, tzinfo=PARIS) - START)
    sha = bench.push("a", behaviour=Behaviour.SLOW)
    bench.host.clock.after(4.0, _die(PowerCut))
    with pytest.raises(PowerCut):
        bench.cycle()
    bench.restart(power=False)
    bench.push("b")

    later = bench.cycle()

    assert later.outcome is None, "b is new"
    bench.remote.branches["main"] = sha
    assert bench.cycle().outcome == "converged"
    assert bench.serving == sha


def _die(error: type[BaseException]) -> Any:
    def die() -> None:
        raise error

    return die
