"""Bringing a commit into the mirror of its remote, by the cheapest way that leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..model.errors import FraisierError, RevisionFault, Transient
from ..model.names import short
from ..model.ports import Interrupt
from . import git_faults
from .git_door import GitDoor
from .git_heads import GitHeads
from .git_names import checked, commit
from .git_packing import GitPacking
from .git_reading import GitReading
from .mirrors import ALL, Mirrors

_OPTIONS = (
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-gc",  # the deployment would wait for it, and the fetch's timeout would cut it
)


class _Way(NamedTuple):
    refspecs: tuple[str, ...]
    options: tuple[str, ...] = ()


_WRONG_FORMAT = b"mismatched algorithms"


class GitFetching:
    def __init__(
        self, door: GitDoor, mirrors: Mirrors, reading: GitReading, packing: GitPacking, heads: GitHeads
    ) -> None:
        self._door = door
        self._mirrors = mirrors
        self._reading = reading
        self._packing = packing
        self._heads = heads

    def fetch(self, remote: str, ref: str, sha: str, interrupt: Interrupt) -> None:
        """See `ports.Git`. A commit that the remote does not have is `Transient` `revision_gone` where a branch
        or tag led to it, for that was moved or deleted since; else `RevisionFault` `revision_missing`.
        """
        commit(sha)
        if ref:
            checked(ref)
        if self._reading.knows(remote, sha) and self._has_tag(remote, ref, sha):
            return
        self._packing.end(remote)
        with self._mirrors.locked(remote, self._door.timeout) as lock:
            if self._reading.has(remote, sha) and self._has_tag(remote, ref, sha):
                return
            found = self._brought(remote, ref, sha, interrupt, lock)
        if not found:
            raise _gone(remote, ref, sha)
        self._packing.start_if_crowded(remote)

    def _has_tag(self, remote: str, ref: str, sha: str) -> bool:
        """False where `ref` is a tag that was last seen to lead to `sha` and is not in the mirror as it was seen:
        the commit came another way, or the tag has been signed since.
        """
        seen = self._heads.seen(remote, ref)
        return seen is None or seen.sha != sha or self._mirrors.resolve(remote, Mirrors.tag_ref(ref)) == seen.object

    def _brought(self, remote: str, ref: str, sha: str, interrupt: Interrupt, lock: int) -> bool:
        """False when the remote does not have it. A damaged mirror is made again, once."""
        try:
            return self._try_all(remote, ref, sha, interrupt, lock)
        except git_faults.Damaged:
            self._discard(remote)
        try:
            return self._try_all(remote, ref, sha, interrupt, lock)
        except git_faults.Damaged as damaged:
            self._discard(remote)
            if _WRONG_FORMAT in damaged.stderr:
                return False  # the remote has names of the other length only
            raise git_faults.mirror_fault(remote, damaged.stderr) from None

    def _discard(self, remote: str) -> None:
        self._mirrors.discard(remote)
        self._reading.forget(remote)

    def _try_all(self, remote: str, ref: str, sha: str, interrupt: Interrupt, lock: int) -> bool:
        self._make(remote, sha)
        self._mirrors.tidy(remote)
        was_there = self._reading.has(remote, sha)
        for way in self._ways(remote, ref, sha):
            answered = self._run(remote, way, interrupt, lock)
            if was_there or (answered and self._leads(remote, ref, sha)):
                return True
        return False

    def _ways(self, remote: str, ref: str, sha: str) -> Iterator[_Way]:
        """Each asks for more than the one before."""
        if ref:
            branch = _Way((f"+refs/heads/{ref}:{Mirrors.branch_ref(ref)}",))
            tag = _Way((f"+refs/tags/{ref}:{Mirrors.tag_ref(ref)}",))
            seen = self._heads.seen(remote, ref)
            yield from (tag, branch) if seen is not None and seen.sha == sha else (branch, tag)
        yield _Way((f"+{sha}:{Mirrors.commit_ref(sha)}",))
        yield _Way((f"+refs/heads/*:{ALL}heads/*", f"+refs/tags/*:{ALL}tags/*"), ("--prune",))

    def _run(self, remote: str, way: _Way, interrupt: Interrupt, lock: int) -> bool:
        """False when the remote has no such thing. Raises `Damaged` when the mirror is to blame."""
        arguments = ("fetch", *_OPTIONS, *way.options, "--", remote, *way.refspecs)
        mirror = f"--git-dir={self._mirrors.path(remote)}"
        ended = self._door.git(mirror, *arguments, remote=remote, interrupt=interrupt, lock=lock)
        if ended.exit_code and not ended.timed_out and git_faults.is_corrupt(ended.stderr):
            raise git_faults.Damaged(ended.stderr)
        try:
            self._door.accept(remote, ended)
        except Transient as fault:
            if fault.code != "revision_gone":
                raise
            return False
        return True

    def _leads(self, remote: str, ref: str, sha: str) -> bool:
        """A head that was just fetched is there without a look."""
        if ref and self._mirrors.resolve(remote, Mirrors.branch_ref(ref)) == sha:
            self._reading.remember(remote, sha)
        return self._reading.has(remote, sha)

    def _make(self, remote: str, sha: str) -> None:
        if self._mirrors.is_made(remote):
            return
        fresh = self._mirrors.fresh()
        kind = "sha1" if len(sha) == 40 else "sha256"
        ended = self._door.git(
            "init", "--bare", "--quiet", "--template=", f"--object-format={kind}", "--", fresh, remote=remote
        )
        self._door.accept(remote, ended)
        self._mirrors.put(remote, fresh)


def _gone(remote: str, ref: str, sha: str) -> FraisierError:
    where = git_faults.without_userinfo(remote)
    if not ref:
        return RevisionFault(
            f"{where} has no commit {sha}",
            code="revision_missing",
            hint="push it, or name another: the full name of a commit that a branch or tag of the repository leads to",
        )
    return Transient(
        f"{where}: {ref} no longer leads to {short(sha)}",
        code="revision_gone",
        hint="nothing to do: it was moved by force or deleted, and what is there now is read at the next look",
    )
