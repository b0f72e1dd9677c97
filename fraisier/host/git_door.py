"""How git is run: through the door to processes, with the settings of `git_settings` and no others."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from ..model import config, ports
from ..model.errors import Transient
from . import files, git_faults, git_settings
from .git_scratch import Scratch
from .interrupt import Interruption
from .processes import Ended, Processes

INDEX = "index-"
KEYS = "gnupg-"
"""What the names of temporary folders in git's home begin with, and of keyrings made from files of keys."""


class GitDoor:
    """`home` is git's own. With `scratch` nothing is written there: what has to be written goes into that."""

    def __init__(
        self, home: str, settings: config.Git, processes: Processes, ssh: str, scratch: Scratch | None
    ) -> None:
        self.timeout = settings.timeout.total_seconds()
        self._home = home
        self._processes = processes
        self._scratch = scratch
        self._env = git_settings.environment(home, settings, ssh)
        self._configured = False
        self._configuring = threading.Lock()

    def environment(self) -> dict[str, str]:
        """What git runs in, its configuration written; without the protocols, which depend on the remote."""
        with self._configuring:
            if not self._configured:
                if self._scratch is not None:
                    self._env["GIT_CONFIG_GLOBAL"] = git_settings.config_in_memory()
                else:
                    git_settings.write_config(self._home)
                self._configured = True
        return dict(self._env)

    def private_home(self) -> str:
        """A folder of mode 0700 for what only we may write."""
        self.environment()
        return self._scratch.path() if self._scratch is not None else self._home

    @contextmanager
    def private_folder(self) -> Iterator[str]:
        with TemporaryDirectory(prefix=INDEX, dir=self.private_home()) as folder:
            yield folder

    def git(
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
        """Raises `Transient` when there is no git, `Interrupted` after having ended it."""
        env = {**self.environment(), **git_settings.protocols(remote), **(more or {})}
        try:
            return self._processes.run(
                ("git", *arguments),
                env=env,
                cwd=cwd or self._folder(),
                timeout=timeout or self.timeout,
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
            raise _no_process("git", error) from error

    def program(self, *argv: str, timeout: float) -> Ended:
        """Another program, in git's environment. Raises `FileNotFoundError` when it is not installed."""
        env = self.environment()
        try:
            return self._processes.run(argv, env=env, cwd=self._folder(), timeout=timeout)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _no_process(argv[0], error) from error

    def accept(self, remote: str, ended: Ended) -> None:
        """Raises `Transient` unless it went well."""
        if ended.timed_out:
            raise git_faults.timeout_fault(remote, self.timeout)
        if ended.exit_code:
            raise git_faults.remote_fault(remote, ended.stderr)

    def sweep(self) -> None:
        """Removes what a killed predecessor left, and keyrings: they are made again from their files."""
        with files.disk_errors("removing what a killed daemon left"):
            for name in os.listdir(self._home) if os.path.isdir(self._home) else ():
                if name.startswith((INDEX, KEYS)):
                    files.remove_tree(os.path.join(self._home, name))

    def _folder(self) -> str:
        return "/" if self._scratch is not None else self._home


def _no_process(program: str, error: OSError) -> Transient:
    return Transient(f"{program} cannot be run: {error.strerror}", code="no_process")
