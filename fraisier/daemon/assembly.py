"""Everything one process needs, put together once: configuration, machine, store, reconciler."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..config import Loaded, load
from ..host.clock import SystemClock
from ..host.crashes import CrashNotes
from ..host.lookup import MachineLookup, find_config, read_sources
from ..host.machine import Machine
from ..host.state_dir import StatePaths, find_state
from ..model.config import Config, Git, Server
from ..model.errors import ConfigFault, FraisierError
from ..model.records import Attempt, Store
from ..reconcile.cycle import Reconciler
from ..reconcile.look import Eyes
from ..store import DaemonLock, SqliteStore, open_store

Mode = Literal["read", "write"]
"""`read` leaves no trace on the machine: it creates no store, no key and no folder."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """What was put together, and what it was put together from."""

    config_path: Path
    loaded: Loaded
    config: Config
    paths: StatePaths
    host: Machine
    store: Store
    mode: Mode
    environ: Mapping[str, str]

    def reload(self) -> Loaded:
        """Reads the configuration again, with the same key for secrets. Raises `ConfigFault` when it cannot be read."""
        return read_configuration(self.config_path, self.paths, self.mode, self.environ)

    def reconciler(self, eyes: Callable[[], Eyes], report: Callable[[BaseException], None]) -> Reconciler:
        return Reconciler(
            host=self.host,
            store=self.store,
            eyes=eyes,
            jitter=random.random,
            attempt_log=self._attempt_log,
            report=report,
            server=self.config.server.name,
        )

    def _attempt_log(self, attempt: Attempt) -> str:
        self.paths.prune_logs()
        return str(self.paths.attempt_log(attempt.id))


def read_configuration(path: Path, paths: StatePaths, mode: Mode, environ: Mapping[str, str]) -> Loaded:
    """Raises `ConfigFault` when the files cannot be read at all; everything else is in its problems."""
    lookup = MachineLookup(environ, key_path=str(paths.key), create=mode == "write")
    return load(read_sources(path), lookup)


@dataclass(frozen=True, slots=True)
class Located:
    """Where the configuration and the store are, and what the configuration says."""

    config_path: Path
    paths: StatePaths
    loaded: Loaded
    is_keyed: bool
    """Whether `loaded` has the digests that the store goes by; not while its key was not there to be read."""


def locate(config: str | None, state: str | None, environ: Mapping[str, str], here: Path) -> Located:
    """The configuration may say where the store is, and the store's key is needed for the digests of the
    configuration; so it is read with the key of where the store is as long as nothing says otherwise.
    """
    path = find_config(config, environ, here)
    guess = find_state(state, environ, None, path, here)
    has_key = guess.key.exists()
    loaded = read_configuration(path, guess, "read", environ)
    configured = loaded.config.server.state if loaded.config is not None else None
    paths = find_state(state, environ, configured, path, here)
    return Located(path, paths, loaded, has_key and paths == guess)


def assemble(
    *,
    config: str | None,
    state: str | None,
    mode: Mode,
    environ: Mapping[str, str] | None = None,
    tolerant: bool = False,
) -> Assembly:
    """Raises `ConfigFault` when there is no usable configuration, with every problem in it, and
    `StoreError` when the store cannot be used.

    With `tolerant`, for what only reads the store, an unusable configuration is one without targets:
    `loaded.config` is None and `loaded.problems` says why. What happened can still be seen then.
    """
    environ = os.environ if environ is None else environ
    located = locate(config, state, environ, Path.cwd())
    path, paths, loaded = located.config_path, located.paths, located.loaded
    if loaded.config is not None and not located.is_keyed:
        loaded = read_configuration(path, paths, mode, environ)
    usable = loaded.config or (Config(Server(socket.gethostname()), Git(), {}) if tolerant else None)
    if usable is None:
        raise ConfigFault("\n".join(str(problem) for problem in loaded.problems), code="config_invalid")
    store = _open(paths, mode)
    host = Machine(str(paths.folder), usable.git, usable.server.service_manager, traceless=mode == "read")
    return Assembly(path, loaded, usable, paths, host, store, mode, environ)


def _open(paths: StatePaths, mode: Mode) -> Store:
    if mode == "write":
        paths.make_folders()
    return open_store(str(paths.store), "create" if mode == "write" else "read")


@contextmanager
def held_lock(*, config: str | None, state: str | None) -> Iterator[None]:
    """Holds the lock of the store while a daemon runs. Raises `StoreError` `store_locked` for a second one.

    After a predecessor that ended uncleanly the whole store is read once before it is trusted. Unclean
    ends are noted, for the safe mode.
    """
    paths = locate(config, state, os.environ, Path.cwd()).paths
    paths.make_folders()
    lock, crashes = DaemonLock(str(paths.store)), CrashNotes(paths.crashes)
    lock.acquire()
    if lock.was_unclean:
        crashes.add(SystemClock().now())
    try:
        if lock.was_unclean and paths.store.exists():
            store = SqliteStore.open(str(paths.store))
            store.check()
            store.close()
        yield
    except FraisierError:
        raise  # told, and no crash
    except Exception:
        crashes.add(SystemClock().now())
        raise
    finally:
        lock.release()
