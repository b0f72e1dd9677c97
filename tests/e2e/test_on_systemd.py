"""The whole product where systemd keeps the services: in a sandbox with a real one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.world import PYTHON, World

pytestmark = [pytest.mark.systemd, pytest.mark.slow]

UNIT = "shop-production.service"


@pytest.fixture
def server(world: World) -> World:
    world.document["server"]["service_manager"] = "systemd"
    return world


def systemctl(*arguments: str) -> str:
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False).stdout.strip()


def test_a_written_unit_is_converged_rolled_back_and_repaired(server: World) -> None:
    origin = server.origin()
    server.fraise(env={"GREETING": "hello"})
    first = origin.head()

    server.run("apply")
    assert server.run("plan", "--detailed-exitcode").returncode == 0
    assert server.served() == first
    assert systemctl("is-enabled", UNIT) == "enabled"

    bad = server.push(origin, mode="500")
    server.fraise(env={"GREETING": "hello"}, health_check={"deadline": "1s"})
    server.run("apply", code=1)
    assert server.is_quarantined(bad)
    assert server.served() == first

    systemctl("stop", UNIT)
    plan = server.json("plan", "--json")
    assert plan["actions"][0]["action"] == "repair"
    server.run("apply", code=2)  # repaired, and the bad head is still held
    assert server.served() == first


def test_a_unit_file_of_the_repository_is_installed_and_kept(server: World) -> None:
    unit = f"""[Service]
Environment=PORT={{port}}
WorkingDirectory={server.app_path()}/current
ExecStart={PYTHON} app.py
[Install]
WantedBy=multi-user.target
"""
    origin = server.origin()
    server.fraise()
    port = server.ports["shop"]
    head = server.push(origin, files={"deploy/shop.service": unit.format(port=port)})
    declared = server.fraise(unit_file="deploy/shop.service", systemd_service="shop.service", env={"A": "1"})
    del declared["service"]
    server.write()

    server.run("apply")
    assert server.served() == head

    installed = Path("/etc/systemd/system/shop.service")
    installed.write_text(installed.read_text().replace("[Service]", "[Service]\n# by hand"))
    plan = server.json("plan", "--json")
    assert plan["actions"][0]["reasons"][0]["code"] == "drift_unit"
    server.run("apply")
    assert "by hand" not in installed.read_text()
    assert server.run("plan", "--detailed-exitcode").returncode == 0


def test_a_unit_that_exists_already_is_restarted_and_watched_only(server: World) -> None:
    head = server.origin().head()
    declared = server.fraise(systemd_service="own.service")
    del declared["service"]
    server.write()
    unit = Path("/etc/systemd/system/own.service")
    unit.write_text(
        f"[Service]\nEnvironment=PORT={server.ports['shop']} FRAISIER_SHA={head}\n"
        f"WorkingDirectory={server.app_path()}/current\nExecStart={PYTHON} app.py\n"
    )
    systemctl("daemon-reload")
    before = unit.read_text()

    server.run("apply")

    assert server.served() == head
    assert unit.read_text() == before


def test_the_daemon_repairs_at_once_what_dies_under_systemd(server: World) -> None:
    """Found through the end of the process, not by the next poll."""
    origin = server.origin()
    server.document["git"]["poll"] = "1h"
    declared = server.fraise()
    declared["service"]["restart"] = "no"
    server.write()
    server.start_daemon()
    server.converges(origin.head())

    before = server.pid()
    systemctl("kill", "--signal=KILL", UNIT)

    server.until(lambda: server.get() is not None and server.pid() != before)
    server.converges(origin.head())
    assert server.history()[0]["trigger"] == "drift"
