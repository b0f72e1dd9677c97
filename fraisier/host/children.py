"""The services that are children of this very process, and as such its to reap; whatever manager
object started them.
"""

from __future__ import annotations

import signal
import subprocess
import threading


class Children:
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


CHILDREN = Children()


def _told(returncode: int) -> str:
    if returncode >= 0:
        return f"exit {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"
