"""The machine: every door, wired together."""

from __future__ import annotations

import hashlib
import os

from ..model import config
from ..model.config import ServiceManagerKind
from ..model.errors import Because
from .clock import SystemClock
from .commands import SessionCommands, UnitCommands
from .git import GitRemotes
from .managers import MANAGERS
from .prober import HostProber
from .processes import Processes
from .releases import FileReleases


class Machine:
    """`model.ports.Host` for real. `state_dir` holds the mirrors and whatever else is the daemon's own;
    its path names the daemon in the marks of the processes that it starts. `traceless`: only for looking.
    """

    def __init__(
        self, state_dir: str, git: config.Git, manager: ServiceManagerKind, *, traceless: bool = False
    ) -> None:
        store_id = hashlib.sha256(os.path.realpath(state_dir).encode()).hexdigest()[:16]
        self.processes = Processes(store_id)
        self._units = _units(self.processes, store_id, state_dir) if manager == "systemd" else None
        self.clock = SystemClock()
        self.git = GitRemotes(state_dir, git, self.processes, traceless=traceless)
        self.releases = FileReleases()
        self.commands = self._units or SessionCommands(self.processes)
        self.services = MANAGERS[manager](self.processes)
        self.prober = HostProber(self.commands)

    def sweep(self) -> None:
        """Ends and removes what a killed predecessor left behind (law 8).

        For a daemon, or a command that does the work itself, once it holds the store's lock and
        before it starts anything.
        """
        self.processes.sweep()
        if self._units is not None:
            self._units.sweep()
        self.git.sweep()

    def stop(self, because: Because = "stopping") -> None:
        """Ends every child that runs and starts no more; the waits for them raise `Interrupted`. Services stay."""
        self.processes.stop(because)


def _units(processes: Processes, store_id: str, state_dir: str) -> UnitCommands | None:
    """Transient units are root's to start."""
    if os.geteuid() != 0:
        return None
    return UnitCommands(processes, store_id, os.path.join(state_dir, "steps"))
