"""The one door to remotes, and their bare mirrors.

Whatever talks to a remote or writes files is `git` itself, run through the door to processes with
the settings of `git_settings`. Submodules and Git LFS are not followed: a release holds what the
commit itself holds, pointer files included.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from ..model import config, ports
from ..model.selection import Selection
from ..model.state import Lineage, Signature
from . import files, git_faults
from .git_door import GitDoor
from .git_fetching import GitFetching
from .git_heads import GitHeads, Picks
from .git_keys import GitKeys
from .git_names import commit
from .git_packing import GitPacking
from .git_reading import GitReading
from .git_scratch import Scratch
from .git_signatures import GitSignatures
from .mirrors import Mirrors, ScratchMirrors
from .processes import Processes

_EXPORT_TIMEOUT = 600.0


class GitRemotes:
    """`model.ports.Git` for real. `state_dir` holds the mirrors and git's own home. Safe from any thread.

    With `traceless` nothing is written there: mirrors are read, and what they lack is fetched into a
    temporary folder that goes with the process.
    """

    def __init__(
        self,
        state_dir: str,
        settings: config.Git,
        processes: Processes,
        *,
        ssh: str = "ssh",
        traceless: bool = False,
    ) -> None:
        scratch = Scratch() if traceless else None
        folder = os.path.join(state_dir, "mirrors")
        self._mirrors = Mirrors(folder) if scratch is None else ScratchMirrors(folder, scratch)
        self._door = GitDoor(os.path.join(state_dir, "git"), settings, processes, ssh, scratch)
        self._heads = GitHeads(self._door)
        self._reading = GitReading(self._door, self._mirrors)
        self._packing = GitPacking(self._door, self._mirrors)
        self._fetching = GitFetching(self._door, self._mirrors, self._reading, self._packing, self._heads)
        self._signatures = GitSignatures(self._door, self._mirrors, self._reading, self._heads, GitKeys(self._door))

    def heads(self, remote: str, selections: Collection[Selection]) -> Picks:
        """Those who ask the same at the same time share one process and its answer."""
        return self._heads.ask(remote, selections)

    def has(self, remote: str, sha: str) -> bool:
        return self._reading.has(remote, sha)

    def fetch(self, remote: str, ref: str, sha: str, interrupt: ports.Interrupt) -> None:
        """Raises also `RevisionFault` `revision_missing` for a commit that was named itself, and is nowhere."""
        self._fetching.fetch(remote, ref, sha, interrupt)

    def signature(self, remote: str, ref: str, sha: str, verification: config.Verification) -> Signature:
        with self._healing(remote):
            return self._signatures.check(remote, ref, sha, verification)

    def read_file(self, remote: str, sha: str, path: str) -> bytes | None:
        """None also for links and folders. Raises `RevisionFault` for a file that is too large to be read."""
        with self._healing(remote):
            return self._reading.read_file(remote, sha, path)

    def committed_at(self, remote: str, sha: str) -> datetime | None:
        return self._reading.committed_at(remote, sha)

    def lineage(self, remote: str, base: str, head: str) -> tuple[Lineage, int | None]:
        return self._reading.lineage(remote, base, head)

    def log(self, remote: str, base: str | None, head: str, limit: int) -> tuple[ports.Commit, ...]:
        return self._reading.log(remote, base, head, limit)

    def export(self, remote: str, sha: str, into: str) -> None:
        """Modes as committed under umask 022, links as they are, nothing left out or substituted
        (`export-ignore` and `export-subst` are for archives).
        """
        options = (f"--git-dir={self._mirrors.path(remote)}", f"--work-tree={into}")
        with (
            self._healing(remote),
            files.disk_errors("exporting a commit"),
            self._door.private_folder() as private,
        ):
            ended = self._door.git(
                *options,
                *("read-tree", "--reset", "-u", commit(sha)),
                remote=remote,
                more={"GIT_INDEX_FILE": os.path.join(private, "index")},
                cwd=into,
                timeout=_EXPORT_TIMEOUT,
            )
            if ended.exit_code and not ended.timed_out and git_faults.is_corrupt(ended.stderr):
                raise git_faults.Damaged(ended.stderr)
            self._door.accept(remote, ended)

    def sweep(self) -> None:
        """Removes what a killed predecessor left half made; for a daemon that starts."""
        self._mirrors.sweep()
        self._door.sweep()

    @contextmanager
    def _healing(self, remote: str) -> Iterator[None]:
        """A damaged mirror is deleted and `Transient` raised: the next fetch makes it again."""
        try:
            yield
        except git_faults.Damaged as damaged:
            self._packing.end(remote)
            with self._mirrors.locked(remote, self._door.timeout):
                self._reading.forget(remote)
                self._mirrors.discard(remote)
            raise git_faults.mirror_fault(remote, damaged.stderr) from None
