"""What the demo plays on: a scratch folder with a laptop, a git remote and a server in it.

Everything runs for real: git, the `fraisier` command, the daemon as a child process, and the service
that the daemon starts. `Stage` takes all of it away again, however the play ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ..host.survivors import carries, end_all
from ..model.records import Event, Store
from ..store import open_store

TARGET = "stand/production"
PATIENCE = 40.0
"""Seconds that anything the demo waits for may take; a loaded machine needs a few."""
_GLANCE = 0.05
_SERVICE = Path(__file__).with_name("demo_service")
_SERVICE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The PATH that services get: their environment is built from nothing."""


class NotAsTold(Exception):
    """Something did not go as the demo tells it."""


@dataclass
class Stage:
    """A context: set up on entry, and on exit no process and no file of it is left."""

    folder: Path = field(init=False)
    port: int = field(init=False)
    daemon: subprocess.Popen[bytes] | None = None
    _seen: int = 0
    """The last event of the journal that was shown."""

    @property
    def laptop(self) -> Path:
        """A clone, where somebody works on the service."""
        return self.folder / "laptop"

    @property
    def server(self) -> Path:
        """The folder of `fraises.yaml`, the store, and what is deployed."""
        return self.folder / "server"

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> Self:
        self.port = _free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="fraisier-demo-"))
        try:
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """The daemon first, since it would start the service again; then the service; then the files."""
        with _undisturbed():
            self.stop_daemon()
            end_all(self._is_ours)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _set_up(self) -> None:
        self.server.mkdir()
        python = "python3" if shutil.which("python3", path=_SERVICE_PATH) else sys.executable
        words = {"server": self.server, "origin": self.origin, "port": self.port, "python": python}
        text = (_SERVICE / "fraises.yaml").read_text(encoding="utf-8")
        for name, value in words.items():
            text = text.replace(f"@{name}@", str(value))
        (self.server / "fraises.yaml").write_text(text, encoding="utf-8")
        self._git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        self._git(self.folder, "init", "--quiet", "--initial-branch=main", str(self.laptop))
        self._git(self.laptop, "remote", "add", "origin", str(self.origin))
        for name in ("app.py", "stand.json"):
            shutil.copyfile(_SERVICE / name, self.laptop / name)
        self._git(self.laptop, "add", ".")
        self._git(self.laptop, "commit", "--quiet", "--message", "Open a strawberry stand")
        self._git(self.laptop, "push", "--quiet", "--set-upstream", "origin", "main")

    def _git(self, where: Path, *arguments: str) -> None:
        self.run(("git", *arguments), where)

    # -- commands

    def run(self, argv: Sequence[str], where: Path) -> None:
        """Its output goes where ours goes. Raises `NotAsTold` unless it succeeds."""
        code = subprocess.run(argv, cwd=where, env=_environment(), stdin=subprocess.DEVNULL, check=False).returncode
        if code != 0:
            raise NotAsTold(f"`{' '.join(argv)}` exited {code}")

    def start_daemon(self) -> None:
        """Its log goes to a file, to be shown if it fails; what it does is read from its journal."""
        with open(self.folder / "daemon.log", "ab") as log:
            self.daemon = subprocess.Popen(
                (*fraisier(), "daemon"),
                cwd=self.server,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop_daemon(self) -> None:
        daemon, self.daemon = self.daemon, None
        if daemon is None:
            return
        daemon.terminate()
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    # -- what is to be seen

    def journal(self) -> Generator[Event, None, None]:
        """What the daemon writes down, as it happens, up to the end of an attempt."""
        with closing(self._glances()) as glances:
            for store in glances:
                for event in store.events_after(self._seen, identifier=TARGET):
                    self._seen = event.pk
                    yield event
                    if event.kind == "attempt_closed":
                        return

    def wait_in_sync(self) -> None:
        """The status follows the end of an attempt in a moment."""
        with closing(self._glances()) as glances:
            for store in glances:
                if any(row["sync"] == "in_sync" for row in store.status_rows([TARGET])):
                    return

    def _glances(self) -> Generator[Store, None, None]:
        """The store again and again. Raises `NotAsTold` when the daemon has ended, or patience.

        To be closed by who looks: left to the garbage collector, a Ctrl-C that arrives just then is lost.
        """
        deadline = time.monotonic() + PATIENCE
        pause = threading.Event()
        while time.monotonic() < deadline:
            store = open_store(self.server / "server.state", "read")
            try:
                yield store
            finally:
                store.close()
            self._check_daemon()
            pause.wait(_GLANCE)
        raise NotAsTold(f"what was to happen did not happen within {PATIENCE:g} s")

    def _check_daemon(self) -> None:
        if self.daemon is not None and self.daemon.poll() is not None:
            log = (self.folder / "daemon.log").read_text(encoding="utf-8", errors="replace")
            raise NotAsTold(f"the daemon ended with exit code {self.daemon.returncode}:\n{log[-4000:]}")

    def visit(self) -> tuple[int, str]:
        """What the service answers: status and body."""
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            raise NotAsTold(f"{self.url} does not answer: {error}") from error

    def service_pid(self) -> int:
        """Found by the variable that every service is given."""
        found = [pid for pid in _pids() if self._is_ours(pid)]
        if len(found) != 1:
            raise NotAsTold(f"expected one process of the service, there are {len(found)}")
        return found[0]

    def _is_ours(self, pid: int) -> bool:
        """A service of this stage, or a build, and whatever they started."""
        return carries("FRAISIER_RELEASE", f"{self.folder}/", prefix=True)(pid)


def fraisier() -> tuple[str, ...]:
    """The installed command, as it is started from here."""
    beside = Path(sys.executable).with_name("fraisier")
    return (str(beside),) if beside.exists() else (sys.executable, "-m", "fraisier")


def _environment() -> Mapping[str, str]:
    """Ours, without what would lead git or Fraisier elsewhere, and with an author for commits."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "FRAISIER_"))}
    kept.pop("NOTIFY_SOCKET", None)
    who = {"NAME": "Ann", "EMAIL": "ann@example.com"}
    author = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    return {**kept, **author, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not leave half of it behind; everything inside has a deadline."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
