"""Where the bare mirrors lie, and who may write to one.

A mirror is a cache: it is made in a temporary folder and renamed into place, locked while it is
written to, and deleted when it is damaged.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from ..model.errors import Transient
from ..model.names import SHA
from . import files
from .git_faults import without_userinfo
from .git_scratch import Scratch

REF = "refs/fraisier/"
"""Our own names for what is fetched: those of a remote may clash (`a`, later `a/b`), hashes never do."""

ALL = f"{REF}all/"
"""Where all branches and tags go under their own names, pruned first: for commits that nothing else leads to."""

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
        """Of the mirror to read, whether there is one or not."""
        return self._own(remote)

    def is_made(self, remote: str) -> bool:
        """Whether there is a mirror to write to."""
        return os.path.isdir(self._own(remote))

    def _own(self, remote: str) -> str:
        return os.path.join(self._writable(), _name(remote))

    def _writable(self) -> str:
        return self._folder

    @staticmethod
    def branch_ref(branch: str) -> str:
        return REF + _hashed(branch)

    @staticmethod
    def tag_ref(tag: str) -> str:
        return f"{REF}tags/{_hashed(tag)}"

    @staticmethod
    def commit_ref(sha: str) -> str:
        return f"{REF}commits/{sha}"

    def resolve(self, remote: str, ref: str) -> str | None:
        """The object that one of our refs names; read without a process, loose or packed."""
        with files.disk_errors("reading a mirror"):
            if data := files.read_bytes(os.path.join(self.path(remote), ref)):
                name = data.decode(errors="replace").strip()
                return name if SHA.fullmatch(name) else None
            packed = files.read_bytes(os.path.join(self.path(remote), "packed-refs")) or b""
        found = re.search(rb"^([0-9a-f]+) " + re.escape(ref.encode()) + rb"$", packed, re.MULTILINE)
        return found[1].decode() if found else None

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
            os.makedirs(self._writable(), mode=0o700, exist_ok=True)
            handle = os.open(self._own(remote) + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
            os.makedirs(self._writable(), mode=0o700, exist_ok=True)
            path = os.path.join(self._writable(), f".new-{uuid4().hex}")
            os.mkdir(path, 0o700)
            return path

    def put(self, remote: str, fresh: str) -> None:
        with files.disk_errors("making a mirror"):
            os.rename(fresh, self._own(remote))
            files.sync_folder(self._writable())

    def tidy(self, remote: str) -> None:
        """Removes what a git that was killed left in the mirror. For who holds its lock: nobody else writes then.

        git itself would remove unfinished files as it prunes, which is off (`gc.pruneExpire`), and never
        locks and the `.keep` of a fetch.
        """
        with files.disk_errors("tidying a mirror"):
            for folder, folders, names in os.walk(self._own(remote)):
                for name in (*folders, *names):
                    if _LEFTOVER.fullmatch(name):
                        files.remove_tree(os.path.join(folder, name))

    def is_crowded(self, remote: str) -> bool:
        """Whether `git gc --auto` would have something to do: fetches bring packs only, never loose objects."""
        try:
            names = os.listdir(os.path.join(self._own(remote), "objects", "pack"))
        except OSError:
            return False
        return sum(name.endswith(".pack") for name in names) > PACKS

    def discard(self, remote: str) -> None:
        """Gone at once under its name, then from the disk."""
        old = os.path.join(self._writable(), f".old-{uuid4().hex}")
        with files.disk_errors("removing a damaged mirror"):
            with suppress(FileNotFoundError):
                os.rename(self._own(remote), old)
            files.remove_tree(old)

    def sweep(self) -> None:
        """Removes what a killed predecessor was making or removing."""
        with files.disk_errors("removing what a killed daemon left"):
            for name in os.listdir(self._folder) if os.path.isdir(self._folder) else ():
                if name.startswith((".new-", ".old-")):
                    files.remove_tree(os.path.join(self._folder, name))


class ScratchMirrors(Mirrors):
    """For who may leave no trace: reads the mirrors in `folder`, and fetches into mirrors of its own that
    borrow what those have already.
    """

    def __init__(self, folder: str, scratch: Scratch) -> None:
        super().__init__(folder)
        self._scratch = scratch
        self._alone: set[str] = set()
        """Remotes whose mirror in `folder` nothing is borrowed from, since it may be what is damaged."""

    def path(self, remote: str) -> str:
        if not self._scratch.is_made:
            return self._lender(remote)
        own = self._own(remote)
        return own if remote in self._alone or os.path.isdir(own) else self._lender(remote)

    def _lender(self, remote: str) -> str:
        return os.path.join(self._folder, _name(remote))

    def _writable(self) -> str:
        return os.path.join(self._scratch.path(), "mirrors")

    def put(self, remote: str, fresh: str) -> None:
        if remote not in self._alone and os.path.isdir(self._lender(remote)):
            with files.disk_errors("making a mirror"):
                _borrow(self._lender(remote), fresh)
        super().put(remote, fresh)

    def discard(self, remote: str) -> None:
        self._alone.add(remote)
        super().discard(remote)

    def sweep(self) -> None:
        """Nothing: what others left is theirs."""


def _borrow(lender: str, fresh: str) -> None:
    """Objects by reference (gitrepository-layout(5), `objects/info/alternates`), refs as they are now."""
    info = os.path.join(fresh, "objects", "info")
    os.makedirs(info, exist_ok=True)
    with open(os.path.join(info, "alternates"), "w", encoding="utf-8") as file:
        file.write(os.path.realpath(os.path.join(lender, "objects")) + "\n")
    with suppress(FileNotFoundError):
        shutil.copyfile(os.path.join(lender, "packed-refs"), os.path.join(fresh, "packed-refs"))
    with suppress(FileNotFoundError):
        shutil.copytree(os.path.join(lender, REF), os.path.join(fresh, REF), dirs_exist_ok=True)


def _name(remote: str) -> str:
    return hashlib.sha256(remote.encode()).hexdigest()[:16]


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]
