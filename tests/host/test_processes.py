from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from fraisier.host.interrupt import Interruption
from fraisier.host.processes import STEP_MARK, Processes
from fraisier.host.users import find_user
from fraisier.model.errors import Interrupted
from tests.support.waiting import is_alive, pids_with, until

ENV = find_user(None).environment()


@pytest.fixture
def processes() -> Processes:
    return Processes(uuid.uuid4().hex, grace=0.3)


def unique_sleep() -> str:
    """Seconds that no other process sleeps for."""
    return f"1{uuid.uuid4().int % 10**9:09d}.{uuid.uuid4().int % 10**9:09d}"


def test_output_and_exit_code_are_those_of_the_program(processes: Processes) -> None:
    ended = processes.run(["sh", "-c", "echo out; echo err >&2; exit 3"], env=ENV, timeout=10)

    assert (ended.exit_code, ended.stdout, ended.stderr, ended.timed_out) == (3, b"out\n", b"err\n", False)


def test_a_signal_counts_as_a_shell_counts(processes: Processes) -> None:
    assert processes.run(["sh", "-c", "kill -9 $$"], env=ENV, timeout=10).exit_code == 137


def test_the_environment_holds_nothing_but_what_is_named(processes: Processes) -> None:
    ended = processes.run(["env"], env={"PATH": ENV["PATH"], "A": "1"}, timeout=10)

    names = {line.split("=")[0] for line in ended.stdout.decode().splitlines()}
    assert names == {"PATH", "A", STEP_MARK}


def test_output_beyond_the_limit_is_read_and_dropped(processes: Processes) -> None:
    ended = processes.run(["head", "-c", "1000000", "/dev/zero"], env=ENV, timeout=10, limit=10)

    assert (ended.exit_code, len(ended.stdout)) == (0, 10)


def test_a_program_that_ignores_term_is_killed_after_the_grace(processes: Processes) -> None:
    began = time.monotonic()

    ended = processes.run(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], env=ENV, timeout=0.1)

    assert ended.timed_out
    assert ended.exit_code == 137
    assert time.monotonic() - began < 5


def test_a_timeout_asks_with_term_first(processes: Processes) -> None:
    ended = processes.run(["sh", "-c", "trap 'echo bye; exit 9' TERM; sleep 60 & wait"], env=ENV, timeout=0.2)

    assert (ended.exit_code, ended.stdout, ended.timed_out) == (9, b"bye\n", True)


def test_a_grandchild_that_keeps_the_pipe_open_holds_up_nothing(processes: Processes) -> None:
    began = time.monotonic()

    ended = processes.run(["sh", "-c", "sleep 60 & echo done"], env=ENV, timeout=50)

    assert ended.stdout == b"done\n"
    assert time.monotonic() - began < 5


DAEMONIZE = """
import os, sys
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
for fd in range(3): os.close(fd)
os.execvp("sleep", ["sleep", sys.argv[1]])
"""


@pytest.mark.parametrize("ending", ["", "; exit 1", "; sleep 60"])
def test_daemons_that_a_command_started_do_not_outlive_it(processes: Processes, ending: str) -> None:
    seconds = unique_sleep()
    script = f'"$0" -c "$1" {seconds}; setsid sleep {seconds} & sleep 0.1 {ending}'

    processes.run(["sh", "-c", script, sys.executable, DAEMONIZE], env=ENV, timeout=1)

    assert pids_with(seconds) == []


def test_an_interrupt_ends_the_command_and_what_it_started(processes: Processes) -> None:
    interrupt, seconds = Interruption(), unique_sleep()
    threading.Timer(0.2, interrupt.set, ("superseded",)).start()

    with pytest.raises(Interrupted):
        processes.run(
            ["sh", "-c", f"setsid sleep {seconds} & sleep {seconds}"], env=ENV, timeout=60, interrupt=interrupt
        )

    assert pids_with(seconds) == []


def test_an_interrupt_that_is_set_already_starts_nothing(processes: Processes, tmp_path: Path) -> None:
    interrupt = Interruption()
    interrupt.set("stopping")

    with pytest.raises(Interrupted):
        processes.run(["touch", str(tmp_path / "ran")], env=ENV, timeout=10, interrupt=interrupt)

    assert not (tmp_path / "ran").exists()


def test_stop_ends_what_runs_in_other_threads(processes: Processes) -> None:
    ends: list[str] = []

    def run() -> None:
        try:
            processes.run(["sleep", "60"], env=ENV, timeout=60)
        except Interrupted as error:
            ends.append(error.because)

    thread = threading.Thread(target=run)
    thread.start()
    processes.stop()
    thread.join(10)

    assert ends == ["stopping"]


def test_an_error_of_the_one_who_reads_ends_the_command(processes: Processes) -> None:
    seconds = unique_sleep()

    def full(chunk: bytes) -> None:
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        processes.run(["sh", "-c", f"echo x; sleep {seconds}"], env=ENV, timeout=60, output=full)

    assert pids_with(seconds) == []


def test_a_program_that_is_not_there_is_an_os_error(processes: Processes) -> None:
    with pytest.raises(FileNotFoundError):
        processes.run(["no-such-program"], env=ENV, timeout=10)


def test_no_file_descriptor_is_left_open(processes: Processes) -> None:
    processes.run(["true"], env=ENV, timeout=10)
    before = set(os.listdir("/proc/self/fd"))

    processes.run(["true"], env=ENV, timeout=10)

    assert len(os.listdir("/proc/self/fd")) <= len(before)


PREDECESSOR = """
import sys
from fraisier.host.processes import Processes
print("up", flush=True)
argv = ["sh", "-c", f"setsid sleep {sys.argv[2]} & sleep {sys.argv[2]}"]
Processes(sys.argv[1]).run(argv, env={"PATH": "/usr/bin:/bin"}, timeout=600)
"""


@pytest.mark.slow
def test_a_starting_daemon_kills_what_a_killed_predecessor_left_and_nothing_else() -> None:
    mine, seconds, other = uuid.uuid4().hex, unique_sleep(), unique_sleep()
    predecessor = subprocess.Popen([sys.executable, "-c", PREDECESSOR, mine, seconds])
    stranger = subprocess.Popen(["sleep", other], env={**ENV, STEP_MARK: "someoneelse:1"})
    until(lambda: len(pids_with(f"sleep\0{seconds}")) == 2)
    predecessor.send_signal(signal.SIGKILL)
    predecessor.wait()

    swept = Processes(mine).sweep()

    assert swept == 3  # the shell and two sleeps
    assert pids_with(f"sleep\0{seconds}") == []
    assert is_alive(stranger.pid)
    stranger.kill()
    stranger.wait()


WITHOUT_DESCRIPTORS = """\
import os, resource, subprocess, sys, uuid
from fraisier.host import processes as module

def start_and_use_up(*args, **kwargs):
    child = started(*args, **kwargs)
    print(child.pid, flush=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            os.dup(0)
    except OSError:
        return child

started, module._start = module._start, start_and_use_up
try:
    module.Processes(uuid.uuid4().hex, grace=5).run(sys.argv[1:], env=dict(os.environ), timeout=60)
except OSError as error:
    print(error.errno)
"""


def test_a_child_that_cannot_be_watched_for_lack_of_descriptors_is_ended(tmp_path: Path) -> None:
    seconds = unique_sleep()

    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS, "sh", "-c", f"setsid sleep {seconds} & exec sleep {seconds}"],
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.stdout.splitlines()[1:] == [str(errno.EMFILE)], done.stderr
    assert not is_alive(int(done.stdout.splitlines()[0]))
    assert not pids_with(seconds)
