"""A command on a real terminal: a pty whose other end the test holds."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from typing import Any

from tests.support.world import World

_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[()][A-B0-2]|[=>])")
ALTERNATE, USUAL = "\x1b[?1049h", "\x1b[?1049l"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """`columns` by `rows`; keeps everything that was written to it."""

    def __init__(self, world: World, *arguments: str, columns: int = 80, rows: int = 24) -> None:
        self._ours, theirs = pty.openpty()
        self._theirs = theirs
        self.written = ""
        self._set_size(columns, rows)
        self.before = termios.tcgetattr(theirs)
        self.child: subprocess.Popen[Any] = subprocess.Popen(
            world.argv(*arguments),
            cwd=world.folder,
            env={**{k: v for k, v in world.env.items() if k != "NO_COLOR"}, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=_take_terminal,
        )
        world._children.append(self.child)

    def until(self, condition: str | Callable[[], bool], seconds: float = 20) -> None:
        """Waits until the present screen, or without an alternate one all that was written, has a text or is so."""
        holds = (lambda: condition in self.shown) if isinstance(condition, str) else condition
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"{condition!r} did not come\n{self.shown}"
            assert self._read() or self.child.poll() is None, f"it ended with {self.child.returncode}\n{self.shown}"

    def end(self, seconds: float = 20) -> int:
        """Waits for the command to end; its exit code."""
        deadline = time.monotonic() + seconds
        while self.child.poll() is None:
            assert time.monotonic() < deadline, self.shown
            self._read()
        while self._read():
            pass
        return int(self.child.returncode)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        self._set_size(columns, rows)
        os.kill(self.child.pid, signal.SIGWINCH)

    @property
    def shown(self) -> str:
        """The last frame that began, without colours."""
        frame = self.written.rpartition("\x1b[H")[2] if "\x1b[H" in self.written else self.written
        return _CONTROL.sub("", frame).replace("\r", "")

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.shown.splitlines()]

    @property
    def is_as_before(self) -> bool:
        """Modes of the line, the usual screen, and a cursor."""
        same = termios.tcgetattr(self._theirs) == self.before
        left = self.written.rfind(USUAL) > self.written.rfind(ALTERNATE)
        return same and left and self.written.rfind(SHOW_CURSOR) > self.written.rfind(HIDE_CURSOR)

    def close(self) -> None:
        os.close(self._ours)
        os.close(self._theirs)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], 0.05)
        if ready:
            self.written += os.read(self._ours, 65536).decode(errors="replace")
        return bool(ready)


def _take_terminal() -> None:
    """So that Ctrl-C reaches it."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
