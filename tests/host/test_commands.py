"""The same rules for both ways of running a command; transient units in the sandbox."""

from __future__ import annotations

import os
import pwd
import resource
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from fraisier.host.commands import SessionCommands, UnitCommands
from fraisier.host.interrupt import Interruption
from fraisier.host.processes import Processes
from fraisier.model.errors import ConfigFault, Interrupted, Transient
from fraisier.model.ports import Command, CommandResult, Commands
from fraisier.model.secret import Secret
from tests.host.test_processes import DAEMONIZE, unique_sleep
from tests.support.waiting import pids_with, until

Run = Callable[..., CommandResult]

STORE = "abcdef0123456789"


def units(tmp_path: Path) -> UnitCommands:
    return UnitCommands(Processes(STORE, grace=8), STORE, str(tmp_path / "private"))


@pytest.fixture(params=["session", pytest.param("unit", marks=[pytest.mark.systemd, pytest.mark.slow])])
def commands(request: pytest.FixtureRequest, tmp_path: Path) -> Commands:
    if request.param == "unit":
        return units(tmp_path)
    return SessionCommands(Processes(uuid.uuid4().hex, grace=0.5))


@pytest.fixture
def run(commands: Commands, tmp_path: Path) -> Run:
    def runs(*argv: str, **options: object) -> CommandResult:
        return commands.run(Command(argv, **{"cwd": str(tmp_path), **options}), Interruption())  # type: ignore[arg-type]

    return runs


def test_exit_code_and_last_words_come_back(run: Run) -> None:
    result = run("sh", "-c", "echo to stdout; echo to stderr >&2; exit 3")

    assert result == CommandResult(3, "to stdout\nto stderr")


def test_a_program_that_is_not_there_is_127(run: Run) -> None:
    result = run("no-such-program")

    assert result.exit_code == 127
    assert "no-such-program" in result.tail


