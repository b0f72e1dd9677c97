"""The `process` manager and the one in memory answer alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fraisier.host.interrupt import Interruption
from fraisier.host.process_manager import ProcessManager
from fraisier.host.processes import Processes
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


def test_it_keeps_no_unit(side: Side) -> None:
    assert side.services.unit_matches(side.runtime, side.release)
    assert side.services.kind == "process"
