"""`service_manager: process` — keeps each service as a detached child, for demos, development and containers.

A service has a session of its own and survives the daemon. What is known of it lies in
`<app_path>/.fraisier/process.json`; a note counts only as long as its pid still has the start time
in it. Everything a service starts carries a mark in its environment, by which also what was started
between a spawn and its note, or outlived its parent, is found. There is no restart by this manager
itself: a service that ends is drift, told at once through `pidfd`, and the reconciler repairs it.
Limits of memory and CPU need control groups: they are systemd's.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import BinaryIO, Literal

from ..model.config import WrittenService
from ..model.errors import ConfigFault, RevisionFault
from ..model.ports import Interrupt, Runtime, ServiceRef
from ..model.state import ServiceState, Unknown
from ..services.units import service_environment
from . import files, survivors
from .notes import NOTES, check_notes, make_notes
from .output import last_lines
from .processes import Processes
from .users import find_user

SERVICE_MARK = "FRAISIER_SERVICE"
"""The variable that a service and all that it starts carry: a hash of its `app_path`."""

_LOG_LIMIT = 10 << 20
_TAIL_BYTES = 64 << 10
_KILLED_WITHIN = 5.0
_STOPPED = ServiceState("stopped")


@dataclass(frozen=True, slots=True)
class _Note:
    pid: int
    started: int
    """Field 22 of `/proc/<pid>/stat`: with the pid, it names a process for as long as the machine runs."""
    unit: str
    release: str
    since: str


class _Children:
    """The services that are children of this very process, and as such its to reap; whatever manager
    object started them.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._ends: dict[int, str] = {}

    def add(self, child: subprocess.Popen[bytes]) -> None:
        with self._guard:
            self._running[child.pid] = child
            self._ends.pop(child.pid, None)

    def reap(self) -> None:
        with self._guard:
            for child in [child for child in self._running.values() if child.poll() is not None]:
                del self._running[child.pid]
                self._ends[child.pid] = _told(child.returncode)

    def how_it_ended(self, pid: int) -> str:
        """Nobody tells us how somebody else's child ended."""
        self.reap()
        with self._guard:
            return self._ends.get(pid, "it ended")


_CHILDREN = _Children()


class ProcessManager:
    """Safe from any thread as long as one thread at a time changes one service (law 7)."""

    kind: Literal["process"] = "process"

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._notes: dict[str, tuple[tuple[int, int], _Note]] = {}

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

    def _state_of(self, app_path: str, note: _Note) -> ServiceState:
        since = datetime.fromisoformat(note.since)
        if _is_alive(app_path, note):
            return ServiceState("running", pid=note.pid, since=since)
        return ServiceState("failed", since=since, message=_CHILDREN.how_it_ended(note.pid))

    def _note(self, app_path: str) -> _Note | None:
        path = _note_path(app_path)
        try:
            check_notes(app_path)
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        key = (found.st_ino, found.st_mtime_ns)
        seen = self._notes.get(app_path)
        if seen is not None and seen[0] == key:
            return seen[1]
        note = _read_note(path)
        if note is not None:
            self._notes[app_path] = (key, note)
        return note

    def pidfd(self, service: ServiceRef) -> int | None:
        """A new pidfd, readable once the service has ended; the caller closes it. None when it does not run."""
        try:
            note = self._note(service.app_path)
        except ConfigFault:  # told by `states`
            return None
        return _hold(service.app_path, note) if note is not None else None

    def tidy(self, services: Sequence[ServiceRef]) -> None:
        for service in services:
            with suppress(OSError, ConfigFault):  # the next look finds it again
                check_notes(service.app_path)
                _rotate(_log(service.app_path))

    def output(self, service: ServiceRef, lines: int) -> str:
        try:
            check_notes(service.app_path)
            with _open(_log(service.app_path)) as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                return last_lines(file.read(_TAIL_BYTES), lines, _TAIL_BYTES)
        except (OSError, ConfigFault):
            return ""

    # -- units: this manager keeps none ----------------------------------------------------------

    def unit_matches(self, runtime: Runtime, release: str) -> bool:  # noqa: ARG002  # the Protocol's
        return True

    def install(self, runtime: Runtime, release: str) -> None:  # noqa: ARG002  # the Protocol's
        _written(runtime)

    # -- changing -----------------------------------------------------------------------------

    def restart(self, runtime: Runtime, release: str, timeout: float, interrupt: Interrupt) -> None:
        written = _written(runtime)
        user = find_user(runtime.run_as)
        interrupt.check()
        self.stop(runtime, timeout)  # from here on nothing cuts it off: a service that was stopped is started again
        env = {**user.environment(), **service_environment(runtime, release)}
        env[SERVICE_MARK] = _mark(runtime.app_path)
        with files.disk_errors(f"starting {runtime.service.unit}"):
            log = _open_log(runtime.app_path)
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
        _CHILDREN.add(child)
        note = _Note(
            pid=child.pid,
            started=_start_time(child.pid) or 0,
            unit=runtime.service.unit,
            release=release,
            since=datetime.now(UTC).isoformat(),
        )
        with files.disk_errors(f"noting the process of {runtime.service.unit}"):
            files.write_durably(_note_path(runtime.app_path), json.dumps(asdict(note)).encode())

    def stop(self, runtime: Runtime, timeout: float) -> None:
        note = self._note(runtime.app_path)
        if note is not None:
            self._end(runtime.app_path, note, min(_stop_timeout(runtime), timeout))
        survivors.end_all(survivors.carries(SERVICE_MARK, _mark(runtime.app_path)))
        _CHILDREN.reap()
        if note is not None:
            with files.disk_errors(f"stopping {runtime.service.unit}"):
                files.unlink_durably(_note_path(runtime.app_path))
                self._notes.pop(runtime.app_path, None)

    @staticmethod
    def _end(app_path: str, note: _Note, patience: float) -> None:
        """TERM to its group, time to end in good order, then KILL."""
        handle = _hold(app_path, note)
        if handle is None:
            return
        try:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(note.pid, signal.SIGTERM)
            if _ends_within(handle, patience):
                return
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(note.pid, signal.SIGKILL)
            _ends_within(handle, _KILLED_WITHIN)
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


