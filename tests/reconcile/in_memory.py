"""The real daemon (desk, loop, surveyor, reconciler, store) on a machine in memory; a test ticks it.

Waits are real interrupts on a clock that stands still: a health gate that waits does so until somebody ends it,
however fast or slow the test runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, cast
from uuid import uuid4

from fraisier.config import Loaded
from fraisier.daemon.assembly import Assembly
from fraisier.daemon.daemon import Daemon
from fraisier.host.state_dir import StatePaths
from fraisier.model.config import ApiTarget, Config
from fraisier.model.names import Scope, TargetId
from fraisier.model.records import Attempt, Request, RequestKind, Store
from fraisier.reconcile.cycle import Reconciler
from fraisier.reconcile.look import Eyes
from fraisier.store import open_store
from fraisier.testing import Behaviour, FakeHost, api_target, config_of

NO_SUCH_PID = 2**22
"""Beyond what the kernel gives: processes in memory are nobody's."""


class Host(FakeHost):
    def sweep(self) -> None:
        """No process is left from before."""

    def stop(self) -> None:
        """Nothing runs outside of this process."""


def quick(name: str = "shop/production", **changes: Any) -> ApiTarget:
    """Healthy at the first good answer."""
    target = api_target(name, **changes)
    health = replace(target.health, healthy_for=timedelta(0), interval=timedelta(milliseconds=10))
    return api_target(name, **{**changes, "health": health})


@dataclass
class Assembled:
    """What `Assembly` is of a server."""

    config: Config
    host: Host
    store: Store
    paths: StatePaths
    loaded: Loaded
    environ: Mapping[str, str] = field(default_factory=dict)

    def reconciler(self, eyes: Callable[[], Eyes], report: Callable[[BaseException], None]) -> Reconciler:
        def no_log(attempt: Attempt) -> None:
            del attempt

        return Reconciler(self.host, self.store, eyes, lambda: 0.5, no_log, report, "web-1")


class Observed(Daemon):
    """Keeps what it would report as a bug."""

    bugs: list[BaseException]

    def _report(self, error: BaseException) -> None:
        self.bugs.append(error)


class InMemory:
    """Used as `async with`; nothing happens by itself but what was woken."""

    def __init__(self, folder: Path, *targets: ApiTarget) -> None:
        self.targets = targets or (quick(),)
        self.host = Host("systemd")
        self.host.services._pid = NO_SUCH_PID
        self.store = open_store(str(folder / "server.state"), "create")
        config = config_of(*self.targets)
        paths = StatePaths(folder / "server.state")
        assembled = Assembled(config, self.host, self.store, paths, Loaded(config, ()))
        self.daemon = Observed(cast("Assembly", assembled))
        self.daemon.bugs = []

    async def __aenter__(self) -> Self:
        self.daemon._wire()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.daemon._shut_down()
        assert self.daemon.bugs == []

    @property
    def target(self) -> ApiTarget:
        return self.targets[0]

    # -- what is done

    def push(self, label: str, behaviour: Behaviour = Behaviour.HEALTHY, **where: Any) -> str:
        remote = self.host.git.remote(where.pop("to", self.target).remote)
        sha = remote.push(where.pop("branch", "main"), label, **where)
        self.host.behaviours[sha] = behaviour
        return sha

    async def tick(self) -> None:
        """One look at every remote, waited for; the cycles that it woke are not."""
        await self.daemon.surveyor.tick()
        tasks = [*self.daemon.surveyor._tasks]
        await asyncio.gather(*tasks)

    async def ask(self, kind: RequestKind, payload: Mapping[str, Any] | None = None, scope: Scope | None = None) -> str:
        """The id of the request, which was received then."""
        scope = scope or Scope.of(self.target.id)
        request = Request(str(uuid4()), kind, scope, "ann", self.host.clock.now(), payload or {})
        self.store.add_request(request)
        self.daemon.loop.wake(await asyncio.to_thread(self.daemon.desk.receive), "request")
        return request.id

    async def answer(self, request: str) -> tuple[str, str]:
        """Waits until there is one."""
        await self.until(lambda: self.store.request_state(request)[0] not in ("pending", "taken"))
        return self.store.request_state(request)

    async def settle(self) -> None:
        """Until nothing runs, and nothing waits to run."""
        await self.until(lambda: len(self.daemon.loop.queue) == 0)

    async def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            await asyncio.sleep(0.005)

    # -- what is seen

    def serving(self, target: ApiTarget | None = None) -> str | None:
        live = self.host.services.live.get((target or self.target).service.unit)
        return None if live is None else live.sha

    def is_in_gate(self, sha: str) -> bool:
        """Whether its health is being waited for just now."""
        gate = self.store.recorded(self.target.id).gate
        return gate is not None and self.serving() == sha and len(self.daemon.loop.queue) > 0

    def status(self, id: TargetId | None = None) -> Mapping[str, Any]:
        return next(row for row in self.store.status_rows() if row["identifier"] == str(id or self.target.id))


Scene = Callable[[InMemory], Awaitable[None]]


def play(folder: Path, scene: Scene, *targets: ApiTarget) -> None:
    """Plays a scene with the daemon in an event loop of its own."""

    async def whole() -> None:
        async with InMemory(folder, *targets) as memory:
            await scene(memory)

    asyncio.run(whole())


async def deployed(memory: InMemory, label: str = "a") -> str:
    """A first good commit, which serves then."""
    sha = memory.push(label)
    await memory.tick()
    await memory.settle()
    assert memory.serving() == sha
    return sha
