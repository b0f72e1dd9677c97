"""`service_manager: process` — keeps each service as a detached child, for demos, development and containers.

A service has a session of its own and survives the daemon. What is known of it lies in
`<app_path>/.fraisier/process.json`; a note counts only as long as its pid still has the start time
in it. Everything a service starts carries a mark in its environment, by which also what was started
between a spawn and its note, or outlived its parent, is found. There is no restart by this manager
itself: a service that ends is drift, told at once through `pidfd`, and the reconciler repairs it.
Limits of memory and CPU need control groups: they are systemd's.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from ..model.config import WrittenService
from ..model.errors import ConfigFault, RevisionFault
from ..model.ports import Interrupt, Runtime, ServiceRef, UnitFile
from ..model.state import Difference, ServiceState, Unknown
from ..services.units import service_environment
from . import files, kept_processes, service_log, survivors
from .children import CHILDREN
from .kept_processes import SERVICE_MARK, Note
from .notes import check_notes
from .processes import Processes
from .users import find_user

_KILLED_WITHIN = 5.0
_STOPPED = ServiceState("stopped")


class ProcessManager:
    """Safe from any thread as long as one thread at a time changes one service (law 7)."""

    kind: Literal["process"] = "process"

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._notes: dict[str, tuple[tuple[int, int], Note]] = {}

    # -- looking ------------------------------------------------------------------------------

    def states(self, services: Sequence[ServiceRef]) -> Mapping[str, ServiceState | Unknown]:
        return {service.unit: self._state(service) for service in services}

    def _state(self, service: ServiceRef) -> ServiceState | Unknown:
        try:
            note = self._note(service.app_path)
            if note is None:
                return _STOPPED
            return self._state_of(service.app_path, note)
        except ConfigFault as fault:
            return Unknown(fault.code, f"{service.unit}: {fault}", hint=fault.hint)
        except OSError as error:
            return Unknown("service_unreadable", f"{service.unit}: {error}")

    def _state_of(self, app_path: str, note: Note) -> ServiceState:
        since = datetime.fromisoformat(note.since)
        if kept_processes.is_alive(app_path, note):
            return ServiceState("running", pid=note.pid, since=since)
        return ServiceState("failed", since=since, message=CHILDREN.how_it_ended(note.pid))

    def _note(self, app_path: str) -> Note | None:
        path = kept_processes.note_path(app_path)
        try:
            check_notes(app_path)
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        key = (found.st_ino, found.st_mtime_ns)
        seen = self._notes.get(app_path)
        if seen is not None and seen[0] == key:
            return seen[1]
        note = kept_processes.read_note(path)
        if note is not None:
            self._notes[app_path] = (key, note)
        return note

    def pidfd(self, service: ServiceRef) -> int | None:
        """A new pidfd, readable once the service has ended; the caller closes it. None when it does not run."""
        try:
            note = self._note(service.app_path)
        except ConfigFault:  # told by `states`
            return None
        return kept_processes.hold(service.app_path, note) if note is not None else None

    def tidy(self, services: Sequence[ServiceRef]) -> None:
        for service in services:
            with suppress(OSError, ConfigFault):  # the next look finds it again
                check_notes(service.app_path)
                service_log.rotate(service.app_path)

    def output(self, service: ServiceRef, lines: int) -> str:
        try:
            check_notes(service.app_path)
            return service_log.last_words(service.app_path, lines)
        except (OSError, ConfigFault):
            return ""

    # -- units: this manager keeps none ----------------------------------------------------------

    def unit_differences(self, runtime: Runtime, release: str) -> tuple[Difference, ...]:  # noqa: ARG002  # as below
        return ()

    def unit_files(
        self,
        runtime: Runtime,  # noqa: ARG002  # the Protocol's
        release: str,  # noqa: ARG002
        kept: Mapping[str, bytes] | None = None,  # noqa: ARG002
    ) -> tuple[UnitFile, ...]:
        return ()

    def uninstall(self, runtime: Runtime) -> None:
        """Forgets the service and what it wrote; not while it runs, since nothing else tells where."""
        with files.disk_errors(f"uninstalling {runtime.service.unit}"):
            note = self._note(runtime.app_path)
            if note is not None and kept_processes.is_alive(runtime.app_path, note):
                return
            files.unlink_durably(kept_processes.note_path(runtime.app_path))
            service_log.remove_logs(runtime.app_path)
            self._notes.pop(runtime.app_path, None)

    def install(self, runtime: Runtime, release: str) -> None:  # noqa: ARG002  # the Protocol's
        _written(runtime)

    # -- changing -----------------------------------------------------------------------------

    def restart(self, runtime: Runtime, release: str, timeout: float, interrupt: Interrupt) -> None:
        written = _written(runtime)
        user = find_user(runtime.run_as)
        interrupt.check()
        self.stop(runtime, timeout)  # from here on nothing cuts it off: a service that was stopped is started again
        env = {**user.environment(), **service_environment(runtime, release)}
        env[SERVICE_MARK] = kept_processes.mark(runtime.app_path)
        with files.disk_errors(f"starting {runtime.service.unit}"):
            log = service_log.open_log(runtime.app_path)
        try:
            child = self._processes.spawn(_argv(written, release), env=env, cwd=release, output=log, become=user)
        except OSError as error:
            raise RevisionFault(
                f"{runtime.service.unit}: {written.exec[0]} cannot be executed: {error.strerror}",
                code="cannot_execute",
                hint="check service.exec, and that the program is in the release and executable",
            ) from error
        finally:
            os.close(log)
        self._keep(runtime, release, child)

    def _keep(self, runtime: Runtime, release: str, child: subprocess.Popen[bytes]) -> None:
        """Notes it. A crash before that leaves a child that nothing but its mark tells of: the next restart ends it."""
        CHILDREN.add(child)
        note = Note(
            pid=child.pid,
            started=kept_processes.start_time(child.pid) or 0,
            unit=runtime.service.unit,
            release=release,
            since=datetime.now(UTC).isoformat(),
        )
        with files.disk_errors(f"noting the process of {runtime.service.unit}"):
            kept_processes.write_note(runtime.app_path, note)

    def stop(self, runtime: Runtime, timeout: float) -> None:
        note = self._note(runtime.app_path)
        if note is not None:
            self._end(runtime.app_path, note, min(_stop_timeout(runtime), timeout))
        survivors.end_all(survivors.carries(SERVICE_MARK, kept_processes.mark(runtime.app_path)))
        CHILDREN.reap()
        if note is not None:
            with files.disk_errors(f"stopping {runtime.service.unit}"):
                files.unlink_durably(kept_processes.note_path(runtime.app_path))
                self._notes.pop(runtime.app_path, None)

    @staticmethod
    def _end(app_path: str, note: Note, patience: float) -> None:
        """TERM to its group, time to end in good order, then KILL."""
        handle = kept_processes.hold(app_path, note)
        if handle is None:
            return
        try:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(note.pid, signal.SIGTERM)
            if kept_processes.ends_within(handle, patience):
                return
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(note.pid, signal.SIGKILL)
            kept_processes.ends_within(handle, _KILLED_WITHIN)
        finally:
            os.close(handle)


def _written(runtime: Runtime) -> WrittenService:
    written = runtime.service.written
    if written is None:
        raise ConfigFault(
            f"{runtime.identifier}: with service_manager process there are no units to start",
            code="service_not_written",
            hint="describe the service by service: {exec: …}, or use service_manager: systemd",
        )
    asked = [key for key, is_set in _only_systemd(written).items() if is_set]
    if asked:
        raise ConfigFault(
            f"{runtime.identifier}: the process manager cannot do service.{', service.'.join(asked)}",
            code="needs_systemd",
            hint="leave it out, or use service_manager: systemd",
        )
    return written


def _only_systemd(written: WrittenService) -> dict[str, bool]:
    """What a detached child cannot be given; asked for and ignored would be worse than refused."""
    return {
        "memory_max": written.memory_max is not None,
        "cpu_quota": written.cpu_quota is not None,
        "type": written.type == "notify",
    }


def _argv(written: WrittenService, release: str) -> tuple[str, ...]:
    program = written.exec[0]
    return (os.path.join(release, program) if "/" in program else program, *written.exec[1:])


def _stop_timeout(runtime: Runtime) -> float:
    written = runtime.service.written
    return (written or WrittenService(())).stop_timeout.total_seconds()