def _mark(app_path: str) -> str:
    return hashlib.sha256(os.path.realpath(app_path).encode()).hexdigest()[:32]


def _note_path(app_path: str) -> str:
    return f"{app_path}/{NOTES}/process.json"


def _read_note(path: str) -> _Note | None:
    """None for one that is damaged: the service is then started afresh, and the old one found by its mark."""
    try:
        with _open(path) as file:
            return _Note(**json.load(file))
    except (ValueError, TypeError):
        return None


def _open(path: str) -> BinaryIO:
    """For reading, unless it is a link. Raises `OSError`."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


# -- processes --------------------------------------------------------------------------------


def _stat(pid: int) -> tuple[str, int] | None:
    """State and start time from `/proc/<pid>/stat`; the name in it may hold spaces and brackets."""
    try:
        handle = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        data = os.read(handle, 4096)
    except ProcessLookupError:
        return None
    finally:
        os.close(handle)
    fields = data[data.rindex(b")") + 2 :].split(b" ", 20)
    return fields[0].decode(), int(fields[19])


def _start_time(pid: int) -> int | None:
    found = _stat(pid)
    return found[1] if found else None


def _is_alive(app_path: str, note: _Note) -> bool:
    found = _stat(note.pid)
    if found is None or found[1] != note.started or found[0] in "ZX":
        return False
    return _is_marked(app_path, note.pid, note.started)


def _is_marked(app_path: str, pid: int, started: int) -> bool:
    """No note can make a service of what we did not start. A process whose environment cannot be seen,
    or was overwritten by its title (setproctitle(3)), is not doubted.
    """
    try:
        return _shows_mark(app_path, pid, started)
    except LookupError:
        return True


@lru_cache(maxsize=8192)
def _shows_mark(app_path: str, pid: int, started: int) -> bool:  # noqa: ARG001  # part of the key
    """Asked once for each process. Raises `LookupError`, which is not kept, while nothing is to be seen:
    for a moment during execve(2), for one.
    """
    if not survivors.shows_environment(pid):
        raise LookupError(pid)
    return survivors.carries(SERVICE_MARK, _mark(app_path))(pid)


def _hold(app_path: str, note: _Note) -> int | None:
    """A pidfd of exactly the noted process."""
    try:
        handle = os.pidfd_open(note.pid)
    except OSError:
        return None
    if _is_alive(app_path, note):
        return handle
    os.close(handle)
    return None


def _ends_within(handle: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def _told(returncode: int) -> str:
    if returncode >= 0:
        return f"exit {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"


# -- its output -------------------------------------------------------------------------------


def _log(app_path: str) -> str:
    return f"{app_path}/{NOTES}/service.log"


def _open_log(app_path: str) -> int:
    make_notes(app_path)
    _rotate(_log(app_path))
    return os.open(_log(app_path), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _rotate(path: str) -> None:
    """Copied and cut, since the service holds it open: a line written in between is lost, as with logrotate's
    copytruncate. At most the last ten mebibytes are kept, so that the disk is safe from a service gone mad.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with os.fdopen(handle, "rb") as file:
        size = os.fstat(handle).st_size
        if size <= _LOG_LIMIT:
            return
        file.seek(size - _LOG_LIMIT)
        data = file.read(_LOG_LIMIT)
        os.ftruncate(handle, 0)
    files.write_durably(f"{path}.1", data)
