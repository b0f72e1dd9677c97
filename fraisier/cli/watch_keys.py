"""Keys of a terminal, one at a time and without Enter; the terminal is as before when it is over."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def keys_at_once() -> Iterator[Keys]:
    """Nothing is echoed. SIGTERM and SIGHUP leave the block as an exit does, so that everything is put back."""
    previous = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    previous[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # a shell on this screen helps nobody
    fd = sys.stdin.fileno() if sys.stdin.isatty() else None
    before = termios.tcgetattr(fd) if fd is not None else None
    try:
        if fd is not None:
            tty.setcbreak(fd)
        yield Keys(fd)
    finally:
        if fd is not None and before is not None:
            termios.tcsetattr(fd, termios.TCSADRAIN, before)
        for number, handler in previous.items():
            signal.signal(number, handler)


class Keys:
    """What is typed at `fd`; nothing where it is None."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def wait(self, seconds: float) -> str:
        """What was typed, as soon as something is; empty when nothing was within `seconds`."""
        if self._fd is None:
            threading.Event().wait(seconds)
            return ""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        return os.read(self._fd, 64).decode(errors="replace") if ready else ""


def _leave(number: int, _frame: FrameType | None) -> Any:
    sys.exit(128 + number)
