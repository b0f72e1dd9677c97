"""Law 11: an error is sorted by what must happen next. Law 12: every stop has a deadline."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import timedelta

import pytest

from fraisier.model.errors import ConfigFault, Interrupted, StoreError, Transient
from fraisier.model.ports import Command, CommandResult, Interrupt
from fraisier.testing import Behaviour, FakeHost, FakeInterrupt
from fraisier.testing.host import BREAKS
from tests.support.bench import Bench


def _fails_at(bench: Bench, effect: str, error: BaseException) -> None:
    """The next cycle's first such effect fails once."""
    bench.host.faults.disarm()
    probe = [*_names_of_a_deployment(), effect]
    bench.host.faults.arm(probe.index(effect) + 1, "before", lambda: error)


def _names_of_a_deployment() -> list[str]:
    from tests.support.bench import scratch

    bench = Bench(scratch(), kind="systemd")
    bench.push("a")
    bench.cycle()
    bench.close()
    return list(bench.host.faults.names)


TRANSIENT = [
    Transient("the remote hung up", code="remote_unreachable"),
    OSError(errno.ENOSPC, "No space left on device"),
    PermissionError(errno.EACCES, "Permission denied"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("effect", ["git.fetch", "releases.create", "releases.activate", "services.start"])
def test_a_transient_error_backs_off_and_is_never_quarantined(bench: Bench, effect: str, error: Exception) -> None:
    sha = bench.push("a")
    _fails_at(bench, effect, error)

    failed = bench.cycle()

    assert failed.outcome == "failed"
    assert bench.recorded.quarantines == ()
    assert bench.recorded.back_off is not None
    assert [hold.code for hold in bench.plan().held_by] == ["back_off"]
    bench.settle()
    assert bench.serving == sha
    assert bench.outcomes() == ["converged"]  # one deployment, tried twice
    assert bench.recorded.back_off is None


@pytest.mark.parametrize("behaviour", [Behaviour.UNHEALTHY, Behaviour.ENDS, Behaviour.WONT_START, Behaviour.WONT_BUILD])
def test_a_fault_of_the_revision_is_quarantined(bench: Bench, behaviour: Behaviour) -> None:
    healthy = bench.push("a")
    bench.settle()
    bad = bench.push("b", behaviour=behaviour)

    bench.settle()

    assert [(entry.sha, entry.fault) for entry in bench.recorded.quarantines] == [(bad, "revision")]
    assert bench.serving == healthy
    assert bench.recorded.back_off is None


def test_a_fault_of_the_configuration_holds_until_it_changes(bench: Bench) -> None:
    healthy = bench.push("a")
    bench.settle()
    bench.push("b")
    _fails_at(bench, "commands.run", ConfigFault("there is no user deploy", code="no_user"))
    bench.host.faults.arm(12, "before", lambda: ConfigFault("there is no user deploy", code="no_user"))

    bench.settle()
    newer = bench.push("c")
    held = bench.settle()

    assert [(entry.sha, entry.fault) for entry in bench.recorded.quarantines] == [(None, "configuration")]
    assert [hold.code for hold in held.held_by] == ["quarantined"]
    assert "change shop/production in the configuration (fraises.yaml:4:7)" in held.held_by[0].to_go_on
    assert bench.serving == healthy, "what was healthy goes on serving"
    bench.configure(env={"LEVEL": "1"})
    bench.settle()
    assert bench.serving == newer


def test_a_fault_of_the_configuration_stops_nothing_that_was_healthy(bench: Bench) -> None:
    healthy = bench.push("a")
    bench.settle()
    bench.push("b")
    bench.host.faults.arm(12, "before", lambda: ConfigFault("there is no user deploy", code="no_user"))

    bench.settle()

    assert bench.serving == healthy
    assert [entry.sha for entry in bench.recorded.quarantines] == [None]


def test_a_bug_of_ours_is_reported_closes_the_attempt_and_is_tried_later(bench: Bench) -> None:
    sha = bench.push("a")
    _fails_at(bench, "git.export", ZeroDivisionError("division by zero"))

    failed = bench.cycle()

    assert [type(bug) for bug in bench.bugs] == [ZeroDivisionError]
    assert (failed.outcome, failed.message) == ("failed", "a bug in Fraisier: ZeroDivisionError: division by zero")
    assert bench.store.open_attempts() == []
    bench.settle()
    assert bench.serving == sha


@pytest.mark.parametrize("at", range(26, 45))
def test_a_bug_while_returning_closes_the_attempt_too(bench: Bench, at: int) -> None:
    healthy = bench.push("a")
    bench.settle()
    bench.push("b", behaviour=Behaviour.UNHEALTHY)
    bench.host.faults.arm(at, "before", lambda: _bug(bench.host))

    bench.cycle()

    assert bench.store.open_attempts() == []
    bench.host.faults.disarm()
    bench.settle()
    assert bench.serving == healthy


def _bug(host: FakeHost) -> BaseException:
    """The store has its own errors."""
    in_store = host.faults.names[-1].startswith("store.")
    return Transient("busy", code="host_error") if in_store else ZeroDivisionError("division by zero")


def test_what_cannot_be_journalled_is_not_done_and_does_not_block_the_target(bench: Bench) -> None:
    sha = bench.push("a")
    _fails_at(bench, "store.step_started", StoreError("the disk is full", code="disk_full"))

    with pytest.raises(StoreError, match="disk is full"):
        bench.cycle()

    assert bench.host.services.starts == []
    bench.settle()
    assert bench.serving == sha
    assert bench.store.open_attempts() == []


def test_a_repair_never_quarantines(bench: Bench) -> None:
    sha = bench.push("a")
    bench.settle()
    bench.host.services.kill(bench.target.service.unit)
    bench.host.behaviours[sha] = Behaviour.WONT_START

    failed = bench.cycle()

    assert failed.outcome == "failed"
    assert bench.recorded.quarantines == ()
    assert [hold.code for hold in failed.seen.action.held_by] == ["back_off"]
    bench.host.behaviours.clear()
    bench.settle()
    assert bench.serving == sha


def test_a_build_that_fails_on_a_full_disk_is_no_fault_of_the_revision(bench: Bench) -> None:
    bench.push("a", behaviour=Behaviour.WONT_BUILD)
    bench.host.releases.space = False

    bench.cycle()

    assert bench.recorded.quarantines == ()
    assert bench.recorded.back_off is not None


def test_an_attempt_ends_at_its_timeout(bench: Bench) -> None:
    bench.configure(timeout=timedelta(minutes=2))
    sha = bench.push("a")
    bench.host.commands.script = _hangs(bench.host)

    failed = bench.cycle()

    assert failed.outcome == "failed"
    assert "did not end within the attempt's timeout" in failed.message
    assert [entry.sha for entry in bench.recorded.quarantines] == [sha]
    assert bench.host.clock.monotonic() <= 1000 + 121


def _hangs(host: FakeHost) -> Callable[[Command, Interrupt], CommandResult]:
    def run(command: Command, interrupt: Interrupt) -> CommandResult:
        assert isinstance(interrupt, FakeInterrupt)
        interrupt.wait(command.timeout)
        return CommandResult(143, "", timed_out=True)

    return run


def test_steps_after_the_timeout_are_not_begun(bench: Bench) -> None:
    bench.configure(timeout=timedelta(seconds=60))
    bench.push("a")

    def slow(command: Command, interrupt: Interrupt) -> CommandResult:
        interrupt.wait(61)
        return CommandResult(0, "")

    bench.host.commands.script = slow

    failed = bench.cycle()

    assert "timeout passed before: configure" in failed.message
    assert bench.host.services.starts == []


def test_an_environment_that_breaks_the_service_is_left_for_the_one_before(bench: Bench) -> None:
    sha = bench.push("a")
    bench.settle()
    before = bench.target.runtime_digest
    bench.configure(env={BREAKS: "1"})

    held = bench.settle()

    assert [hold.code for hold in held.held_by] == ["quarantined"]
    assert bench.serving == sha
    assert bench.host.services.live[bench.target.service.unit].runtime.digest == before


def test_an_interrupt_is_no_failure(bench: Bench) -> None:
    bench.push("a")
    bench.host.clock.after(2.0, lambda: bench.interrupt.set("stopping", "the daemon stops"))

    stopped = bench.cycle()

    assert stopped.outcome == "interrupted"
    assert (bench.recorded.quarantines, bench.recorded.back_off) == ((), None)
    with pytest.raises(Interrupted):
        bench.interrupt.check()
