"""A server in a folder, for end-to-end tests: git remotes, a configuration, the installed `fraisier`, services.

Everything is a real child process of the test, and whatever is left of it when the test ends is killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self

import yaml

from tests.support.gitrepo import Origin
from tests.support.waiting import is_alive

FRAISIER = str(Path(sys.executable).with_name("fraisier"))
SERVICE = Path(__file__).with_name("service.py").read_text()
PYTHON = f"{sys.executable} -I -S"
"""A Python that starts fast: services and builds of the tests need no more."""

HEALTH: Mapping[str, Any] = {"interval": "50ms", "timeout": "1s", "healthy_for": "200ms", "deadline": "10s"}


def free_port() -> int:
    """Below the ephemeral range, so that no client connection of a neighbour takes it in between."""
    while True:
        port = 10_000 + int.from_bytes(os.urandom(2)) % 20_000
        with socket.socket() as probe:
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class World:
    """`folder` holds everything; the store is `folder/state/fraisier.db`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config_path = folder / "fraises.yaml"
        self.state_dir = folder / "state"
        self.state_dir.mkdir()
        self.store = self.state_dir / "fraisier.db"
        self.log = folder / "daemon.log"
        self.document: dict[str, Any] = {
            "version": 1,
            "server": {"name": "web-1", "listen": "127.0.0.1:0", "service_manager": "process"},
            "git": {"poll": "200ms", "timeout": "20s"},
            "fraises": {},
        }
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder), "NO_COLOR": "1"}
        self.ports: dict[str, int] = {}
        self.daemon: subprocess.Popen[bytes] | None = None
        self._children: list[subprocess.Popen[Any]] = []

    # -- git

    def origin(self, name: str = "shop", **behaviour: Any) -> Origin:
        """A new remote with one commit of the service."""
        origin = Origin(self.folder / "remotes" / name)
        self.push(origin, **behaviour)
        return origin

    def push(self, origin: Origin, *, files: Mapping[str, str] | None = None, **behaviour: Any) -> str:
        """Commits the service with this behaviour; the new head."""
        content = {"app.py": SERVICE, "behaviour.json": json.dumps(behaviour or {"mode": "ok"})}
        return origin.commit({**content, **(files or {})})

    # -- configuration

    def fraise(self, name: str = "shop", repository: str | None = None, **environment: Any) -> dict[str, Any]:
        """Declares an api fraise in production, and writes the file; the mapping of its environment, to be changed."""
        port = self.ports.setdefault(name, free_port())
        health = {**HEALTH, "url": f"http://127.0.0.1:{port}/", **environment.pop("health_check", {})}
        declared = {
            "branch": "main",
            "app_path": str(self.app_path(name)),
            "service": {"exec": f"{PYTHON} app.py", "port": port, "stop_timeout": "3s"},
            "health_check": health,
            **environment,
        }
        self.document["fraises"][name] = {
            "type": "api",
            "repository": repository or str(self.folder / "remotes" / name),
            "environments": {"production": declared},
        }
        self.write()
        return declared

    def write(self, text: str | None = None) -> None:
        """Writes the configuration as editors do: beside it, renamed over it."""
        draft = self.folder / ".draft"
        draft.write_text(yaml.safe_dump(self.document, sort_keys=False) if text is None else text)
        draft.rename(self.config_path)

    def app_path(self, name: str = "shop") -> Path:
        return self.folder / "srv" / name

    # -- the command

    def argv(self, *arguments: str, program: tuple[str, ...] = (FRAISIER,)) -> list[str]:
        return [*program, "--config", str(self.config_path), "--state", str(self.store), *arguments]

    def run(self, *arguments: str, code: int | None = 0, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs `fraisier`; fails the test for another exit code than `code`, unless that is None."""
        done = subprocess.run(
            self.argv(*arguments),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert code is None or done.returncode == code, (
            f"fraisier {' '.join(arguments)} exited {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.tail()}"
        )
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `fraisier` beside the test."""
        child = subprocess.Popen(
            self.argv(*arguments),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._children.append(child)
        return child

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        return json.loads(self.run(*arguments, code=code).stdout)

    # -- the daemon

    def start_daemon(
        self, *, program: tuple[str, ...] = (FRAISIER,), env: Mapping[str, str] | None = None, ready: bool = True
    ) -> subprocess.Popen[bytes]:
        """Starts the daemon, and by default waits until it says that it is ready."""
        before = len(self.events("daemon.ready"))
        with self.log.open("ab") as log:
            self.daemon = subprocess.Popen(
                self.argv("--verbose", "daemon", "--log-format", "json", program=program),
                cwd=self.folder,
                env={**self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._children.append(self.daemon)
        if ready:
            daemon = self.daemon
            self.until(lambda: len(self.events("daemon.ready")) > before or daemon.poll() is not None, what="ready")
            assert daemon.poll() is None, f"the daemon ended with {daemon.poll()}\n{self.tail()}"
        return self.daemon

    def stop_daemon(self, seconds: float = 20) -> int:
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGTERM)
        return self.daemon.wait(seconds)

    def kill_daemon(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait(10)

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The lines of the daemon's log, as objects."""
        if not self.log.exists():
            return []
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            with suppress(ValueError):
                event = json.loads(line)
                if name is None or event.get("event") == name:
                    found.append(event)
        return found

    def url(self, path: str) -> str:
        """Of the running daemon."""
        return f"http://{self.events('daemon.ready')[-1]['listen']}{path}"

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-6000:] if self.log.exists() else ""

    # -- looking

    def until(self, condition: Callable[[], object], seconds: float = 20, what: str = "it") -> None:
        """Returns as soon as `condition()` is true; fails the test, with what the daemon said, when it never is."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen in time\n{self.rows()}\n{self.tail()}"
            time.sleep(0.02)

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Reads the store beside the daemon; nothing while there is none."""
        if not self.store.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=5)) as connection:
            try:
                return connection.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such" in str(error):  # it is being made just now
                    return []
                raise

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(row[0]) for row in self.ask("SELECT data FROM v_fraise_status ORDER BY identifier")]

    def row(self, name: str = "shop") -> dict[str, Any]:
        """The status of `name/production` as the view has it; empty while there is none."""
        return next((row for row in self.rows() if row["identifier"] == f"{name}/production"), {})

    def history(self, name: str = "shop") -> list[dict[str, Any]]:
        """Newest first."""
        sql = "SELECT data FROM v_deployment_history WHERE identifier = ? ORDER BY pk_deployment DESC"
        return [json.loads(row[0]) for row in self.ask(sql, f"{name}/production")]

    def open_attempts(self) -> int:
        rows = self.ask(
            "SELECT count(*) FROM tb_deployment_attempts AS a WHERE NOT EXISTS (SELECT 1 FROM tb_deployment_events"
            " AS e WHERE e.fk_deployment_attempt = a.pk_deployment_attempt AND e.kind = 'attempt_closed')"
        )
        return int(rows[0][0]) if rows else 0

    def get(self, name: str = "shop", path: str = "/") -> tuple[int, Any] | None:
        """Status and body of the service, parsed where it is JSON; None when nobody answers."""
        return fetch(f"http://127.0.0.1:{self.ports[name]}{path}")

    def served(self, name: str = "shop") -> str | None:
        """The SHA that answers with 200."""
        answer = self.get(name)
        return answer[1]["sha"] if answer is not None and answer[0] == 200 else None

    def pid(self, name: str = "shop") -> int:
        answer = self.get(name)
        assert answer is not None
        return int(answer[1]["pid"])

    def current(self, name: str = "shop") -> str | None:
        with suppress(FileNotFoundError):
            return os.readlink(self.app_path(name) / "current").removeprefix("releases/")
        return None

    def is_in_sync(self, sha: str, name: str = "shop") -> bool:
        row = self.row(name)
        return bool(row) and (row["sync"], row["healthy"], row["operation"]) == ("in_sync", sha, "idle")

    def converges(self, sha: str, name: str = "shop", seconds: float = 20) -> None:
        self.until(lambda: self.is_in_sync(sha, name) and self.served(name) == sha, seconds, f"{name} at {sha[:7]}")

    def is_quarantined(self, sha: str, name: str = "shop") -> bool:
        sql = "SELECT count(*) FROM v_quarantine WHERE identifier = ? AND sha = ?"
        return bool((self.ask(sql, f"{name}/production", sha) or [(0,)])[0][0])

    def is_held(self, code: str, name: str = "shop") -> bool:
        row = self.row(name)
        return bool(row) and (row["sync"], row["reason"]["code"], row["operation"]) == ("held", code, "idle")

    # -- the end

    def close(self) -> None:
        """Kills what the test started, by its id: commands, daemons, and all that works in the folder."""
        for child in self._children:
            if child.poll() is None:
                child.kill()
            child.wait(10)
            for stream in (child.stdout, child.stderr):
                if stream is not None:
                    stream.close()
        for _ in range(20):
            left = self.processes()
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                return
            time.sleep(0.02)

    def processes(self) -> list[int]:
        """Every living process that works in the folder or names it: ours, for nobody else knows it."""
        needle = str(self.folder)
        return [pid for pid in _all_pids() if pid != os.getpid() and _names(pid, needle) and is_alive(pid)]


