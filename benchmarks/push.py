"""From `git push` to a service that answers with the new commit, beside a shell script that does the same."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fraisier.model.names import Scope, TargetId
from fraisier.model.records import Request
from fraisier.store import SqliteStore, poke

from .figures import Effort, Figure, Row
from .start_up import FRAISIER
from .timing import median, ratio, seconds
from .world import GIT, git

TARGET = TargetId("shop", "production")
GLANCE = 0.004
"""Seconds between two looks at whether the service answers; alike for all."""
PATIENCE = 30.0

APP = """\
import http.server, os

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["FRAISIER_SHA"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""

CONFIG = """\
server: {{name: web-1, listen: "127.0.0.1:0", service_manager: process}}
git: {{poll: 1h}}
fraises:
  shop:
    type: api
    repository: {origin}
    environments:
      production:
        branch: main
        app_path: {app}
        service: {{exec: {python} app.py, port: {port}}}
        health_check: {{url: "http://127.0.0.1:{port}/", interval: 50ms, healthy_for: 0s, deadline: 20s}}
"""


@dataclass(slots=True)
class Site:
    """An origin, a clone to push from, and a place to deploy to."""

    folder: Path
    port: int
    pushes: int = 0
    origin: Path = field(init=False)
    clone: Path = field(init=False)
    app: Path = field(init=False)

    def __post_init__(self) -> None:
        self.origin, self.clone, self.app = (self.folder / name for name in ("origin.git", "clone", "app"))
        self.clone.mkdir(parents=True)
        git(self.clone, "init", "--quiet", "--initial-branch=main")
        git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        git(self.clone, "remote", "add", "origin", str(self.origin))
        (self.clone / "app.py").write_text(APP)

    def commit(self) -> str:
        self.pushes += 1
        (self.clone / "VERSION").write_text(f"{self.pushes}\n")
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--message", f"version {self.pushes}")
        return git(self.clone, "rev-parse", "HEAD")

    def push(self) -> None:
        git(self.clone, "push", "--quiet", "origin", "main")

    def answers(self) -> str:
        """The SHA that the service answers with; empty when it does not."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while chunk := connection.recv(4096):
                answer += chunk
            return answer.rpartition(b"\r\n")[2].decode()
        return ""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds since the push began."""

    answers: float
    """The service answers with the new SHA."""
    known: float
    """The script has ended; the attempt is recorded as converged and whoever asked knows it."""


def deploy(site: Site, ask: Callable[[], None]) -> Took:
    """Pushes a new commit, asks for its deployment, and watches."""
    sha = site.commit()
    answered: list[float] = []

    def watch() -> None:
        while site.answers() != sha and time.perf_counter() < begin + PATIENCE:
            pause.wait(GLANCE)
        answered.append(time.perf_counter())

    pause = threading.Event()
    begin = time.perf_counter()
    watcher = threading.Thread(target=watch)
    watcher.start()
    site.push()
    ask()
    known = time.perf_counter()
    watcher.join()
    if answered[0] >= begin + PATIENCE:
        raise AssertionError(f"the service at {site.folder} never answered with {sha}")
    return Took(answered[0] - begin, known - begin)


# -- Fraisier


@dataclass(slots=True)
class Fraisier:
    site: Site

    @property
    def config(self) -> Path:
        return self.site.folder / "fraises.yaml"

    @property
    def state(self) -> Path:
        return self.site.folder / "server.state"

    def prepare(self) -> None:
        """Writes the configuration and deploys once, which makes the store."""
        site = self.site
        self.config.write_text(CONFIG.format(origin=site.origin, app=site.app, port=site.port, python=sys.executable))
        site.commit()
        site.push()
        self.deploy_by_command()

    def command(self, *arguments: str) -> list[str]:
        return [FRAISIER, "--config", str(self.config), "--state", str(self.state), *arguments]

    def deploy_by_command(self) -> None:
        subprocess.run(self.command("deploy", str(TARGET)), env=GIT, check=True, stdout=subprocess.DEVNULL)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        with open(self.site.folder / "daemon.log", "wb") as log:
            daemon = subprocess.Popen(self.command("daemon"), env=GIT, stdout=log, stderr=log)
        try:
            yield daemon
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(PATIENCE)

    def stop_service(self) -> None:
        _end(self.site.app / ".fraisier" / "process.json", '"pid": ')


class Bell:
    """Wakes the daemon as a receiver of webhooks does: by a row in the store, from a process that runs already."""

    def __init__(self, fraisier: Fraisier) -> None:
        self._path = str(fraisier.state)
        self._store = SqliteStore.open(self._path)

    def ring(self) -> None:
        request = Request(str(uuid.uuid4()), "deploy", Scope.of(TARGET), "benchmark", datetime.now(UTC))
        self._store.add_request(request)
        poke(self._path)
        pause = threading.Event()
        while self._store.request_state(request.id)[0] in ("pending", "taken"):
            pause.wait(GLANCE)
        if self._store.request_state(request.id)[0] != "done":
            raise AssertionError(self._store.request_state(request.id)[1])

    def close(self) -> None:
        self._store.close()


# -- the shell script


@dataclass(slots=True)
class Script:
    site: Site

    def deploy(self) -> None:
        site = self.site
        mirror = site.folder / "mirror.git"
        if not mirror.exists():
            git(site.folder, "init", "--quiet", "--bare", str(mirror))
        script = Path(__file__).with_name("deploy.sh")
        argv = ["sh", str(script), str(site.origin), "main", str(mirror), str(site.app), str(site.port)]
        subprocess.run(argv, env={**GIT, "PYTHON": sys.executable}, check=True)

    def stop_service(self) -> None:
        _end(self.site.app / "pid", "")


def _end(note: Path, before: str) -> None:
    if note.exists():
        number = note.read_text().partition(before)[2] if before else note.read_text()
        with suppress(ProcessLookupError):
            os.kill(int(number.partition(",")[0]), signal.SIGKILL)


# -- the measurement


def measure(effort: Effort) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        ports = free_ports(3)
        sites = [
            Site(Path(folder) / name, port) for name, port in zip(("script", "daemon", "alone"), ports, strict=True)
        ]
        script, served, alone = Script(sites[0]), Fraisier(sites[1]), Fraisier(sites[2])
        try:
            served.prepare()
            alone.prepare()
            return _row(*_rounds(script, served, alone, effort.pick(15, 2)))
        finally:
            script.stop_service()
            served.stop_service()
            alone.stop_service()


def _rounds(script: Script, served: Fraisier, alone: Fraisier, rounds: int) -> tuple[dict[str, list[Took]], float]:
    taken: dict[str, list[Took]] = {}
    starts: list[float] = []
    with served.daemon(), closing(Bell(served)) as bell:
        kinds: dict[str, tuple[Site, Callable[[], None]]] = {
            "script": (script.site, script.deploy),
            "woken": (served.site, bell.ring),
            "command": (served.site, served.deploy_by_command),
            "alone": (alone.site, alone.deploy_by_command),
        }
        for _ in range(1 + rounds):
            for name, (site, ask) in kinds.items():
                taken.setdefault(name, []).append(deploy(site, ask))
            starts.append(seconds(served.deploy_by_command))
    return {name: all_of[1:] for name, all_of in taken.items()}, median(starts)


WAYS = {
    "woken": "the daemon, woken by a row as by a webhook",
    "command": "`fraisier deploy` beside a daemon",
    "alone": "`fraisier deploy` without a daemon",
}


def _row(taken: dict[str, list[Took]], command_starts: float) -> Row:
    figures = [
        figure
        for way, words in WAYS.items()
        for figure in (
            _figure(f"push to healthy, {words}: the new SHA answers", taken, way, lambda took: took.answers),
            _figure(f"push to healthy, {words}: recorded as converged", taken, way, lambda took: took.known),
        )
    ]
    figures.append(
        Figure("of which: `fraisier deploy` of what is in sync already, beside a daemon", command_starts * 1e3, "ms")
    )
    return Row("Push to healthy", figures, HOW, PARTS)


HOW = (
    "A local bare repository and a service of Python's `http.server`, of which every round pushes a new commit. The "
    "clock starts before `git push`. The script (`benchmarks/deploy.sh`) fetches, checks the commit out into a "
    "directory of its own, swaps a link, ends the old service, starts the new one and asks `curl` until it answers; "
    "what is compared with the recorded attempt is the script's end. `healthy_for: 0s`, and no poll in between."
)
PARTS = (
    """A webhook will wake the daemon as the first pair does: a process that runs already writes a row and pokes the
daemon. A command starts Python first, imports what reads and checks the configuration, and finds the target.""",
    """Fraisier waits for the disk at every step (journal, seal, link, stamp), so that it survives a loss of power; the
script never does. Without a daemon the command also looks for what a killed one left, and imports the HTTP client and
GitPython, which a daemon did long before.""",
)


def _figure(what: str, taken: dict[str, list[Took]], way: str, part: Callable[[Took], float]) -> Figure:
    ours, theirs = [part(took) for took in taken[way]], [part(took) for took in taken["script"]]
    why = WHY_WOKEN if way == "woken" else WHY_COMMAND
    return Figure(what, median(ours) * 1e3, "ms", median(theirs) * 1e3, "the script", ratio(ours, theirs), 1.3, why)


WHY_WOKEN = "the waits for the disk that the script spares itself"
WHY_COMMAND = (
    "the start of the command; what the daemon leaves of the budget is less than Python needs for `import click`. "
    "Two thirds of the start are imports, of which the largest is what checks the configuration (jsonschema)"
)


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
