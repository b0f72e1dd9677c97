"""Runs `fraisier` with fault points: KILL from itself before or after what it does to the journal and the machine.

    killing_daemon.py FOLDER fraisier-arguments…

While `FOLDER/arm` exists, which holds a fault such as `before SqliteStore.step_started build #1`, points
are counted from one; at the named one the file is removed and the process killed, as by the kernel.
All points that were passed while armed are appended to `FOLDER/passed`.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from fraisier.cli import main
from fraisier.host.git import GitRemotes
from fraisier.host.process_manager import ProcessManager
from fraisier.host.releases import FileReleases
from fraisier.store import SqliteStore

JOURNAL = ("open_attempt", "step_started", "step_finished", "step_failed", "gate_opened", "quarantine", "close_attempt")
MACHINE = {
    GitRemotes: ("export",),
    FileReleases: ("create", "seal", "activate", "stamp", "keep_runtime", "remove", "condemn", "share", "remove_app"),
    ProcessManager: ("restart", "stop", "_keep"),
}


class Faults:
    def __init__(self, folder: str) -> None:
        self._arm = f"{folder}/arm"
        self._passed = f"{folder}/passed"
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._armed: str | None = None

    def at(self, point: str) -> None:
        with self._lock:
            fault = self._read()
            if fault is None:
                return
            if fault != self._armed:
                self._armed, self._counts = fault, Counter()
            self._counts[point] += 1
            name = f"{point} #{self._counts[point]}"
            with open(self._passed, "a", encoding="utf-8") as passed:
                passed.write(f"{name}\n")
            if name == fault:
                os.unlink(self._arm)
                os.kill(os.getpid(), signal.SIGKILL)

    def _read(self) -> str | None:
        try:
            with open(self._arm, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None


def wrap(owner: type, name: str, faults: Faults, label: Callable[[tuple[Any, ...]], str]) -> None:
    real = getattr(owner, name)

    @functools.wraps(real)
    def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        point = f"{owner.__name__}.{name}{label(arguments)}"
        faults.at(f"before {point}")
        result = real(self, *arguments, **named)
        faults.at(f"after {point}")
        return result

    setattr(owner, name, wrapped)


def step_of(arguments: tuple[Any, ...]) -> str:
    """`step_started` and kin are called with (attempt, position, kind, …)."""
    return f" {arguments[2]}" if len(arguments) > 2 and isinstance(arguments[2], str) else ""


if __name__ == "__main__":
    points = Faults(sys.argv[1])
    for method in JOURNAL:
        wrap(SqliteStore, method, points, step_of)
    for kind, methods in MACHINE.items():
        for method in methods:
            wrap(kind, method, points, lambda _: "")
    main(sys.argv[2:])