def fetch(url: str, timeout: float = 2) -> tuple[int, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            status, body = response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, body = error.code, error.read()
    except OSError:
        return None
    except Exception:  # a connection that is cut in the middle of the answer
        return None
    with suppress(ValueError):
        return status, json.loads(body)
    return status, body.decode(errors="replace")


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _names(pid: int, needle: str) -> bool:
    try:
        if os.readlink(f"/proc/{pid}/cwd").startswith(needle):
            return True
        for what in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{what}", "rb") as file:
                if needle.encode() + b"/" in file.read():
                    return True
    except OSError:
        return False
    return False


class Watcher:
    """Looks at a service and its `current` link without pause, until closed."""

    def __init__(self, world: World, name: str = "shop") -> None:
        self.answers: list[str] = []
        """The SHAs that answered with 200, each once per change."""
        self.dangling: list[str] = []
        self.looks = 0
        self._world = world
        self._name = name
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(10)

    def _watch(self) -> None:
        link = self._world.app_path(self._name) / "current"
        while not self._end.wait(0.01):
            self.looks += 1
            if link.is_symlink() and not (link / "app.py").is_file():
                self.dangling.append(os.readlink(link))
            served = self._world.served(self._name)
            if served is not None and self.answers[-1:] != [served]:
                self.answers.append(served)
