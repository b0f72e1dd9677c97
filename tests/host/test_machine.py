from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from fraisier.host.interrupt import Interruption
from fraisier.host.machine import Machine
from fraisier.model.config import Git
from fraisier.model.errors import Interrupted
from fraisier.model.ports import Command, Host
from tests.host.test_processes import unique_sleep
from tests.support.waiting import pids_with, until

GIT = Git(timeout=timedelta(seconds=10))


def test_a_machine_is_a_host_and_touches_nothing_when_made(tmp_path: Path) -> None:
    host: Host = Machine(str(tmp_path / "state"), GIT, "process")

    assert host.services.kind == "process"
    assert host.clock.now().tzinfo is not None
    assert not (tmp_path / "state").exists()


def test_a_stop_ends_what_runs_and_later_starts_nothing(tmp_path: Path) -> None:
    machine, seconds = Machine(str(tmp_path), GIT, "process"), unique_sleep()
    threading.Thread(target=lambda: (until(lambda: pids_with(seconds)), machine.stop())).start()

    for _ in range(2):
        with pytest.raises(Interrupted):
            machine.commands.run(Command(("sleep", seconds), str(tmp_path)), Interruption())

    assert pids_with(seconds) == []


RUN = """
import sys
from fraisier.host.interrupt import Interruption
from fraisier.host.machine import Machine
from fraisier.model.config import Git
from fraisier.model.ports import Command
Machine(sys.argv[1], Git(), "process").commands.run(Command(("sleep", sys.argv[2]), "/"), Interruption())
"""


def test_a_sweep_is_for_the_daemon_of_the_same_state_only(tmp_path: Path) -> None:
    seconds = unique_sleep()
    daemon = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path / "one"), seconds])
    until(lambda: pids_with(f"sleep\0{seconds}"))
    daemon.kill()
    daemon.wait()

    Machine(str(tmp_path / "two"), GIT, "process").sweep()
    assert pids_with(f"sleep\0{seconds}")

    Machine(str(tmp_path / "one"), GIT, "process").sweep()
    assert not pids_with(f"sleep\0{seconds}")


SKIPPED = "import pytest\ndef test_a(): pytest.skip('no reason')\n@pytest.mark.xfail\ndef test_b(): assert False\n"


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_where_ci_runs_the_tests_a_skip_is_a_failure(tmp_path: Path, ci: str, code: int) -> None:
    (tmp_path / "test_skipped.py").write_text(SKIPPED)
    checkout = Path(__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-c", "/dev/null", str(tmp_path)],
        cwd=checkout,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == code, done.stdout
