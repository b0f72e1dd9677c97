"""Services that behave as the code they run does, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ..model.errors import RevisionFault
from ..model.ports import Interrupt, Runtime, ServiceRef, UnitFile
from ..model.state import Difference, ServiceState, Unknown
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
    """By unit: the runtime, and the release it was installed with."""
    edited: set[str] = field(default_factory=set)
    """Installed units that somebody changed by hand."""
    disabled: set[str] = field(default_factory=set)
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
        state = self.known.get(unit, ServiceState("stopped"))
        return replace(state, enabled=False) if unit in self.disabled else state

    def unit_differences(self, runtime: Runtime, release: str) -> tuple[Difference, ...]:
        return tuple(
            Difference(file.path, "missing" if file.observed is None else "changed")
            for file in self.unit_files(runtime, release)
            if file.desired != file.observed
        )

    def unit_files(
        self, runtime: Runtime, release: str, kept: Mapping[str, bytes] | None = None
    ) -> tuple[UnitFile, ...]:
        del kept
        if self.kind == "process":
            return ()
        unit = runtime.service.unit
        found = self.installed.get(unit)
        observed = None if found is None else _unit_text(*found) + ("# edited by hand\n" if unit in self.edited else "")
        return (UnitFile(f"/etc/systemd/system/{unit}", _unit_text(runtime, release), observed),)

    def install(self, runtime: Runtime, release: str) -> None:
        unit = runtime.service.unit
        if self.unit_differences(runtime, release):
            with self.faults.effect("services.install"):
                self.installed[unit] = (runtime, release)
                self.edited.discard(unit)
        if unit in self.disabled:
            with self.faults.effect("services.enable"):
                self.disabled.discard(unit)

    def uninstall(self, runtime: Runtime) -> None:
        unit = runtime.service.unit
        if unit in self.installed:
            with self.faults.effect("services.uninstall"):
                del self.installed[unit]
                self.edited.discard(unit)
                self.disabled.discard(unit)

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

    def edit_unit(self, unit: str) -> None:
        """Somebody changes an installed unit by hand."""
        if unit in self.installed:
            self.edited.add(unit)

    def lose_unit(self, unit: str) -> None:
        """Somebody removes an installed unit by hand."""
        self.installed.pop(unit, None)
        self.edited.discard(unit)
        self.disabled.discard(unit)

    def disable(self, unit: str) -> None:
        """Somebody has an installed unit not come back after a reboot."""
        if unit in self.installed:
            self.disabled.add(unit)

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
            for unit, (runtime, release) in self.installed.items():
                sha = self.directories.get(release, "")
                if unit not in self.disabled and sha and not self.refuses(sha):
                    self._start(runtime, sha)


def _unit_text(runtime: Runtime, release: str) -> str:
    return f"runtime {runtime.digest}\nrelease {release}\n"
