"""The one door to remotes, and their bare mirrors.

Whatever talks to a remote or writes files is `git` itself, run through the door to processes with
the settings of `git_settings`; ancestry and logs are read through GitPython, whose objects live no
longer than the question. Submodules and Git LFS are not followed: a release holds what the commit
itself holds, pointer files included.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..model import config, ports
from ..model.errors import ConfigFault, Interrupted, Transient
from ..model.names import SHA
from ..model.state import Lineage
from . import files, git_faults, git_settings
from .interrupt import Interruption
from .mirrors import Mirrors
from .processes import Ended, Processes

if TYPE_CHECKING:
    import git

_BRANCH = re.compile(
    r"(?!.*(?:\.\.|@\{|//|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\.\-/][^\x00-\x20\x7f~^:?*\[\\]*(?<![./])"
)
"""The rules of git-check-ref-format(1), and no leading dash."""

_LISTING_LIMIT = 64 << 20
_EXPORT_TIMEOUT = 600.0
_PACKING_TIMEOUT = 3600.0
_READ_TIMEOUT = 60.0
_KNOWN_LIMIT = 10_000

Heads = Mapping[str, str]


class GitRemotes:
    """`state_dir` holds the mirrors and git's own home. Safe from any thread.

    With `traceless` nothing is written, not even that home: remotes are asked and mirrors read only.
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
        self._home = os.path.join(state_dir, "git")
        self._timeout = settings.timeout.total_seconds()
        self._processes = processes
        self._mirrors = Mirrors(os.path.join(state_dir, "mirrors"))
        self._env = git_settings.environment(self._home, settings, ssh)
        self._guard = threading.Lock()
        self._configured = False
        self._traceless = traceless
        self._configuring = threading.Lock()
        self._asking: dict[tuple[str, frozenset[str]], Future[Heads]] = {}
        self._known: set[tuple[str, str]] = set()
        self._packing: dict[str, Interruption] = {}

    # -- remotes ------------------------------------------------------------------------------

    def heads(self, remote: str, branches: Collection[str]) -> Heads:
        """Those who ask the same at the same time share one process and its answer."""
        key = (remote, frozenset(branches))
        with self._guard:
            answer = self._asking.get(key)
            mine = answer is None
            if answer is None:
                answer = self._asking[key] = Future()
        if mine:
            self._answer(key, answer)
        return answer.result()

    def _answer(self, key: tuple[str, frozenset[str]], answer: Future[Heads]) -> None:
        try:
            answer.set_result(self._list(*key))
        except BaseException as error:  # noqa: BLE001  # all who wait for it get it raised
            answer.set_exception(error)
        finally:
            with self._guard:
                del self._asking[key]

    def _list(self, remote: str, branches: frozenset[str]) -> Heads:
        refs = {f"refs/heads/{_checked(branch)}": branch for branch in sorted(branches)}
        ended = self._git("ls-remote", "--heads", "--quiet", "--", remote, *refs, remote=remote, limit=_LISTING_LIMIT)
        self._accept(remote, ended)
        lines = (line.split("\t", 1) for line in ended.stdout.decode(errors="replace").splitlines() if "\t" in line)
        return {refs[ref]: sha for sha, ref in lines if ref in refs and SHA.fullmatch(sha)}

    def fetch(self, remote: str, branch: str, sha: str, interrupt: ports.Interrupt) -> None:
        """See `ports.Git`. Code `revision_gone`: the branch was rewound or deleted since its head was read."""
        _checked(branch)
        if (remote, sha) in self._known:
            return
        self._end_packing(remote)
        with self._mirrors.locked(remote, self._timeout) as lock:
            if self.has(remote, sha):
                return
            if not self._fetched(remote, branch, sha, interrupt, lock):
                self._mirrors.discard(remote)
                if not self._fetched(remote, branch, sha, interrupt, lock):
                    raise git_faults.mirror_fault(remote, b"")
            self._insist(remote, branch, sha)
        self._pack_if_crowded(remote)

    def _fetched(self, remote: str, branch: str, sha: str, interrupt: ports.Interrupt, lock: int) -> bool:
        """False when the mirror itself is damaged."""
        self._make(remote, sha)
        self._mirrors.tidy(remote)
        refspec = f"+refs/heads/{branch}:{self._mirrors.ref(branch)}"
        # No packing within the fetch: the deployment would wait for it, and the fetch's timeout would cut it.
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc")
        ended = self._in_mirror(remote, "fetch", *options, "--", remote, refspec, interrupt=interrupt, lock=lock)
        if ended.exit_code and not ended.timed_out and git_faults.is_corrupt(ended.stderr):
            return False
        self._accept(remote, ended)
        return True

    def _make(self, remote: str, sha: str) -> None:
        if os.path.isdir(self._mirrors.path(remote)):
            return
        fresh = self._mirrors.fresh()
        kind = "sha1" if len(sha) == 40 else "sha256"
        ended = self._git(
            "init", "--bare", "--quiet", "--template=", f"--object-format={kind}", "--", fresh, remote=remote
        )
        self._accept(remote, ended)
        self._mirrors.put(remote, fresh)

    def _insist(self, remote: str, branch: str, sha: str) -> None:
        if self._mirrors.fetched(remote, branch) != sha and not self.has(remote, sha):
            raise Transient(
                f"{git_faults.without_userinfo(remote)}: {branch} no longer leads to {sha[:12]}",
                code="revision_gone",
                hint="nothing to do: the branch was moved by force, and its new head is read at the next look",
            )
        self._remember(remote, sha)

    # -- mirrors ------------------------------------------------------------------------------

    def has(self, remote: str, sha: str) -> bool:
        if (remote, sha) in self._known:
            return True
        if not os.path.isdir(self._mirrors.path(remote)):
            return False
        if self._in_mirror(remote, "cat-file", "-e", f"{_commit(sha)}^{{commit}}").exit_code:
            return False
        self._remember(remote, sha)
        return True

    def _remember(self, remote: str, sha: str) -> None:
        if len(self._known) >= _KNOWN_LIMIT:
            self._known.clear()
        self._known.add((remote, sha))

    def export(self, remote: str, sha: str, into: str) -> None:
        """Modes as committed under umask 022, links as they are, nothing left out or substituted
        (`export-ignore` and `export-subst` are for archives). A damaged mirror is deleted and `Transient`
        raised: the next fetch makes it again.
        """
        with files.disk_errors("exporting a commit"), self._private_folder() as private:
            ended = self._git(
                f"--git-dir={self._mirrors.path(remote)}",
                f"--work-tree={into}",
                "read-tree",
                "--reset",
                "-u",
                _commit(sha),
                remote=remote,
                more={"GIT_INDEX_FILE": os.path.join(private, "index")},
                cwd=into,
                timeout=_EXPORT_TIMEOUT,
            )
        if not ended.exit_code:
            return
        if ended.timed_out or not git_faults.is_corrupt(ended.stderr):
            self._accept(remote, ended)
        self._forget(remote)
        raise git_faults.mirror_fault(remote, ended.stderr)

    @contextmanager
    def _private_folder(self) -> Iterator[str]:
        self._configure()
        with TemporaryDirectory(prefix="index-", dir=self._home) as folder:
            yield folder

    def _forget(self, remote: str) -> None:
        self._end_packing(remote)
        with self._mirrors.locked(remote, self._timeout):
            self._known = {known for known in self._known if known[0] != remote}
            self._mirrors.discard(remote)

    def lineage(self, remote: str, base: str, head: str) -> tuple[Lineage, int | None]:
        if base == head:
            return "same", 0
        counts = self._read(remote, "rev_list", "--left-right", "--count", f"{_commit(base)}...{_commit(head)}")
        if counts is None:
            return "unknown", None
        missing, ahead = map(int, counts.split())
        return ("rewind" if missing else "descends"), ahead

    def log(self, remote: str, base: str | None, head: str, limit: int) -> tuple[ports.Commit, ...]:
        span = _commit(head) if base is None else f"{_commit(base)}..{_commit(head)}"
        text = self._read(remote, "log", "-z", "--format=%H%x1f%at%x1f%an%x1f%s", f"--max-count={limit}", span, "--")
        return tuple(_parse_commit(entry) for entry in (text or "").split("\0") if entry)

    def _read(self, remote: str, command: str, *arguments: str) -> str | None:
        """What a reading git command prints; None when the mirror or a commit in it is missing."""
        if not os.path.isdir(self._mirrors.path(remote)):
            return None
        import git

        self._configure()
        try:
            with git.Repo(self._mirrors.path(remote)) as repo:
                return self._ask(repo, command, arguments)
        except (git.exc.GitCommandError, git.exc.InvalidGitRepositoryError, git.exc.NoSuchPathError):
            return None
        except OSError as error:
            raise files.as_fault("reading a mirror", error) from error

    def _ask(self, repo: git.Repo, command: str, arguments: tuple[str, ...]) -> str:
        repo.git.update_environment(**self._env, GIT_DIR=str(repo.git_dir))
        answer = getattr(repo.git, command)(*arguments, kill_after_timeout=_READ_TIMEOUT)
        # GitPython keeps bytes that are no UTF-8 as surrogates, which nothing can print.
        return str(answer).encode(errors="surrogateescape").decode(errors="replace")

    def _pack_if_crowded(self, remote: str) -> None:
        """Beside the daemon's work, once in some fifty fetches; a fetch of the same mirror ends it."""
        if not self._mirrors.is_crowded(remote):
            return
        ours = Interruption()
        if self._packing.setdefault(remote, ours) is ours:
            threading.Thread(target=self._pack, args=(remote, ours), name="git-gc", daemon=True).start()

    def _pack(self, remote: str, interrupt: Interruption) -> None:
        """Nothing depends on it: when it fails or is ended, a later fetch tidies up and it is tried again."""
        try:
            with suppress(Transient, ConfigFault, Interrupted), self._mirrors.locked(remote, 0) as lock:
                self._git(
                    f"--git-dir={self._mirrors.path(remote)}",
                    "gc",
                    "--auto",
                    "--quiet",
                    remote=remote,
                    interrupt=interrupt,
                    lock=lock,
                    timeout=_PACKING_TIMEOUT,
                )
        finally:
            del self._packing[remote]

    def _end_packing(self, remote: str) -> None:
        if packing := self._packing.get(remote):
            packing.set("superseded", "others need the mirror")

    def sweep(self) -> None:
        """Removes what a killed predecessor left half made; for a daemon that starts."""
        self._mirrors.sweep()
        with files.disk_errors("removing what a killed daemon left"):
            for name in os.listdir(self._home) if os.path.isdir(self._home) else ():
                if name.startswith("index-"):
                    files.remove_tree(os.path.join(self._home, name))

    # -- git ----------------------------------------------------------------------------------

    def _configure(self) -> None:
        with self._configuring:
            if not self._configured:
                if self._traceless:
                    self._env["GIT_CONFIG_GLOBAL"] = git_settings.config_in_memory()
                else:
                    git_settings.write_config(self._home)
                self._configured = True

    def _in_mirror(
        self, remote: str, *arguments: str, interrupt: ports.Interrupt | None = None, lock: int | None = None
    ) -> Ended:
        return self._git(
            f"--git-dir={self._mirrors.path(remote)}", *arguments, remote=remote, interrupt=interrupt, lock=lock
        )

    def _git(
        self,
        *arguments: str,
        remote: str,
        interrupt: ports.Interrupt | None = None,
        lock: int | None = None,
        more: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        limit: int = 1 << 20,
    ) -> Ended:
        self._configure()
        try:
            return self._processes.run(
                ("git", *arguments),
                env={**self._env, **git_settings.protocols(remote), **(more or {})},
                cwd=cwd or ("/" if self._traceless else self._home),
                timeout=timeout or self._timeout,
                interrupt=interrupt or Interruption(),
                keep_fds=() if lock is None else (lock,),
                limit=limit,
                trusted=True,
            )
        except FileNotFoundError as error:
            raise Transient(
                f"git cannot be run: {error}", code="no_git", hint="install git (apt install git)"
            ) from None
        except OSError as error:
            raise Transient(f"git cannot be run: {error.strerror}", code="no_process") from error

    def _accept(self, remote: str, ended: Ended) -> None:
        if ended.timed_out:
            raise git_faults.timeout_fault(remote, self._timeout)
        if ended.exit_code:
            raise git_faults.remote_fault(remote, ended.stderr)


def _checked(branch: str) -> str:
    if not _BRANCH.fullmatch(branch):
        raise ConfigFault(f"{branch!r} is no name of a branch", code="branch_name", hint="see git-check-ref-format(1)")
    return branch


def _commit(sha: str) -> str:
    if not SHA.fullmatch(sha):
        raise ValueError(f"{sha!r} is not the full name of a commit")
    return sha


def _parse_commit(entry: str) -> ports.Commit:
    sha, seconds, author, subject = entry.split("\x1f", 3)
    return ports.Commit(sha, subject, author, _date(seconds))


def _date(seconds: str) -> datetime:
    """An author's date is whatever somebody wrote into the commit; one that is no date counts as 1970."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
