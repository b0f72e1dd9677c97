"""One daemon per store (law 7): a lock that dies with its process.

An open file description lock (fcntl(2), F_OFD_SETLK): like flock(2) it is gone when the process is,
however it died, and unlike flock(2) others can ask about it without taking it for a moment, which
could make a daemon that starts just then believe in a second one.
"""

from __future__ import annotations

import fcntl
import os
import struct
from types import TracebackType
from typing import Self

from ..model.errors import StoreError

_FLOCK = "@hhqqi4x"
"""`struct flock` with 64-bit offsets: type, whence, start, length, pid."""


def _whole_file(kind: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)


class DaemonLock:
    """The lock of the store at `store_path`: the file `<store>.lock`, which names the holder's pid."""

    def __init__(self, store_path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(store_path) + ".lock"
        self._fd: int | None = None
        self.was_unclean = False
        """After `acquire`: the last holder ended without `release`; the store deserves a `check()`."""

    def acquire(self) -> None:
        """Takes the lock and does not wait. Raises `StoreError`: `store_locked` when another process holds it."""
        fd = self._open(os.O_RDWR | os.O_CREAT)
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_WRLCK))
        except BlockingIOError as error:
            pid = _read_pid(fd)
            os.close(fd)
            raise self._locked(pid) from error
        self.was_unclean = _read_pid(fd) is not None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """May be called again. The file stays: removing it would let two processes lock two files."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None

    def holder(self) -> int | None:
        """The pid of the process that holds the lock now, this one included; None when nobody does."""
        try:
            fd = self._open(os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _whole_file(fcntl.F_WRLCK))
            if struct.unpack(_FLOCK, answer)[0] == fcntl.F_UNLCK:
                return None
            return _read_pid(fd) or 0
        finally:
            os.close(fd)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _open(self, flags: int) -> int:
        try:
            return os.open(self.path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            if not flags & os.O_CREAT:
                raise
            raise self._unreadable("its folder does not exist") from None
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error

    def _locked(self, pid: int | None) -> StoreError:
        who = f"process {pid}" if pid else "another process"
        return StoreError(
            f"{who} already works with the store {self.path.removesuffix('.lock')}",
            code="store_locked",
            hint="One daemon per store: stop that one first, or name another store with --state.",
        )

    def _unreadable(self, why: str) -> StoreError:
        return StoreError(
            f"{self.path} cannot be opened: {why}", code="store_unreadable", hint="Run as the user of the daemon."
        )


def _read_pid(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None
