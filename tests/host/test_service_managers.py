"""One contract for every service manager; the systemd ones run in a sandbox."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fraisier.host import notes
from fraisier.host.interrupt import Interruption
from fraisier.host.managers import MANAGERS
from fraisier.host.processes import Processes
from fraisier.model.config import Service, ServiceManagerKind, WrittenService
from fraisier.model.errors import ConfigFault, Interrupted, RevisionFault
from fraisier.model.ports import Runtime, ServiceManager, ServiceRef
from fraisier.model.secret import Secret
from fraisier.model.state import ServiceState
from tests.support.waiting import is_alive, until

SHA = "0123456789" * 4

SERVICE = """\
import os, signal, sys, time
print("hello from", os.environ["FRAISIER_SHA"][:4], *sys.argv[1:], flush=True)
open("up", "w").write(str(os.getpid()))
open("environment", "w").write("\\n".join(f"{k}={v}" for k, v in sorted(os.environ.items())))
if "--ignore-term" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "--leave" in sys.argv:
    if not os.fork():
        os.setsid()
        if os.fork(): os._exit(0)
        open("left", "w").write(str(os.getpid()))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "--exit" in sys.argv: sys.exit(3)
while True: time.sleep(60)
"""


@dataclass
class Place:
    """A service manager and a service of its own, on a release as `FileReleases` lays them out."""

    manager: ServiceManager
    app: Path
    unit: str

    @property
    def ref(self) -> ServiceRef:
        return ServiceRef(self.unit, str(self.app))

    @property
    def release(self) -> Path:
        return self.app / "releases" / SHA

    def runtime(self, *options: str, env: dict[str, str | Secret] | None = None, **written: object) -> Runtime:
        exec = (sys.executable, "service.py", *options)
        described = WrittenService(**{"exec": exec, "restart": "no", **written})  # type: ignore[arg-type]
        return Runtime("digest", "shop/production", str(self.app), Service(self.unit, described), env or {})

    def start(self, runtime: Runtime) -> None:
        (self.release / "up").unlink(missing_ok=True)
        self.manager.install(runtime, str(self.release))
        self.manager.restart(runtime, str(self.release), 20, Interruption())

    def start_up(self, runtime: Runtime) -> int:
        self.start(runtime)
        return self.pid("up")

    def pid(self, file: str) -> int:
        path = self.release / file
        until(lambda: path.exists() and path.read_text())
        return int(path.read_text())

    @property
    def state(self) -> ServiceState:
        state = self.manager.states([self.ref])[self.unit]
        assert isinstance(state, ServiceState)
        return state


KINDS = [
    "process",
    pytest.param("systemd", marks=[pytest.mark.systemd, pytest.mark.slow]),
    pytest.param("systemd-user", marks=[pytest.mark.systemd(units="user@0.service"), pytest.mark.slow]),
]


def place_of(kind: ServiceManagerKind, tmp_path: Path) -> Place:
    app = tmp_path / "50% $app"
    place = Place(MANAGERS[kind](Processes(uuid.uuid4().hex)), app, f"shop-{uuid.uuid4().hex[:8]}.service")
    place.release.mkdir(parents=True)
    (place.release / "service.py").write_text(SERVICE)
    (app / ".fraisier").mkdir(mode=0o700)
    (app / "current").symlink_to(f"releases/{SHA}")
    return place


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place = place_of(request.param, tmp_path)
    yield place
    place.manager.stop(place.runtime(stop_timeout=timedelta(seconds=0)), 5)


def test_a_service_that_was_never_started_does_not_run(place: Place) -> None:
    assert place.state.run in {"stopped", "missing"}


def test_a_service_runs_its_release_in_an_environment_that_says_so(place: Place) -> None:
    env: dict[str, str | Secret] = {"A": "1", "DB": Secret("a \"b\" 'c' $d `e` \\f %h\nnext line")}

    pid = place.start_up(place.runtime("$HOME", "%h", 'q"u', env=env, port=8123))

    until(lambda: (place.release / "environment").exists())
    told = dict(line.split("=", 1) for line in (place.release / "environment").read_text().split("\n") if "=" in line)
    state = place.state
    assert (state.run, state.pid, state.restarts, state.message) == ("running", pid, 0, "")
    assert state.since is not None
    assert abs(datetime.now(UTC) - state.since) < timedelta(seconds=10)
    assert {name: told[name] for name in ("A", "PORT", "FRAISIER_TARGET", "FRAISIER_SHA", "FRAISIER_RELEASE")} == {
        "A": "1",
        "PORT": "8123",
        "FRAISIER_TARGET": "shop/production",
        "FRAISIER_SHA": SHA,
        "FRAISIER_RELEASE": str(place.release),
    }
    assert told["DB"] == "a \"b\" 'c' $d `e` \\f %h"
    assert "next line" in (place.release / "environment").read_text()
    until(lambda: "hello" in place.manager.output(place.ref, 5))
    assert place.manager.output(place.ref, 5).endswith('hello from 0123 $HOME %h q"u')
    assert os.path.realpath(f"/proc/{pid}/cwd") == str(place.release)


def test_a_restart_ends_the_old_one_for_certain(place: Place) -> None:
    first = place.start_up(place.runtime("--ignore-term", stop_timeout=timedelta(seconds=0.3)))

    second = place.start_up(place.runtime(stop_timeout=timedelta(seconds=0.3)))

    assert first != second
    assert not is_alive(first)
    assert place.state.pid == second


def test_what_a_service_left_behind_ends_with_it(place: Place) -> None:
    place.start_up(place.runtime("--leave", stop_timeout=timedelta(seconds=0.3)))
    left = place.pid("left")

    place.manager.stop(place.runtime(stop_timeout=timedelta(seconds=0.3)), 10)

    assert not is_alive(left)
    assert place.state.run == "stopped"


def test_a_stopped_service_may_be_stopped_again(place: Place) -> None:
    place.start_up(place.runtime())

    place.manager.stop(place.runtime(), 10)
    place.manager.stop(place.runtime(), 10)

    assert place.state.run == "stopped"


def test_a_service_that_ended_by_itself_has_failed_and_says_how(place: Place) -> None:
    place.start_up(place.runtime("--exit"))

    until(lambda: place.state.run == "failed")

    assert "3" in place.state.message


def test_a_service_that_was_killed_has_failed(place: Place) -> None:
    os.kill(place.start_up(place.runtime()), 9)

    until(lambda: place.state.run == "failed")

    assert "9" in place.state.message or "KILL" in place.state.message


def test_a_failed_service_can_be_started_again_any_number_of_times(place: Place) -> None:
    for _ in range(8):  # more often than systemd's start limit
        place.start_up(place.runtime("--exit"))
        until(lambda: place.state.run == "failed")

    pid = place.start_up(place.runtime())

    assert is_alive(pid)


def test_a_program_that_cannot_be_executed_is_the_revisions_fault(place: Place) -> None:
    (place.release / "no-program").write_text("")

    for program in ("./no-program", "./not-there", "/no/such/program"):
        with pytest.raises(RevisionFault) as caught:
            place.start(place.runtime(exec=(program,)))
        assert place.unit in str(caught.value)

    assert place.state.run != "running"


def test_a_relative_program_is_the_releases_own(place: Place) -> None:
    (place.release / "bin").mkdir()
    program = place.release / "bin" / "run"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} service.py\n")
    program.chmod(0o755)

    assert is_alive(place.start_up(place.runtime(exec=("bin/run",))))


def test_an_interrupt_that_is_set_starts_nothing(place: Place) -> None:
    interrupt = Interruption()
    interrupt.set("stopping")
    place.manager.install(place.runtime(), str(place.release))

    with pytest.raises(Interrupted):
        place.manager.restart(place.runtime(), str(place.release), 10, interrupt)

    assert place.state.run == "stopped"


@pytest.mark.parametrize("asked", [{"memory_max": "64M"}, {"cpu_quota": "50%"}, {"type": "notify"}])
def test_the_process_manager_refuses_what_only_systemd_can_do(asked: dict[str, str], tmp_path: Path) -> None:
    service = Service("api.service", WrittenService(("true",), **asked))  # type: ignore[arg-type]
    runtime = Runtime("d", "shop/production", str(tmp_path), service)

    with pytest.raises(ConfigFault, match="process manager cannot do"):
        MANAGERS["process"](Processes("test")).install(runtime, str(tmp_path))


def test_install_is_done_when_units_match(place: Place) -> None:
    runtime = place.runtime(env={"A": "1"})

    place.manager.install(runtime, str(place.release))
    place.manager.install(runtime, str(place.release))

    assert not place.manager.unit_differences(runtime, str(place.release))


def test_states_of_many_are_told_apart(place: Place) -> None:
    pid = place.start_up(place.runtime())
    other = ServiceRef("fraisier-no-such.service", str(place.app.with_name("other")))

    states = place.manager.states([other, place.ref])

    assert states[place.unit].pid == pid  # type: ignore[union-attr]
    assert states[other.unit].run in {"missing", "stopped"}  # type: ignore[union-attr]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("kind", ["process", pytest.param("systemd", marks=[pytest.mark.systemd, pytest.mark.slow])])
def test_a_service_runs_as_its_user(kind: ServiceManagerKind, tmp_path: Path) -> None:
    folder = Path("/srv" if kind == "systemd" else "/var/tmp") / f"fraisier-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        place = place_of(kind, folder)
        os.chown(place.release, pwd.getpwnam("nobody").pw_uid, -1)
        runtime = replace(place.runtime(exec=("/usr/bin/python3", "service.py")), run_as="nobody")

        pid = place.start_up(runtime)

        assert os.stat(f"/proc/{pid}").st_uid == pwd.getpwnam("nobody").pw_uid
        place.manager.stop(runtime, 10)
    finally:
        shutil.rmtree(folder)


# -- process only ---------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Place]:
    place = place_of("process", tmp_path)
    yield place
    place.manager.stop(place.runtime(stop_timeout=timedelta(seconds=0)), 5)


DAEMON = """
import sys, pickle
from tests.host.test_service_managers import *
place = Place(MANAGERS["process"](Processes("daemon")), Path(sys.argv[1]), sys.argv[2])
place.start(place.runtime())
print("up", flush=True)
sys.stdin.read()
"""


def test_a_kept_process_survives_the_daemon_and_the_next_one_knows_it(kept: Place) -> None:
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(kept.app), kept.unit],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert daemon.stdin is not None
    assert daemon.stdout is not None
    daemon.stdout.readline()
    daemon.kill()
    daemon.wait()
    daemon.stdin.close()
    daemon.stdout.close()
    Processes("daemon").sweep()

    pid = kept.pid("up")
    assert (kept.state.run, kept.state.pid) == ("running", pid)

    kept.manager.stop(kept.runtime(), 10)
    assert not is_alive(pid)


def test_a_process_whose_note_was_lost_is_found_by_its_mark(kept: Place) -> None:
    """A crash between the spawn and its note."""
    first = kept.start_up(kept.runtime())
    (kept.app / ".fraisier" / "process.json").unlink()
    assert kept.state.run == "stopped"

    second = kept.start_up(kept.runtime())

    assert not is_alive(first)
    assert is_alive(second)


def test_a_pid_that_another_process_has_now_is_not_the_service(kept: Place) -> None:
    kept.start_up(kept.runtime())
    note = kept.app / ".fraisier" / "process.json"
    text = note.read_text()
    note.write_text(text.replace(f'"pid": {kept.state.pid}', f'"pid": {os.getpid()}'))

    assert kept.state.run == "failed"
    kept.manager.stop(kept.runtime(), 10)  # and does not end us


def test_a_pidfd_tells_at_once_that_a_kept_process_died(kept: Place) -> None:
    manager = MANAGERS["process"](Processes("pidfd"))
    assert manager.pidfd(kept.ref) is None  # type: ignore[attr-defined]
    pid = kept.start_up(kept.runtime())
    handle = manager.pidfd(kept.ref)  # type: ignore[attr-defined]

    os.kill(pid, 9)

    import select

    assert select.select([handle], [], [], 5)[0]
    os.close(handle)


def test_a_service_that_only_systemd_has_is_the_configurations_fault(kept: Place) -> None:
    runtime = Runtime("digest", "shop/production", str(kept.app), Service(kept.unit))

    with pytest.raises(ConfigFault):
        kept.manager.restart(runtime, str(kept.release), 10, Interruption())


def test_output_beyond_ten_mebibytes_is_rotated_under_a_running_service(kept: Place) -> None:
    pid = kept.start_up(kept.runtime())
    log = kept.app / ".fraisier" / "service.log"
    with log.open("ab") as file:
        file.write(b"x" * (11 << 20))

    kept.manager.states([kept.ref])
    assert log.stat().st_size > 10 << 20  # looking changes nothing

    kept.manager.tidy([kept.ref])

    assert kept.state.pid == pid
    assert log.stat().st_size == 0
    assert (kept.app / ".fraisier" / "service.log.1").stat().st_size == 10 << 20


# -- systemd only ---------------------------------------------------------------------------------

UNITS = Path("/etc/systemd/system")


@pytest.fixture
def system(tmp_path: Path) -> Place:
    return place_of("systemd", tmp_path)


@pytest.mark.systemd
@pytest.mark.slow
def test_a_written_unit_passes_systemds_own_checks_and_is_enabled(system: Place) -> None:
    runtime = system.runtime("a", memory_max="512M", cpu_quota="50%", restart="on-failure", type="simple")
    system.start_up(runtime)

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(UNITS / system.unit)], capture_output=True, text=True
    )

    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    assert system.state.enabled
    shown = subprocess.run(["systemctl", "show", system.unit], capture_output=True, text=True).stdout
    assert "MemoryMax=536870912\n" in shown
    assert "CPUQuotaPerSecUSec=500ms\n" in shown
    assert "Restart=on-failure\n" in shown
    assert "NoNewPrivileges=yes\n" in shown


@pytest.mark.systemd
@pytest.mark.slow
def test_secrets_are_in_no_unit_and_nobody_else_may_read_the_environment(system: Place) -> None:
    system.start_up(system.runtime(env={"DB": Secret("canary-value")}))

    everything = subprocess.run(["systemctl", "show", system.unit], capture_output=True, text=True).stdout
    assert "canary-value" not in everything + (UNITS / system.unit).read_text()
    env = system.app / ".fraisier" / "env"
    assert "canary-value" in env.read_text()
    assert env.stat().st_mode & 0o777 == 0o600


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_file_of_the_repository_is_installed_as_it_is_and_kept(system: Place) -> None:
    unit_file = system.release / "deploy" / "shop.service"
    unit_file.parent.mkdir()
    unit_file.write_text(
        "[Service]\nType=exec\n"
        f"ExecStart=/bin/sh -c 'echo $A >{system.release.parent}/a; exec sleep 1000'\n"
        "[Install]\nWantedBy=multi-user.target\n".replace("%", "%%")
    )
    notes.keep(str(system.app), SHA, str(system.release), ["deploy/shop.service"])
    runtime = replace(
        system.runtime(env={"A": "from the drop-in"}), service=Service(system.unit, unit_file="deploy/shop.service")
    )
    assert system.manager.unit_differences(runtime, str(system.release))

    system.start(runtime)

    assert (UNITS / system.unit).read_text() == unit_file.read_text()
    text = unit_file.read_text()
    unit_file.write_text("[Service]\nExecStart=/bin/what-the-user-wants\n")
    assert not system.manager.unit_differences(runtime, str(system.release))
    assert system.state.enabled
    assert system.state.run == "running"
    (UNITS / system.unit).write_text("[Service]\n")
    assert system.manager.unit_differences(runtime, str(system.release))
    (UNITS / system.unit).write_text(text)
    assert not system.manager.unit_differences(runtime, str(system.release))
    assert (UNITS / f"{system.unit}.d" / "50-fraisier.conf").exists()

    without = replace(runtime, env={})
    assert [found.found for found in system.manager.unit_differences(without, str(system.release))] == ["unexpected"]
    system.manager.install(without, str(system.release))
    assert not (UNITS / f"{system.unit}.d" / "50-fraisier.conf").exists()


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_file_that_was_not_kept_is_the_revisions_fault(system: Place) -> None:
    (system.release / "link.service").symlink_to("/etc/passwd")

    for name in ("not-there.service", "link.service", "../../../x.service"):
        runtime = replace(system.runtime(), service=Service(system.unit, unit_file=name))
        with pytest.raises(RevisionFault):
            system.manager.install(runtime, str(system.release))
        assert system.manager.unit_differences(runtime, str(system.release))


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_of_somebody_else_is_restarted_and_watched_and_nothing_installed(system: Place) -> None:
    (UNITS / system.unit).write_text("[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n")
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    runtime = Runtime("digest", "shop/production", str(system.app), Service(system.unit))
    before = sorted(UNITS.rglob("*"))

    system.start(runtime)

    assert sorted(UNITS.rglob("*")) == before
    assert not system.manager.unit_differences(runtime, str(system.release))
    assert (system.state.run, system.state.enabled) == ("running", True)  # to enable it is its administrator's


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_that_systemd_does_not_know_is_the_configurations_fault(system: Place) -> None:
    runtime = Runtime("digest", "shop/production", str(system.app), Service(system.unit))

    assert system.state.run == "missing"
    with pytest.raises(ConfigFault) as caught:
        system.manager.restart(runtime, str(system.release), 10, Interruption())
    assert caught.value.code == "unit_missing"
    system.manager.stop(runtime, 10)


@pytest.mark.systemd
@pytest.mark.slow
def test_a_service_that_never_says_it_is_ready_is_told_with_its_last_words(system: Place) -> None:
    runtime = system.runtime(type="notify", stop_timeout=timedelta(seconds=0.5))
    system.manager.install(runtime, str(system.release))

    with pytest.raises(RevisionFault) as caught:
        system.manager.restart(runtime, str(system.release), 1, Interruption())

    assert caught.value.code == "start_timeout"
    assert "hello from" in str(caught.value)
    assert system.state.run == "starting"
    system.manager.stop(runtime, 10)
    assert system.state.run == "stopped"


@pytest.mark.systemd
@pytest.mark.slow
def test_last_words_are_told_without_the_secrets_in_them(system: Place) -> None:
    secret = f"s3cret-{uuid.uuid4().hex}"
    runtime = system.runtime(secret, type="notify", env={"TOKEN": Secret(secret)}, stop_timeout=timedelta(seconds=0.5))
    system.manager.install(runtime, str(system.release))

    with pytest.raises(RevisionFault) as caught:
        system.manager.restart(runtime, str(system.release), 1, Interruption())

    assert "hello from 0123 ***" in str(caught.value)
    assert secret not in str(caught.value)
    system.manager.stop(runtime, 10)


@pytest.mark.systemd
@pytest.mark.slow
def test_restarts_by_systemd_itself_are_counted(system: Place) -> None:
    pid = system.start_up(system.runtime(restart="always"))
    os.kill(pid, 9)

    until(lambda: system.state.restarts == 1 and system.state.run == "running")


@pytest.mark.systemd
@pytest.mark.slow
def test_instances_of_a_template_are_installed_by_their_template(system: Place) -> None:
    unit_file = system.release / "shop@.service"
    unit_file.write_text("[Service]\nExecStart=/bin/sleep 100%i\n[Install]\nWantedBy=multi-user.target\n")
    notes.keep(str(system.app), SHA, str(system.release), ["shop@.service"])
    place = Place(system.manager, system.app, "shop@1.service")
    runtime = replace(place.runtime(), service=Service("shop@1.service", unit_file="shop@.service"))

    place.start(runtime)

    assert (UNITS / "shop@.service").exists()
    assert (place.state.run, place.state.enabled) == ("running", True)


def test_without_systemd_nothing_is_known_and_nothing_absent() -> None:
    if Path("/run/systemd/system").exists():
        pytest.skip("this machine runs systemd")
    manager = MANAGERS["systemd"](Processes("nosystemd"))

    state = manager.states([ServiceRef("a.service", "/srv/a")])["a.service"]

    assert state.code == "systemd_unreachable"  # type: ignore[union-attr]
