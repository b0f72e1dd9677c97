"""Tells at once when the main process of a service has ended, whoever manages it (pidfd_open(2))."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import Callable, Mapping

from ..model.names import TargetId


class ExitWatch:
    """One pidfd per target with a running main process. Lives on the event loop's thread.

    A kernel without pidfds, or a process of another user that may not be watched, costs time only:
    the next poll finds out. So does having more targets than half of the files that this process may
    open (`LimitNOFILE=`): the other half is for everything else.
    """

    def __init__(self, ended: Callable[[TargetId], None]) -> None:
        self._ended = ended
        self._watched: dict[TargetId, tuple[int, int]] = {}
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = sys.maxsize if files == resource.RLIM_INFINITY else files // 2

    def follow(self, target: TargetId, pid: int | None) -> None:
        """Watches `pid` as the target's process from now on, instead of an earlier one."""
        present = self._watched.get(target)
        if present is not None and present[0] == pid:
            return
        self.forget(target)
        if pid is None or len(self._watched) >= self._most:
            return
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return
        self._watched[target] = (pid, fd)
        asyncio.get_running_loop().add_reader(fd, self._exited, target)

    def keep(self, targets: Mapping[TargetId, object]) -> None:
        """Forgets targets that left the configuration."""
        for target in [target for target in self._watched if target not in targets]:
            self.forget(target)

    def forget(self, target: TargetId) -> None:
        watched = self._watched.pop(target, None)
        if watched is not None:
            asyncio.get_running_loop().remove_reader(watched[1])
            os.close(watched[1])

    def close(self) -> None:
        for target in list(self._watched):
            self.forget(target)

    def _exited(self, target: TargetId) -> None:
        self.forget(target)
        self._ended(target)
