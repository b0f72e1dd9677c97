"""Remotes, their commits and our mirrors of them, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..model.config import Verification
from ..model.errors import RevisionFault, Transient
from ..model.names import short
from ..model.ports import Commit, Interrupt
from ..model.selection import Branch, Exact, Pick, Selection
from ..model.state import Lineage, Signature
from ..model.versions import newest
from .clock import START
from .faults import Faults


@dataclass(slots=True)
class FakeRemote:
    """A repository that others push to."""

    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    reachable: bool = True
    signed: set[str] = field(default_factory=set)
    """What bears a good signature: commits by SHA, tags by name."""
    committed: dict[str, datetime] = field(default_factory=dict)
    """When, where it was not at the clock's start."""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Of each commit, by path."""

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

    def leads_to(self, ref: str, sha: str) -> bool:
        """Whether the branch or the tag of that name does; any, where it is empty."""
        heads = [*self._heads(self.branches, ref), *self._heads(self.tags, ref)]
        return any(sha in self.ancestry(head) for head in heads)

    @staticmethod
    def _heads(refs: Mapping[str, str], ref: str) -> Collection[str]:
        return refs.values() if not ref else [refs[ref]] if ref in refs else []

    def pick(self, wanted: Selection) -> Pick | None:
        if isinstance(wanted, Exact):
            return Pick("", wanted.sha)
        if isinstance(wanted, Branch):
            sha = self.branches.get(wanted.name)
            return None if sha is None else Pick(wanted.name, sha)
        return newest(wanted.range, self.tags)


@dataclass(slots=True)
class FakeGit:
    faults: Faults
    directories: dict[str, str]
    """Path of a directory -> the SHA that was written into it; shared with the releases."""
    remotes: dict[str, FakeRemote] = field(default_factory=dict)
    mirrors: dict[str, set[str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of each mirror, as they were fetched."""

    def remote(self, name: str) -> FakeRemote:
        return self.remotes.setdefault(name, FakeRemote())

    def heads(self, remote: str, selections: Collection[Selection]) -> Mapping[Selection, Pick]:
        only_exact = all(isinstance(wanted, Exact) for wanted in selections)
        origin = FakeRemote() if only_exact else self._ask(remote)
        found = ((wanted, origin.pick(wanted)) for wanted in selections)
        return {wanted: pick for wanted, pick in found if pick is not None}

    def has(self, remote: str, sha: str) -> bool:
        return sha in self.mirrors.get(remote, ())

    def fetch(self, remote: str, ref: str, sha: str, interrupt: Interrupt) -> None:
        """A commit that no branch and no tag leads to is gone, as it is from a remote that tidies up."""
        if self.has(remote, sha) and not self._lacks_tag(remote, ref, sha):
            return
        interrupt.check()
        origin = self._ask(remote)
        if not origin.leads_to("", sha):
            raise _gone(remote, ref, sha)
        with self.faults.effect("git.fetch"):
            self.mirrors.setdefault(remote, set()).update(origin.ancestry(sha))
            if origin.leads_to(ref, sha):
                self.mirrors[remote].update(origin.ancestry(origin.branches.get(ref, sha)))
            if ref in origin.tags:
                self.tags.setdefault(remote, {})[ref] = origin.tags[ref]

    def _lacks_tag(self, remote: str, ref: str, sha: str) -> bool:
        is_tag = remote in self.remotes and self.remotes[remote].tags.get(ref) == sha
        return is_tag and self.tags.get(remote, {}).get(ref) != sha

    def signature(self, remote: str, ref: str, sha: str, verification: Verification) -> Signature:
        if not self.has(remote, sha):
            return Signature(None, f"commit {short(sha)} is not fetched yet")
        signed = self.remotes[remote].signed
        if verification.what != "head":
            found = self._tag_signature(remote, ref, sha, signed)
            if not found.is_good or verification.what == "tag":
                return found
        return _signature(f"commit {short(sha)}", sha in signed)

    def _tag_signature(self, remote: str, ref: str, sha: str, signed: Collection[str]) -> Signature:
        if not ref or (ref in self.remotes[remote].branches and ref not in self.tags.get(remote, {})):
            return Signature(False, f"{ref or short(sha)} is no tag; a tag must be signed")
        if self.tags.get(remote, {}).get(ref) != sha:
            return Signature(None, f"tag {ref} is not fetched yet")
        return _signature(f"tag {ref}", ref in signed)

    def read_file(self, remote: str, sha: str, path: str) -> bytes | None:
        return self.remotes[remote].files.get(sha, {}).get(path) if self.has(remote, sha) else None

    def committed_at(self, remote: str, sha: str) -> datetime | None:
        return self.remotes[remote].committed.get(sha, START) if self.has(remote, sha) else None

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
        if not self.has(remote, head) or not (base is None or self.has(remote, base)):
            return ()
        origin = self.remotes[remote]
        known = set(origin.ancestry(base)) if base is not None else set()
        line = [sha for sha in origin.ancestry(head) if sha not in known]
        return tuple(Commit(sha, "change", "Ann", origin.committed.get(sha, START)) for sha in line[:limit])

    def _ask(self, name: str) -> FakeRemote:
        found = self.remotes.get(name)
        if found is None or not found.reachable:
            raise Transient(f"{name} cannot be reached", code="remote_unreachable", hint="it is asked again by itself")
        return found


def _gone(remote: str, ref: str, sha: str) -> Transient | RevisionFault:
    if not ref:
        return RevisionFault(f"{remote} has no commit {sha}", code="revision_missing", hint="push it, or name another")
    return Transient(f"{remote}: {ref} no longer leads to {short(sha)}", code="revision_gone")


def _signature(what: str, is_good: bool) -> Signature:
    return Signature(is_good, f"{what} {'is signed by Ann' if is_good else 'is not signed'}")
