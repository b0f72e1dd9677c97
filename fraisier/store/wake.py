"""How a request wakes a running daemon at once: a named pipe beside the store.

Only wakes (law 1): what there is to do is read from the store, so a lost byte costs time only.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from ..model.errors import StoreError

MODE = 0o660


class Waker:
    """The daemon's end of `<store>.wake`."""

    def __init__(self, store_path: str | os.PathLike[str]) -> None:
        self.path = wake_path(store_path)

    def open_reader(self) -> int:
        """A non-blocking descriptor that becomes readable when somebody pokes; the caller closes it.

        Opened for writing as well, so that it never reads as ended between two visitors. Anything
        else of that name is replaced. Raises `StoreError`.
        """
        try:
            self._make()
            return os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be made: {error.strerror}",
                code="store_unreadable",
                hint="The folder of the store must be writable for the daemon.",
            ) from error

    def _make(self) -> None:
        with suppress(FileNotFoundError):
            if stat.S_ISFIFO(os.lstat(self.path).st_mode):
                os.chmod(self.path, MODE)
                return
            os.unlink(self.path)
        os.mkfifo(self.path, MODE)
        os.chmod(self.path, MODE)  # whatever the umask


def wake_path(store_path: str | os.PathLike[str]) -> str:
    return os.path.abspath(store_path) + ".wake"


def drain(fd: int) -> None:
    """Takes all pokes that wait in the pipe: many wake as one."""
    with suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass


def poke(store_path: str | os.PathLike[str]) -> bool:
    """Wakes the daemon of this store; False when none listens. Never blocks."""
    try:
        fd = os.open(wake_path(store_path), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        # ENXIO: a pipe without a reader. The others: no pipe, or not for this user.
        if error.errno in (errno.ENXIO, errno.ENOENT, errno.EACCES, errno.ELOOP, errno.EISDIR):
            return False
        raise
    try:
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            return False
        with suppress(BlockingIOError):  # full of pokes: somebody is about to be woken
            os.write(fd, b".")
        return True
    finally:
        os.close(fd)
