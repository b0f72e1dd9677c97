"""What the mirrors hold: commits, how they relate, and their files.

Ancestry and logs are read through GitPython, whose objects live no longer than the question; bytes,
and whatever has to be told from damage, through git itself.
"""

from __future__ import annotations

import os
import posixpath
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..model import ports
from ..model.errors import RevisionFault, Transient
from ..model.names import short
from ..model.state import Lineage
from . import files, git_faults
from .git_door import GitDoor
from .git_names import commit
from .mirrors import Mirrors
from .processes import Ended

if TYPE_CHECKING:
    import git

READ_TIMEOUT = 60.0
LARGEST_FILE = 16 << 20
"""Bytes of a file that is read into memory: units and settings are a thousandth of it."""

_KNOWN_LIMIT = 10_000
_REGULAR = {"100644", "100755"}


class GitReading:
    def __init__(self, door: GitDoor, mirrors: Mirrors) -> None:
        self._door = door
        self._mirrors = mirrors
        self._known: set[tuple[str, str]] = set()

    def knows(self, remote: str, sha: str) -> bool:
        """Whether the mirror was seen to have the commit; free of cost."""
        return (remote, sha) in self._known

    def has(self, remote: str, sha: str) -> bool:
        if self.knows(remote, sha):
            return True
        if not os.path.isdir(self._mirrors.path(remote)) or self.peeled(remote, commit(sha)) != sha:
            return False
        self.remember(remote, sha)
        return True

    def peeled(self, remote: str, object: str) -> str | None:
        """The commit that an object is, or is a tag of; None where the mirror lacks either."""
        ended = self.in_mirror(remote, "rev-parse", "--verify", "--quiet", f"{object}^{{commit}}")
        return None if ended.exit_code else ended.stdout.decode(errors="replace").strip()

    def remember(self, remote: str, sha: str) -> None:
        if len(self._known) >= _KNOWN_LIMIT:
            self._known.clear()
        self._known.add((remote, sha))

    def forget(self, remote: str) -> None:
        self._known = {known for known in self._known if known[0] != remote}

    def lineage(self, remote: str, base: str, head: str) -> tuple[Lineage, int | None]:
        if base == head:
            return "same", 0
        counts = self._read(remote, "rev_list", "--left-right", "--count", f"{commit(base)}...{commit(head)}")
        if counts is None:
            return "unknown", None
        missing, ahead = map(int, counts.split())
        return ("rewind" if missing else "descends"), ahead

    def log(self, remote: str, base: str | None, head: str, limit: int) -> tuple[ports.Commit, ...]:
        span = commit(head) if base is None else f"{commit(base)}..{commit(head)}"
        text = self._read(remote, "log", "-z", "--format=%H%x1f%at%x1f%an%x1f%s", f"--max-count={limit}", span, "--")
        return tuple(_parse_commit(entry) for entry in (text or "").split("\0") if entry)

    def committed_at(self, remote: str, sha: str) -> datetime | None:
        """Also None where what the commit says is no date."""
        text = self._read(remote, "log", "--max-count=1", "--format=%ct", commit(sha), "--")
        at = _date(text or "")
        return at if at.timestamp() > 0 else None

    def read_file(self, remote: str, sha: str, path: str) -> bytes | None:
        """None also for what is no regular file: links are not followed, neither by git nor by us. Raises
        `RevisionFault` for one that is larger than `LARGEST_FILE`, and `Damaged`.
        """
        plain = posixpath.normpath(path)
        if not self.has(remote, sha) or plain.startswith(("/", "../")) or plain in {".", ".."} or "\0" in plain:
            return None
        found = self._blob(remote, sha, plain)
        if found is None:
            return None
        name, size = found
        if size > LARGEST_FILE:
            raise RevisionFault(
                f"{path} in {short(sha)} is {size >> 20} MiB large",
                code="file_too_large",
                hint=f"commit a file of at most {LARGEST_FILE >> 20} MiB, or name another one",
            )
        return self.output(remote, "cat-file", "blob", name, limit=LARGEST_FILE)

    def _blob(self, remote: str, sha: str, path: str) -> tuple[str, int] | None:
        """Object and size of a regular file."""
        listed = self.output(
            remote, "--literal-pathspecs", "ls-tree", "-z", "--long", "--full-tree", commit(sha), "--", path
        )
        for entry in listed.decode(errors="surrogateescape").split("\0"):
            about, _, name = entry.partition("\t")
            if name == path and about.split()[0] in _REGULAR:
                _, _, blob, size = about.split()
                return blob, int(size)
        return None

    def output(self, remote: str, *arguments: str, limit: int = 1 << 20) -> bytes:
        """What a git command prints that cannot fail on a sound mirror. Raises `Damaged` where it does."""
        ended = self.in_mirror(remote, *arguments, limit=limit)
        if ended.timed_out:
            raise Transient(
                f"reading the mirror of {git_faults.without_userinfo(remote)} took more than {READ_TIMEOUT:g} s",
                code="mirror_slow",
                hint="look at the load of this server and at its disk; it is tried again by itself",
            )
        if ended.exit_code:
            raise git_faults.Damaged(ended.stderr)
        return ended.stdout

    def in_mirror(self, remote: str, *arguments: str, limit: int = 1 << 20) -> Ended:
        path = self._mirrors.path(remote)
        return self._door.git(f"--git-dir={path}", *arguments, remote=remote, timeout=READ_TIMEOUT, limit=limit)

    def _read(self, remote: str, command: str, *arguments: str) -> str | None:
        """What a reading git command prints; None when the mirror or a commit in it is missing."""
        if not os.path.isdir(self._mirrors.path(remote)):
            return None
        import git

        try:
            with git.Repo(self._mirrors.path(remote)) as repo:
                return self._ask(repo, command, arguments)
        except (git.exc.GitCommandError, git.exc.InvalidGitRepositoryError, git.exc.NoSuchPathError):
            return None
        except OSError as error:
            raise files.as_fault("reading a mirror", error) from error

    def _ask(self, repo: git.Repo, command: str, arguments: tuple[str, ...]) -> str:
        repo.git.update_environment(**self._door.environment(), GIT_DIR=str(repo.git_dir))
        answer = getattr(repo.git, command)(*arguments, kill_after_timeout=READ_TIMEOUT)
        # GitPython keeps bytes that are no UTF-8 as surrogates, which nothing can print.
        return str(answer).encode(errors="surrogateescape").decode(errors="replace")


def _parse_commit(entry: str) -> ports.Commit:
    sha, seconds, author, subject = entry.split("\x1f", 3)
    return ports.Commit(sha, subject, author, _date(seconds))


def _date(seconds: str) -> datetime:
    """A date is whatever somebody wrote into the commit; one that is no date counts as 1970."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
