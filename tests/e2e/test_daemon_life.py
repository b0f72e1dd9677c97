"""The daemon itself: one per store, stops in seconds, leaves services alone, answers while it works."""

from __future__ import annotations

import signal
import socket
import statistics
import time
from pathlib import Path

import pytest

from tests.support.world import World, fetch

from .test_bad_remotes import silent_server

pytestmark = pytest.mark.slow


def test_a_second_daemon_on_the_same_store_refuses_and_the_first_goes_on(world: World):
    origin = world.origin()
    world.fraise()
    first = world.start_daemon()
    world.converges(origin.head())

    second = world.run("daemon", code=1)

    assert f"process {first.pid} already works with the store" in second.stderr
    assert first.poll() is None
    world.converges(world.push(origin))


def test_a_service_survives_the_restart_of_the_daemon(world: World):
    origin = world.origin()
    world.fraise()
    world.start_daemon()
    world.converges(origin.head())
    before, deployed = world.pid(), len(world.history())

    assert world.stop_daemon() == 0
    assert world.pid() == before
    world.start_daemon()
    world.until(lambda: world.events("daemon.ready")[1:])
    world.run("deploy", "shop")

    assert world.pid() == before
    assert len(world.history()) == deployed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_a_build_ends_it_within_seconds_and_closes_the_attempt(world: World, number: signal.Signals):
    origin = world.origin(files={"build.sh": "sleep 1011 & setsid sleep 1012 & sleep 1013\n"})
    world.fraise(build=["sh build.sh"])
    daemon = world.start_daemon()
    world.until(lambda: len(world.processes()) >= 5)

    began = time.monotonic()
    daemon.send_signal(number)

    assert daemon.wait(15) == 0
    assert time.monotonic() - began < 10
    assert world.processes() == []
    assert world.open_attempts() == 0
    assert world.history()[0]["outcome"] == "interrupted"
    assert not world.is_quarantined(origin.head())


def test_a_stop_during_a_health_gate_closes_the_attempt_and_the_next_start_goes_on(world: World):
    origin = world.origin()
    world.fraise(health_check={"healthy_for": "4s", "interval": "1s"})
    world.start_daemon()
    world.until(lambda: world.served() == origin.head())
    before = world.pid()

    began = time.monotonic()
    assert world.stop_daemon() == 0

    assert time.monotonic() - began < 3
    assert world.open_attempts() == 0
    assert world.history()[0]["outcome"] == "interrupted"
    world.start_daemon()
    world.converges(origin.head())
    assert world.pid() == before


def test_it_tells_systemd_when_it_is_ready_alive_and_stopping(world: World, tmp_path: Path):
    world.origin()
    world.fraise()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ears:
        ears.bind(str(tmp_path / "notify"))
        ears.settimeout(15)
        world.start_daemon(env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"})
        heard = [ears.recv(4096).decode() for _ in range(6)]
        world.stop_daemon()
        ears.settimeout(0.2)
        after = []
        try:
            while True:
                after.append(ears.recv(4096).decode())
        except TimeoutError:
            pass

    lines = [line for datagram in heard for line in datagram.splitlines()]
    assert lines.count("READY=1") == 1
    assert lines.count("WATCHDOG=1") >= 4
    assert "STOPPING=1" in [line for datagram in after for line in datagram.splitlines()]


def test_healthz_answers_at_once_while_builds_run_and_a_remote_hangs(world: World):
    with silent_server() as port:
        world.fraise("stuck", f"https://127.0.0.1:{port}/stuck.git")
        for name in ("one", "two", "three"):
            world.origin(name, files={"build.sh": "for i in $(seq 300000); do :; done; sleep 1014\n"})
            world.fraise(name, build=["sh build.sh"])
        world.start_daemon()
        world.until(lambda: world.ask("SELECT 1 FROM tb_deployment_events WHERE kind = 'note'"))

        took = []
        for _ in range(200):
            began = time.perf_counter()
            assert fetch(world.url("/healthz")) == (200, {"status": "ok"})
            took.append(time.perf_counter() - began)

        assert statistics.median(took) < 0.05
        assert world.open_attempts() >= 1
        ready = fetch(world.url("/readyz"))
        assert ready is not None
        assert (ready[0], ready[1]["status"]) == (200, "ready")
        began = time.monotonic()
        world.stop_daemon()
        assert time.monotonic() - began < 15
        assert world.open_attempts() == 0


def test_hup_reads_the_configuration_again(world: World):
    origin = world.origin()
    world.fraise()
    daemon = world.start_daemon()
    world.converges(origin.head())

    daemon.send_signal(signal.SIGHUP)

    world.until(lambda: world.events("config.loaded"))
    assert daemon.poll() is None
