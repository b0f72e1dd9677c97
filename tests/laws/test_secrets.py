"""Law 18: canary values, given as secrets to a careless build, are nowhere to be found afterwards."""

from __future__ import annotations

import json
import os
import stat
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from fraisier.host.commands import SessionCommands
from fraisier.host.interrupt import Interruption
from fraisier.host.processes import Processes
from fraisier.host.releases import FileReleases
from fraisier.model.secret import Secret
from fraisier.planning.document import action_document
from fraisier.testing import Behaviour, FakeClock, api_target
from tests.support.bench import Bench, scratch

CANARY = "canary-51c7e2b9-of-the-database"
ECHO = ("sh", "-c", "env; env >&2; exit ${CODE:-0}")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The real store, releases and commands; git, services and clock in memory."""
    target = api_target(
        app_path=str(tmp_path / "app"), build=(ECHO,), env={"DB_PASSWORD": Secret(CANARY), "LEVEL": "plain-value"}
    )
    made = Bench(scratch(), target=target)
    made.host.releases = FileReleases()  # type: ignore[assignment] # the same Protocol
    made.host.commands = SessionCommands(Processes("laws"))  # type: ignore[assignment] # the same Protocol
    made.interrupt = made.host.interrupt()
    yield made
    made.close()


class FastInterruption(Interruption):
    """Real for what runs commands; waits move the clock of the bench."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, seconds: float) -> None:
        self._clock.advance(max(seconds, 0.001))


def _written(bench: Bench) -> dict[str, bytes]:
    """Everything that Fraisier wrote beside the application: the database with its log, and the logs."""
    return {path.name: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()}


def _deploys(bench: Bench) -> None:
    bench.push("a")
    bench.reconciler.cycle(bench.target, "poll", FastInterruption(bench.host.clock))


@pytest.mark.parametrize("code", ["0", "3"])
def test_no_secret_is_in_the_database_the_logs_or_a_plan(bench: Bench, code: str) -> None:
    bench.configure(env={**bench.target.env, "CODE": code})
    plan = json.dumps(action_document(bench.plan()))

    _deploys(bench)
    written = _written(bench)

    assert bench.outcomes() == ["converged" if code == "0" else "failed"]
    logs = b"".join(content for name, content in written.items() if name.endswith(".log"))
    assert b"plain-value" in logs, "the build did print its environment"
    assert b"server.state" in b" ".join(name.encode() for name in written)
    assert [name for name, content in written.items() if CANARY.encode() in content] == []
    assert CANARY not in plan
    assert CANARY not in repr(bench.recorded)


def test_no_secret_is_in_an_error_or_its_traceback(bench: Bench) -> None:
    bench.push("a")
    bench.host.faults.arm(9, "before", lambda: ZeroDivisionError("division by zero"))
    bench.host.services.refuses = lambda sha: 1 // 0 == 0
    bench.reconciler.cycle(bench.target, "poll", FastInterruption(bench.host.clock))

    told = "".join("".join(traceback.format_exception(error)) for error in bench.bugs)
    assert "ZeroDivisionError" in told
    assert CANARY not in told
    assert CANARY not in repr(bench.bugs)
    assert all(CANARY.encode() not in content for content in _written(bench).values())


def test_what_must_hold_the_secret_is_for_its_owner_only(bench: Bench) -> None:
    _deploys(bench)

    holders = [path for path in Path(bench.target.app_path).rglob("*") if path.is_file() and _holds(path)]

    assert [path.parent.name for path in holders] == ["runtime"]
    assert all(stat.S_IMODE(os.stat(path).st_mode) == 0o600 for path in holders)
    assert stat.S_IMODE(os.stat(Path(bench.target.app_path) / ".fraisier").st_mode) == 0o700


def _holds(path: Path) -> bool:
    return CANARY.encode() in path.read_bytes()


def test_a_failing_service_tells_no_secret(bench: Bench) -> None:
    bench.host.behaviours[""] = Behaviour.UNHEALTHY

    _deploys(bench)

    assert bench.outcomes() == ["failed"]
    assert all(CANARY.encode() not in content for content in _written(bench).values())
