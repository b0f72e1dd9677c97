"""Where the bare mirrors lie, and who may write to one.

A mirror is a cache: it is made in a temporary folder and renamed into place, locked while it is
written to, and deleted when it is damaged.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from ..model.errors import Transient
from . import files
from .git_faults import without_userinfo

REF = "refs/fraisier/"
"""Our own names for fetched branches: those of a remote may clash (`a`, later `a/b`), hashes never do."""

PACKS = 50
"""git's own limit (`gc.autoPackLimit`)."""

_LEFTOVER = re.compile(r"\.?tmp[-_].*|.*\.keep|.*\.lock|gc\.pid")
"""Names of unfinished files and folders (`tmp_pack_*`, `.tmp-<pid>-pack-*`), and of what says that a git works here."""


class Mirrors:
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def path(self, remote: str) -> str:
        return os.path.join(self._folder, hashlib.sha256(remote.encode()).hexdigest()[:16])

    def ref(self, branch: str) -> str:
        return REF + hashlib.sha256(branch.encode()).hexdigest()[:32]

    def fetched(self, remote: str, branch: str) -> str | None:
        """What the branch was fetched at last, when that is to be had without a process."""
        data = files.read_bytes(os.path.join(self.path(remote), self.ref(branch)))
        return data.decode(errors="replace").strip() if data else None

    @contextmanager
    def locked(self, remote: str, patience: float) -> Iterator[int]:
        """One writer per mirror, in this process and among processes; gives the lock's file descriptor.

        The descriptor is passed on to git: a git that outlives a killed daemon keeps the lock until
        it is ended too. Raises `Transient` when the mirror stays taken for `patience` seconds.
        """
        lock = self._lock(remote)
        if not lock.acquire(timeout=patience):
            raise self._busy(remote)
        try:
            with self._file_lock(remote) as handle:
                yield handle
        finally:
            lock.release()

    def _lock(self, remote: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(remote, threading.Lock())

    @contextmanager
    def _file_lock(self, remote: str) -> Iterator[int]:
        with files.disk_errors("locking a mirror"):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            handle = os.open(self.path(remote) + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._busy(remote) from None
            yield handle
        finally:
            os.close(handle)

    @staticmethod
    def _busy(remote: str) -> Transient:
        return Transient(
            f"the mirror of {without_userinfo(remote)} is being fetched by somebody else",
            code="mirror_busy",
            hint="nothing to do: it is tried again by itself",
        )

    def fresh(self) -> str:
        """A folder beside the mirrors to make one in."""
        with files.disk_errors("making a mirror"):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            path = os.path.join(self._folder, f".new-{uuid4().hex}")
            os.mkdir(path, 0o700)
            return path

    def put(self, remote: str, fresh: str) -> None:
        with files.disk_errors("making a mirror"):
            os.rename(fresh, self.path(remote))
            files.sync_folder(self._folder)

    def tidy(self, remote: str) -> None:
        """Removes what a git that was killed left in the mirror. For who holds its lock: nobody else writes then.

        git itself would remove unfinished files as it prunes, which is off (`gc.pruneExpire`), and never
        locks and the `.keep` of a fetch.
        """
        with files.disk_errors("tidying a mirror"):
            for folder, folders, names in os.walk(self.path(remote)):
                for name in (*folders, *names):
                    if _LEFTOVER.fullmatch(name):
                        files.remove_tree(os.path.join(folder, name))

    def is_crowded(self, remote: str) -> bool:
        """Whether `git gc --auto` would have something to do: fetches bring packs only, never loose objects."""
        try:
            names = os.listdir(os.path.join(self.path(remote), "objects", "pack"))
        except OSError:
            return False
        return sum(name.endswith(".pack") for name in names) > PACKS

    def discard(self, remote: str) -> None:
        """Gone at once under its name, then from the disk."""
        old = os.path.join(self._folder, f".old-{uuid4().hex}")
        with files.disk_errors("removing a damaged mirror"):
            with suppress(FileNotFoundError):
                os.rename(self.path(remote), old)
            files.remove_tree(old)

    def sweep(self) -> None:
        """Removes what a killed predecessor was making or removing."""
        with files.disk_errors("removing what a killed daemon left"):
            for name in os.listdir(self._folder) if os.path.isdir(self._folder) else ():
                if name.startswith((".new-", ".old-")):
                    files.remove_tree(os.path.join(self._folder, name))
