"""Finds and kills what a command left behind, by what no process can easily shed.

Every process that we start carries a variable of its own in its environment. Children inherit it,
also those that called setsid(2) or forked twice; `/proc/<pid>/environ` shows it. Two things escape:
a process that left the session *and* was started with an emptied environment, and one of another
user while we are not root. Where systemd runs, commands live in transient units and nothing escapes.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable

Matches = Callable[[int], bool]

_ROUNDS = 50
"""A process may fork between being seen and being killed, so we look again until nothing is left."""

_DYING = 2.0
"""Seconds that processes may take to vanish after KILL before we look again."""


def carries(variable: str, value: str, *, prefix: bool = False) -> Matches:
    """Whether a process has `variable=value` in its environment, or a value that starts with it."""
    needle = b"\0" + f"{variable}={value}".encode() + (b"" if prefix else b"\0")
    return lambda pid: needle in b"\0" + _environ(pid) + b"\0"


def shows_environment(pid: int) -> bool:
    """Whether its environment can be seen, and still holds at least one variable."""
    return any(b"=" in part for part in _environ(pid).split(b"\0"))


def in_session(session: int) -> Matches:
    """Only while the session's leader exists, if only as a zombie: after that the number may be another's."""
    return lambda pid: pid != session and _session_of(pid) == session


def end_all(*matches: Matches) -> int:
    """Kills every process that any of `matches` is true for, until there is none; how many there were.

    Those that we may not signal are left alone.
    """
    killed = 0
    for _ in range(_ROUNDS):
        held = _held(lambda pid: any(match(pid) for match in matches))
        try:
            hit = [handle for handle in held if _kill(handle)]
            _wait_gone(hit)
        finally:
            for handle in held:
                os.close(handle)
        killed += len(hit)
        if not hit:
            break
    return killed


def _held(match: Matches) -> list[int]:
    """A pidfd for each: a number may be another process's by the time it is signalled, a pidfd never is."""
    me = os.getpid()
    found = (_hold(pid, match) for name in os.listdir("/proc") if name.isdigit() and (pid := int(name)) != me)
    return [handle for handle in found if handle is not None]


def _hold(pid: int, match: Matches) -> int | None:
    if not match(pid):
        return None
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return None
    # Looked at again now that the number cannot pass to another process; zombies are gone already.
    if match(pid) and not has_exited(handle):
        return handle
    os.close(handle)
    return None


def has_exited(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _kill(handle: int) -> bool:
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def _wait_gone(handles: list[int]) -> None:
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    left = len(handles)
    while left:
        gone = poll.poll(_DYING * 1000)
        if not gone:
            return
        for handle, _ in gone:
            poll.unregister(handle)
        left -= len(gone)


def _environ(pid: int) -> bytes:
    """Empty for zombies, the kernel's own threads, and processes that we may not look at."""
    try:
        handle = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(handle, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:  # it ended while it was read
        return b""
    finally:
        os.close(handle)


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
