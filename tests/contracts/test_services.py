"""The real managers and the one in memory answer alike."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fraisier.host.interrupt import Interruption
from fraisier.host.process_manager import ProcessManager
from fraisier.host.processes import Processes
from fraisier.host.systemd_manager import SystemdManager
from fraisier.model.config import Service, WrittenService
from fraisier.model.ports import Runtime, ServiceRef
from fraisier.services.api_look import runtime_of
from fraisier.testing import FakeHost, api_target


@dataclass(frozen=True)
class Side:
    services: Any
    runtime: Runtime
    release: str
    interrupt: Any

    @property
    def state(self) -> Any:
        unit = self.runtime.service.unit
        return self.services.states([ServiceRef(unit, self.runtime.app_path)])[unit]

    def restart(self) -> None:
        self.services.restart(self.runtime, self.release, 10.0, self.interrupt)


@pytest.fixture(params=["real", "fake"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    release = tmp_path / "app" / "releases" / "one"
    release.mkdir(parents=True)
    (tmp_path / "app" / ".fraisier").mkdir(mode=0o700)
    service = Service("shop.service", written=WrittenService(("sleep", "300")))
    runtime = runtime_of(api_target(app_path=str(tmp_path / "app"), service=service))
    host = FakeHost()
    real = request.param == "real"
    services: Any = ProcessManager(Processes("contracts")) if real else host.services
    made = Side(services, runtime, str(release), Interruption() if real else host.interrupt())
    yield made
    services.stop(runtime, 5.0)


def test_what_was_never_started_is_stopped(side: Side) -> None:
    assert side.state.run == "stopped"


def test_a_restart_is_another_process(side: Side) -> None:
    side.restart()
    first = side.state
    side.restart()

    assert (first.run, side.state.run) == ("running", "running")
    assert first.pid != side.state.pid


def test_stopping_twice_is_as_once(side: Side) -> None:
    side.restart()

    side.services.stop(side.runtime, 5.0)
    side.services.stop(side.runtime, 5.0)

    assert side.state.run == "stopped"


def test_it_keeps_no_unit_and_all_counts_as_enabled(side: Side) -> None:
    side.services.install(side.runtime, side.release)

    assert side.services.unit_differences(side.runtime, side.release) == ()
    assert side.services.unit_files(side.runtime, side.release) == ()
    assert side.services.kind == "process"
    assert side.state.enabled


def test_what_is_uninstalled_is_stopped_and_may_be_so_again(side: Side) -> None:
    side.restart()
    side.services.stop(side.runtime, 5.0)

    side.services.uninstall(side.runtime)
    side.services.uninstall(side.runtime)

    assert side.state.run == "stopped"


# -- managers that keep units -----------------------------------------------------------------------


@dataclass(frozen=True)
class Hands:
    """What somebody does to an installed unit."""

    edit: Callable[[], Any]
    lose: Callable[[], Any]
    disable: Callable[[], Any]


@pytest.fixture(params=["fake", pytest.param("real", marks=[pytest.mark.systemd, pytest.mark.slow])])
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Side, Hands]]:
    app = tmp_path / "app"
    (app / "releases" / "one").mkdir(parents=True)
    (app / ".fraisier").mkdir(mode=0o700)
    unit = f"shop-{uuid.uuid4().hex[:8]}.service"
    service = Service(unit, written=WrittenService(("sleep", "300")))
    runtime = runtime_of(api_target(app_path=str(app), service=service))
    release = str(app / "releases" / "one")
    if request.param == "fake":
        host = FakeHost("systemd")
        fake = host.services
        hands = Hands(lambda: fake.edit_unit(unit), lambda: fake.lose_unit(unit), lambda: fake.disable(unit))
        yield Side(fake, runtime, release, host.interrupt()), hands
        return
    services = SystemdManager(Processes(uuid.uuid4().hex))
    file = Path("/etc/systemd/system", unit)
    disable = ["systemctl", "disable", "--quiet", unit]
    hands = Hands(
        lambda: file.write_text("[Service]\nExecStart=/bin/true\n"),
        file.unlink,
        lambda: subprocess.run(disable, check=True),
    )
    yield Side(services, runtime, release, Interruption()), hands
    services.stop(runtime, 5.0)


def _found(side: Side) -> list[str]:
    return [difference.found for difference in side.services.unit_differences(side.runtime, side.release)]


def test_a_unit_is_missing_until_it_is_installed(keeper: tuple[Side, Hands]) -> None:
    side, _ = keeper
    (before,) = side.services.unit_files(side.runtime, side.release)
    assert _found(side) == ["missing"]

    side.services.install(side.runtime, side.release)

    (after,) = side.services.unit_files(side.runtime, side.release)
    assert _found(side) == []
    assert (before.desired, before.observed) == (after.desired, None)
    assert after.observed == after.desired
    assert side.state.enabled


@pytest.mark.parametrize(("what", "found"), [("edit", ["changed"]), ("lose", ["missing"])])
def test_what_somebody_does_to_a_unit_shows_and_goes_with_the_next_install(
    keeper: tuple[Side, Hands], what: str, found: list[str]
) -> None:
    side, hands = keeper
    side.services.install(side.runtime, side.release)

    getattr(hands, what)()
    shown = _found(side)
    side.services.install(side.runtime, side.release)

    assert (shown, _found(side)) == (found, [])


def test_a_unit_that_somebody_disabled_shows_and_is_enabled_by_the_next_install(keeper: tuple[Side, Hands]) -> None:
    side, hands = keeper
    side.services.install(side.runtime, side.release)

    hands.disable()
    shown = (side.state.enabled, _found(side))
    side.services.install(side.runtime, side.release)

    assert shown == (False, [])
    assert side.state.enabled


def test_what_is_uninstalled_is_gone_and_may_be_installed_again(keeper: tuple[Side, Hands]) -> None:
    side, hands = keeper
    side.services.install(side.runtime, side.release)
    hands.disable()

    side.services.uninstall(side.runtime)
    side.services.uninstall(side.runtime)

    assert _found(side) == ["missing"]
    assert side.state.enabled  # nobody asks for it any more
    side.services.install(side.runtime, side.release)
    assert _found(side) == []
