"""The machine in memory. It outlives power cuts; only the objects that use it are made anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ..model.config import HealthCheck, HttpProbe
from ..model.ports import Command, CommandResult, Interrupt, Runtime
from ..model.secret import reveal
from ..model.state import ProbeResult, ServiceState
from .clock import FakeClock, FakeInterrupt
from .faults import Faults
from .git import FakeGit
from .releases import FakeReleases
from .services import FakeServices, ManagerKind


class Behaviour(Enum):
    """What the code of one commit is like."""

    HEALTHY = "healthy"
    SLOW = "slow"
    """Healthy `FakeProber.slow` seconds after its start."""
    UNHEALTHY = "unhealthy"
    """Runs, and answers its probe with an error."""
    ENDS = "ends"
    """Ends right after it was started."""
    WONT_START = "wont_start"
    WONT_BUILD = "wont_build"


BROKEN = "http://broken.invalid/"
"""A probe of this URL fails whatever runs."""

BREAKS = "BREAKS_THE_SERVICE"
"""A service that is started with this variable answers its probe with an error."""


@dataclass(slots=True)
class FakeCommands:
    """Every command of the build is one effect; `script` may say otherwise than the commit's behaviour."""

    faults: Faults
    directories: Mapping[str, str]
    behaviour: Callable[[str], Behaviour]
    script: Callable[[Command, Interrupt], CommandResult] | None = None
    ran: list[Command] = field(default_factory=list)

    def run(self, command: Command, interrupt: Interrupt) -> CommandResult:
        interrupt.check()
        self.ran.append(command)
        with self.faults.effect("commands.run"):
            if self.script is not None:
                return self.script(command, interrupt)
            sha = self.directories.get(command.cwd, "")
            fails = self.behaviour(sha) is Behaviour.WONT_BUILD
            return CommandResult(2, "it does not compile") if fails else CommandResult(0, "")


@dataclass(slots=True)
class FakeProber:
    clock: FakeClock
    services: FakeServices
    behaviour: Callable[[str], Behaviour]
    slow: float = 3.0
    passed: set[tuple[str, str]] = field(default_factory=set)
    """(SHA, runtime digest) of everything that ever answered well."""

    def probe(self, check: HealthCheck, runtime: Runtime, release: str, state: ServiceState) -> ProbeResult:
        del release, state
        live = self.services.live.get(runtime.service.unit)
        if live is None:
            return ProbeResult(False, "connection refused")
        if isinstance(check.probe, HttpProbe) and check.probe.url == BROKEN:
            return ProbeResult(False, "no such host")
        if BREAKS in live.runtime.env or not self._is_up(live.sha, self.clock.monotonic() - live.at):
            return ProbeResult(False, "HTTP 500")
        self.passed.add((live.sha, live.runtime.digest))
        return ProbeResult(True, "HTTP 200")

    def _is_up(self, sha: str, seconds: float) -> bool:
        behaviour = self.behaviour(sha)
        return behaviour is Behaviour.HEALTHY or (behaviour is Behaviour.SLOW and seconds >= self.slow)


class FakeHost:
    """`model.ports.Host`. `behaviours` says what the code of each commit is like; healthy where it does not."""

    def __init__(self, kind: ManagerKind = "process") -> None:
        self.faults = Faults()
        self.clock = FakeClock()
        self.behaviours: dict[str, Behaviour] = {}
        self.directories: dict[str, str] = {}
        self.git = FakeGit(self.faults, self.directories)
        self.releases = FakeReleases(self.faults, self.directories)
        self.commands = FakeCommands(self.faults, self.directories, self.behaviour)
        self.services = FakeServices(
            self.faults,
            self.clock,
            self.directories,
            refuses=lambda sha: self.behaviour(sha) is Behaviour.WONT_START,
            ends=lambda sha: self.behaviour(sha) is Behaviour.ENDS,
            kind=kind,
        )
        self.prober = FakeProber(self.clock, self.services, self.behaviour)

    def behaviour(self, sha: str) -> Behaviour:
        return self.behaviours.get(sha, Behaviour.HEALTHY)

    def interrupt(self) -> FakeInterrupt:
        return FakeInterrupt(self.clock)

    def lose_power(self) -> None:
        """Nothing that was planned happens any more, and every process is gone."""
        self.clock.forget()
        self.services.lose_power()


def echo_environment(command: Command, interrupt: Interrupt) -> CommandResult:
    """A build that prints its whole environment, secrets and all, as careless ones do."""
    del interrupt
    return CommandResult(0, "\n".join(f"{name}={reveal(value)}" for name, value in command.env.items()))
