"""What the `process` manager notes of a service, and whether the noted process is the one that runs.

A note is believed only as far as the kernel confirms it: by the start time of the process, and by a mark in
its environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
from dataclasses import asdict, dataclass
from functools import lru_cache

from . import files, survivors
from .notes import NOTES
from .service_log import open_for_reading

SERVICE_MARK = "FRAISIER_SERVICE"
"""The variable that a service and all that it starts carry: a hash of its `app_path`."""


@dataclass(frozen=True, slots=True)
class Note:
    pid: int
    started: int
    """Field 22 of `/proc/<pid>/stat`: with the pid, it names a process for as long as the machine runs."""
    unit: str
    release: str
    since: str


def mark(app_path: str) -> str:
    return hashlib.sha256(os.path.realpath(app_path).encode()).hexdigest()[:32]


def note_path(app_path: str) -> str:
    return f"{app_path}/{NOTES}/process.json"


def write_note(app_path: str, note: Note) -> None:
    files.write_durably(note_path(app_path), json.dumps(asdict(note)).encode())


def read_note(path: str) -> Note | None:
    """None for one that is damaged: the service is then started afresh, and the old one found by its mark."""
    try:
        with open_for_reading(path) as file:
            return Note(**json.load(file))
    except (ValueError, TypeError):
        return None


def start_time(pid: int) -> int | None:
    found = _stat(pid)
    return found[1] if found else None


def is_alive(app_path: str, note: Note) -> bool:
    found = _stat(note.pid)
    if found is None or found[1] != note.started or found[0] in "ZX":
        return False
    return _is_marked(app_path, note.pid, note.started)


def hold(app_path: str, note: Note) -> int | None:
    """A pidfd of exactly the noted process."""
    try:
        handle = os.pidfd_open(note.pid)
    except OSError:
        return None
    if is_alive(app_path, note):
        return handle
    os.close(handle)
    return None


def ends_within(handle: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


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
    return survivors.carries(SERVICE_MARK, mark(app_path))(pid)