def test_a_file_that_is_no_program_is_126(run: Run, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("echo hello")

    result = run("./script")

    assert result.exit_code == 126
    assert "script" in result.tail


def test_a_program_with_a_slash_is_looked_up_in_the_folder_it_runs_in(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "hello"
    script.write_text('#!/bin/sh\npwd; echo "$1"\n')
    script.chmod(0o755)

    assert run("bin/hello", "wörld").tail == f"{tmp_path}\nwörld"


def test_a_folder_with_odd_characters_is_run_in(run: Run, tmp_path: Path) -> None:
    odd = tmp_path / '50% of $HOME\'s "folder"'
    odd.mkdir()

    assert run("pwd", cwd=str(odd)).tail == str(odd)


@pytest.mark.parametrize(
    "argument", ["$HOME ${HOME} $$", "100%", "%h %n", "a \"b\" 'c'", "back\\slash\\n", "", "-x", "*"]
)
def test_arguments_arrive_as_they_are(run: Run, argument: str) -> None:
    assert run("printf", "<%s>", argument).tail == f"<{argument}>"


def test_the_environment_is_built_from_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAEMONS_OWN", "secret of the daemon")
    env = {"A": "1", "QUOTES": "a \"b\" 'c' $d `e` \\f %h", "LINES": "one\ntwo", "DB": Secret("s3cret-value")}

    result = run("sh", "-c", 'printf %s "$A|$QUOTES|$LINES|${#DB}|$DAEMONS_OWN|$LANG|$USER|$HOME"', env=env)

    me = pwd.getpwuid(os.geteuid())
    assert result.tail == f"1|a \"b\" 'c' $d `e` \\f %h|one\ntwo|12||C.UTF-8|{me.pw_name}|{me.pw_dir}"


def test_secrets_are_masked_in_the_log_and_in_the_tail(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "command.log"

    result = run("sh", "-c", 'echo "password=$DB"', env={"DB": Secret("s3cret-value")}, log=str(log))

    assert result.tail == "password=***"
    assert log.read_text() == "password=***\n"


def test_secrets_are_in_no_argument_of_any_process(commands: Commands, tmp_path: Path) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    command = Command(("sh", "-c", "touch up; sleep 60"), str(tmp_path), {"DB": Secret(canary)}, timeout=60)
    interrupt, seen = Interruption(), []

    def look() -> None:
        until((tmp_path / "up").exists)
        seen.extend(pids_with(canary))
        interrupt.set("cancelled")

    watcher = threading.Thread(target=look)
    watcher.start()
    with pytest.raises(Interrupted):
        commands.run(command, interrupt)
    watcher.join()

    assert seen == []


def test_a_command_that_never_ends_is_ended_in_time(run: Run) -> None:
    seconds = unique_sleep()
    began = time.monotonic()

    result = run("sh", "-c", f"echo begun; sleep {seconds}", timeout=0.5)

    assert result.timed_out
    assert result.tail == "begun"
    assert pids_with(seconds) == []
    assert time.monotonic() - began < 10


def test_a_command_that_is_killed_by_term_has_not_succeeded(run: Run) -> None:
    assert run("sh", "-c", "kill -TERM $$").exit_code == 143


def test_nothing_that_a_command_started_outlives_it(run: Run) -> None:
    seconds = unique_sleep()

    run("sh", "-c", f'"$0" -c "$1" {seconds}; setsid sleep {seconds} & sleep 0.1', sys.executable, DAEMONIZE)

    assert pids_with(f"sleep\0{seconds}") == []


def test_an_interrupt_ends_a_command_at_once(commands: Commands, tmp_path: Path) -> None:
    interrupt, seconds = Interruption(), unique_sleep()
    threading.Timer(0.3, interrupt.set, ("superseded",)).start()
    began = time.monotonic()

    with pytest.raises(Interrupted):
        commands.run(Command(("sleep", seconds), str(tmp_path), timeout=60), interrupt)

    assert pids_with(seconds) == []
    assert time.monotonic() - began < 5


def test_a_user_that_does_not_exist_is_the_configurations_fault(run: Run) -> None:
    with pytest.raises(ConfigFault) as caught:
        run("true", run_as="nobody-knows-me")

    assert caught.value.code == "run_as_unknown"
    assert caught.value.hint


def test_a_folder_that_is_not_there_is_no_fault_of_the_revision(run: Run, tmp_path: Path) -> None:
    with pytest.raises(Transient):
        run("true", cwd=str(tmp_path / "gone"))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


@needs_root
def test_a_command_runs_as_its_user_with_that_users_groups(run: Run) -> None:
    nobody = pwd.getpwnam("nobody")

    result = run("sh", "-c", "id -u; id -g; id -G; echo $USER $LOGNAME; umask", run_as="nobody", cwd="/")

    groups = " ".join(map(str, os.getgrouplist("nobody", nobody.pw_gid)))
    assert result.tail == f"{nobody.pw_uid}\n{nobody.pw_gid}\n{groups}\nnobody nobody\n0022"


@needs_root
def test_becoming_another_user_without_being_root_is_refused_with_a_hint(tmp_path: Path) -> None:
    script = (
        "import os\n"
        "from fraisier.host.users import find_user\n"
        "from fraisier.model.errors import ConfigFault\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: find_user('root')\n"
        "except ConfigFault as fault: print(fault.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd="/")

    assert done.stdout == "run_as_not_permitted\n", done.stderr


@pytest.mark.slow
def test_a_gigabyte_of_output_costs_neither_memory_nor_disk(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "command.log"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    result = run("sh", "-c", "echo first; head -c 1000000000 /dev/zero; echo; echo last", log=str(log), timeout=100)

    assert result.exit_code == 0
    assert result.tail.endswith("last")
    assert log.stat().st_size < (2 << 20) + 200
    assert log.read_bytes().startswith(b"first\n")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


UNIT_PREDECESSOR = """
import sys
from fraisier.host.commands import UnitCommands
from fraisier.host.interrupt import Interruption
from fraisier.host.processes import Processes
from fraisier.model.ports import Command
from fraisier.model.secret import Secret
commands = UnitCommands(Processes(sys.argv[1]), sys.argv[1], sys.argv[2])
commands.run(Command(("sleep", sys.argv[3]), "/", {"DB": Secret("value")}), Interruption())
"""


@pytest.mark.systemd
@pytest.mark.slow
def test_a_starting_daemon_stops_units_and_removes_environments_that_a_killed_one_left(tmp_path: Path) -> None:
    seconds, private = unique_sleep(), tmp_path / "private"
    predecessor = subprocess.Popen([sys.executable, "-c", UNIT_PREDECESSOR, STORE, str(private), seconds])
    until(lambda: pids_with(f"sleep\0{seconds}"))
    predecessor.kill()
    predecessor.wait()
    assert os.listdir(private)

    units(tmp_path).sweep()

    until(lambda: not pids_with(f"sleep\0{seconds}"))  # the client of systemd-run notices a little later
    assert os.listdir(private) == []


@pytest.mark.systemd
@pytest.mark.slow
def test_no_secret_is_in_a_transient_unit_or_left_on_disk(tmp_path: Path) -> None:
    commands = units(tmp_path)
    script = "systemctl show '*' | grep -c canary-[v]a; grep -rl canary-[v]a /run/systemd/transient | wc -l; sleep 0"

    result = commands.run(Command(("sh", "-c", script), str(tmp_path), {"DB": Secret("canary-value")}), Interruption())

    assert result.tail.split() == ["0", "0"]
    assert os.listdir(tmp_path / "private") == []
