"""Remotes, their commits and our mirrors of them, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..model.errors import Transient
from ..model.ports import Commit, Interrupt
from ..model.state import Lineage
from .clock import START
from .faults import Faults


@dataclass(slots=True)
class FakeRemote:
    """A repository that others push to."""

    branches: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    reachable: bool = True

    def push(self, branch: str, label: str, *, onto: str | None = None) -> str:
        """A new commit on the branch's head, or on `onto`; its SHA follows from `label` and parent."""
        parent = onto if onto is not None else self.branches.get(branch)
        sha = hashlib.sha1(f"{parent} {label}".encode(), usedforsecurity=False).hexdigest()
        self.parents[sha] = parent
        self.branches[branch] = sha
        return sha

    def ancestry(self, sha: str) -> Iterator[str]:
        """`sha` and what it descends from, newest first."""
        at: str | None = sha
        while at is not None:
            yield at
            at = self.parents[at]


@dataclass(slots=True)
class FakeGit:
    faults: Faults
    directories: dict[str, str]
    """Path of a directory -> the SHA that was written into it; shared with the releases."""
    remotes: dict[str, FakeRemote] = field(default_factory=dict)
    mirrors: dict[str, set[str]] = field(default_factory=dict)

    def remote(self, name: str) -> FakeRemote:
        return self.remotes.setdefault(name, FakeRemote())

    def heads(self, remote: str, branches: Collection[str]) -> Mapping[str, str]:
        found = self._ask(remote).branches
        return {branch: found[branch] for branch in branches if branch in found}

    def has(self, remote: str, sha: str) -> bool:
        return sha in self.mirrors.get(remote, ())

    def fetch(self, remote: str, branch: str, sha: str, interrupt: Interrupt) -> None:
        if self.has(remote, sha):
            return
        interrupt.check()
        origin = self._ask(remote)
        head = origin.branches.get(branch)
        if head is None or (sha not in origin.ancestry(head)):
            raise Transient(f"{remote} has no {sha} on {branch} any more", code="commit_gone")
        with self.faults.effect("git.fetch"):
            self.mirrors.setdefault(remote, set()).update(origin.ancestry(head))

    def export(self, remote: str, sha: str, into: str) -> None:
        if not self.has(remote, sha):
            raise Transient(f"the mirror of {remote} lacks {sha}", code="mirror_lacks")
        with self.faults.effect("git.export"):
            self.directories[into] = sha

    def lineage(self, remote: str, base: str, head: str) -> tuple[Lineage, int | None]:
        if base == head:
            return "same", 0
        if not (self.has(remote, base) and self.has(remote, head)):
            return "unknown", None
        line = list(self.remotes[remote].ancestry(head))
        return ("descends", line.index(base)) if base in line else ("rewind", None)

    def log(self, remote: str, base: str | None, head: str, limit: int) -> tuple[Commit, ...]:
        known = set(self.remotes[remote].ancestry(base)) if base is not None else set()
        line = [sha for sha in self.remotes[remote].ancestry(head) if sha not in known]
        return tuple(Commit(sha, "change", "Ann", _authored()) for sha in line[:limit])

    def _ask(self, name: str) -> FakeRemote:
        found = self.remotes.get(name)
        if found is None or not found.reachable:
            raise Transient(f"{name} cannot be reached", code="remote_unreachable", hint="it is asked again by itself")
        return found


def _authored() -> datetime:
    return START
