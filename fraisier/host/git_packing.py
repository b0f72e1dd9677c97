"""Keeping mirrors of many packs fast, beside the daemon's work."""

from __future__ import annotations

import threading
from contextlib import suppress

from ..model.errors import ConfigFault, Interrupted, Transient
from .git_door import GitDoor
from .interrupt import Interruption
from .mirrors import Mirrors

_TIMEOUT = 3600.0


class GitPacking:
    def __init__(self, door: GitDoor, mirrors: Mirrors) -> None:
        self._door = door
        self._mirrors = mirrors
        self._running: dict[str, Interruption] = {}

    def start_if_crowded(self, remote: str) -> None:
        """Once in some fifty fetches; whoever needs the mirror ends it."""
        if not self._mirrors.is_crowded(remote):
            return
        ours = Interruption()
        if self._running.setdefault(remote, ours) is ours:
            threading.Thread(target=self._pack, args=(remote, ours), name="git-gc", daemon=True).start()

    def end(self, remote: str) -> None:
        if packing := self._running.get(remote):
            packing.set("superseded", "others need the mirror")

    def _pack(self, remote: str, interrupt: Interruption) -> None:
        """Nothing depends on it: when it fails or is ended, a later fetch tidies up and it is tried again."""
        arguments = (f"--git-dir={self._mirrors.path(remote)}", "gc", "--auto", "--quiet")
        try:
            with suppress(Transient, ConfigFault, Interrupted), self._mirrors.locked(remote, 0) as lock:
                self._door.git(*arguments, remote=remote, interrupt=interrupt, lock=lock, timeout=_TIMEOUT)
        finally:
            del self._running[remote]
