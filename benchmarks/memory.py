"""What the daemon keeps in memory while nothing happens."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fraisier.model.selection import Branch
from fraisier.store import SqliteStore

from .figures import Effort, Figure, Row
from .push import Bell, Fraisier, Site, deploy, free_ports
from .start_up import FRAISIER
from .world import BRANCHES, GIT, World, standing_service

POLLS = 6
PATIENCE = 120.0


def measure(effort: Effort) -> Row:
    many, repositories = effort.pick(1000, 40), effort.pick(50, 5)
    deployments = effort.pick(20, 2)
    figures = [
        *_figures("idle, 1 target", 60, _idle(1, 1)),
        *_figures(f"idle, 1 target, after {deployments} deployments of it", 60, _after(deployments)),
        *_figures(f"idle, {many:,} targets over {repositories} repositories", 100, _idle(many, repositories)),
    ]
    return Row("Memory of the daemon", figures, HOW)


HOW = (
    f"`fraisier daemon` as a process of its own, after {POLLS} polls that found everything in sync. Resident is VmRSS "
    "of proc_pid_status(5), libraries included; of the proportional share (Pss), pages that other processes share "
    "count in part. Deployments are as in the group above, with a health check over HTTP, which the others have not."
)
WHY = "`python -X importtime` shows what is imported; most of it is libraries"


@dataclass(frozen=True, slots=True)
class _Megabytes:
    """10^6 bytes."""

    resident: float
    share: float

    @classmethod
    def of(cls, pid: int) -> _Megabytes:
        return cls(_field(pid, "status", "VmRSS"), _field(pid, "smaps_rollup", "Pss"))


def _figures(words: str, budget: float, found: _Megabytes) -> list[Figure]:
    return [
        Figure(f"memory of the daemon, {words}: resident", found.resident, "MB", budget=budget, why=WHY),
        Figure(f"memory of the daemon, {words}: proportional share", found.share, "MB"),
    ]


def _idle(targets: int, repositories: int) -> _Megabytes:
    with tempfile.TemporaryDirectory() as folder, standing_service() as pid:
        world = World(Path(folder) / "world", targets, repositories)
        world.build(pid, poll="2s")
        return _after_polls(world)


def _after(deployments: int) -> _Megabytes:
    with tempfile.TemporaryDirectory() as folder:
        fraisier = Fraisier(Site(Path(folder) / "site", *free_ports(1)))
        try:
            fraisier.prepare()
            with fraisier.daemon() as daemon, closing(Bell(fraisier)) as bell:
                for _ in range(deployments):
                    deploy(fraisier.site, bell.ring)
                return _Megabytes.of(daemon.pid)
        finally:
            fraisier.stop_service()


def _after_polls(world: World) -> _Megabytes:
    argv = [FRAISIER, "--config", str(world.config), "--state", str(world.state), "daemon"]
    with open(world.folder / "daemon.log", "wb") as log, closing(SqliteStore.open(str(world.state))) as store:
        daemon = subprocess.Popen(argv, env=GIT, stdout=log, stderr=log)
        try:
            for _ in range(POLLS):
                _await_poll(world, store, lambda: daemon.poll() is None)
            found = {row["sync"] for row in store.status_rows()}
            if found != {"in_sync"}:
                raise AssertionError(f"the daemon found {found} where everything is in sync")
            return _Megabytes.of(daemon.pid)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(PATIENCE)


def _await_poll(world: World, store: SqliteStore, is_alive: Callable[[], bool]) -> None:
    """Until the heads of the last remote have been read anew."""
    remote, pause = str(world.remotes[-1]), threading.Event()
    branch = Branch(BRANCHES[0]).key
    before = store.heads(remote).get(branch)
    until = time.monotonic() + PATIENCE
    while store.heads(remote).get(branch) == before:
        if not is_alive() or time.monotonic() > until:
            raise AssertionError((world.folder / "daemon.log").read_text())
        pause.wait(0.1)


def _field(pid: int, file: str, name: str) -> float:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024 / 1e6
    raise AssertionError(f"/proc/PID/{file} has no {name}")
