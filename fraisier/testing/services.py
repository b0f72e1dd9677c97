"""Services that behave as the code they run does, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ..model.errors import RevisionFault
from ..model.ports import Interrupt, Runtime, ServiceRef
from ..model.state import ServiceState, Unknown
from .clock import FakeClock
from .faults import Faults

ManagerKind = Literal["systemd", "process"]


@dataclass(frozen=True, slots=True)
class Started:
    """One start of a service."""

    unit: str
    sha: str
    runtime: Runtime
    pid: int
    at: float
    """Monotonic."""


@dataclass(slots=True)
class FakeServices:
    """`systemd` keeps units, and starts what is installed when the machine boots; `process` does neither."""

    faults: Faults
    clock: FakeClock
    directories: Mapping[str, str]
    refuses: Callable[[str], bool]
    """Whether the manager cannot even start the code of this SHA."""
    ends: Callable[[str], bool]
    """Whether the code of this SHA ends right after it was started."""
    kind: ManagerKind = "process"
    installed: dict[str, tuple[Runtime, str]] = field(default_factory=dict)
    live: dict[str, Started] = field(default_factory=dict)
    known: dict[str, ServiceState] = field(default_factory=dict)
    starts: list[Started] = field(default_factory=list)
    """Every start there ever was."""
    unreadable: Unknown | None = None
    _pid: int = 100

    def states(self, services: Sequence[ServiceRef]) -> Mapping[str, ServiceState | Unknown]:
        return {service.unit: self._state(service.unit) for service in services}

    def _state(self, unit: str) -> ServiceState | Unknown:
        if self.unreadable is not None:
            return self.unreadable
        live = self.live.get(unit)
        if live is not None and self.ends(live.sha):
            self.kill(unit)
        return self.known.get(unit, ServiceState("stopped"))

    def unit_matches(self, runtime: Runtime, release: str) -> bool:
        if self.kind == "process":
            return True
        found = self.installed.get(runtime.service.unit)
        return found is not None and (found[0].digest, found[1]) == (runtime.digest, release)

    def install(self, runtime: Runtime, release: str) -> None:
        if not self.unit_matches(runtime, release):
            with self.faults.effect("services.install"):
                self.installed[runtime.service.unit] = (runtime, release)

    def restart(self, runtime: Runtime, release: str, timeout: float, interrupt: Interrupt) -> None:
        interrupt.check()
        self.stop(runtime, timeout)
        sha = self.directories.get(release, "")
        if self.refuses(sha):
            raise RevisionFault(f"{runtime.service.unit} could not be started", code="start_failed")
        with self.faults.effect("services.start"):
            self._start(runtime, sha)

    def stop(self, runtime: Runtime, timeout: float) -> None:
        del timeout
        with self.faults.effect("services.stop"):
            self.live.pop(runtime.service.unit, None)
            self.known[runtime.service.unit] = ServiceState("stopped")

    def tidy(self, services: Sequence[ServiceRef]) -> None:
        del services

    def output(self, service: ServiceRef, lines: int) -> str:
        del service, lines
        return ""

    # -- what happens to services

    def _start(self, runtime: Runtime, sha: str, restarts: int = 0) -> None:
        self._pid += 1
        unit = runtime.service.unit
        started = Started(unit, sha, runtime, self._pid, self.clock.monotonic())
        self.starts.append(started)
        self.live[unit] = started
        self.known[unit] = ServiceState("running", pid=self._pid, restarts=restarts, since=self.clock.now())

    def kill(self, unit: str) -> None:
        """The service dies, as from a signal or a bug of its own."""
        if self.live.pop(unit, None) is not None:
            self.known[unit] = replace(self.known[unit], run="failed", pid=None, message="killed")

    def restart_itself(self, unit: str) -> None:
        """What systemd does with `Restart=` when the service dies."""
        live, state = self.live.get(unit), self.known.get(unit)
        if live is not None and state is not None:
            self._start(live.runtime, live.sha, state.restarts + 1)

    def lose_power(self) -> None:
        """Every process is gone; what is installed is started when the machine is up again."""
        self.live.clear()
        self.known.clear()
        if self.kind == "systemd":
            for runtime, release in self.installed.values():
                sha = self.directories.get(release, "")
                if sha and not self.refuses(sha):
                    self._start(runtime, sha)
