"""Targets on a machine in memory, with the real store on a real file and the real reconciler.

Most tests know one target; `others` are beside it on the same machine.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any
from uuid import uuid4

from fraisier.daemon.desk import Desk
from fraisier.model.config import ApiTarget, Config
from fraisier.model.names import Scope, TargetId
from fraisier.model.plan import Action, Hold
from fraisier.model.records import Request, RequestKind, Store
from fraisier.model.state import Recorded
from fraisier.reconcile.cycle import Cycled, Reconciler, Removed, close_interrupted
from fraisier.reconcile.desire import read_heads
from fraisier.reconcile.look import Eyes, Look
from fraisier.store import open_store
from fraisier.testing import CuttingStore, FakeHost, FakeInterrupt, api_target, config_of
from fraisier.testing.git import FakeRemote
from fraisier.testing.services import ManagerKind

MEMORY = Path("/dev/shm")


def scratch() -> Path:
    """A folder for a store; in memory where there is such a place, since hypothesis makes hundreds."""
    return Path(tempfile.mkdtemp(prefix="fraisier-laws-", dir=MEMORY if MEMORY.is_dir() else None))


class Bench:
    """`cycle` is what the daemon does when the target was woken; `restart` what follows a crash."""

    def __init__(
        self,
        folder: Path,
        *,
        kind: ManagerKind = "process",
        target: ApiTarget | None = None,
        others: tuple[ApiTarget, ...] = (),
    ) -> None:
        self.folder = folder
        self.host = FakeHost(kind)
        self.target = target or api_target()
        self.others = others
        self.holds: dict[TargetId, Hold] = {}
        """Targets whose configuration has problems."""
        self.at_work: TargetId | None = None
        self.bugs: list[BaseException] = []
        self.interrupt = FakeInterrupt(self.host.clock)
        self.store: Store
        self.desk: Desk
        self._open()

    # -- the process

    def _open(self) -> None:
        self._real = open_store(str(self.folder / "server.state"), "create")
        self.store = CuttingStore(self._real, self.host.faults).as_store()
        self.desk = Desk(self.store, self.host.clock, lambda: self.config, self._cancel)
        self.reconciler = Reconciler(
            host=self.host,
            store=self.store,
            eyes=self.eyes,
            jitter=lambda: 0.5,
            attempt_log=lambda attempt: str(self.folder / f"{attempt.id}.log"),
            report=self.bugs.append,
            server="web-1",
        )

    def _cancel(self, target: TargetId, message: str) -> bool:
        """What the daemon's loop does."""
        if self.at_work == target:
            self.interrupt.set("cancelled", message)
        return self.at_work == target

    def restart(self, *, power: bool) -> None:
        """After a crash of the daemon (`kill -9`), or of the whole machine with `power`."""
        self.host.faults.disarm()
        self._real.close()
        if power:
            self.host.lose_power()
        self.host.clock.forget()
        self._open()
        close_interrupted(self.store, self.host)
        self.desk.receive()

    def close(self) -> None:
        self._real.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- what is known

    @property
    def config(self) -> Config:
        return config_of(self.target, *self.others)

    def eyes(self) -> Eyes:
        return Eyes(self.host, self.store, self.config, holds=self.holds)

    @property
    def remote(self) -> FakeRemote:
        return self.host.git.remote(self.target.remote)

    @property
    def recorded(self) -> Recorded:
        return self._real.recorded(self.target.id)

    def look(self, target: ApiTarget | None = None) -> Look:
        """Afresh, and writes nothing."""
        wanted, eyes = target or self.target, self.eyes()
        selections = frozenset([eyes.selection(wanted)])
        heads = read_heads(self.host.git, wanted.remote, selections, self.host.clock.now())
        return eyes.look(wanted, heads, afresh=True)

    def plan(self, target: ApiTarget | None = None) -> Action:
        return self.look(target).action

    @property
    def serving(self) -> str | None:
        """The SHA that runs now."""
        live = self.host.services.live.get(self.target.service.unit)
        return live.sha if live is not None else None

    def outcomes(self) -> list[str]:
        return [row["status"] for row in self._real.history_rows(limit=1000)]

    def raw(self) -> bytes:
        """Every byte of the database."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("server.state*")) if path.is_file())

    # -- what is done

    def push(self, label: str, **behaviour: Any) -> str:
        remote = self.host.git.remote(behaviour.pop("to", self.target).remote)
        sha = remote.push(behaviour.pop("branch", "main"), label, onto=behaviour.pop("onto", None))
        if behaviour:
            self.host.behaviours[sha] = behaviour["behaviour"]
        return sha

    def configure(self, **changes: Any) -> None:
        self.target = api_target(str(self.target.id), **{**_declared(self.target), **changes})

    def cycle(self, target: ApiTarget | None = None) -> Cycled:
        """One cycle with a fresh interrupt, answering what was asked for."""
        wanted = target or self.target
        self.desk.receive()
        self.interrupt, self.at_work = FakeInterrupt(self.host.clock), wanted.id
        requests = self.desk.next_of(wanted.id)
        request = requests[0] if requests else None
        try:
            cycled = self.reconciler.cycle(wanted, "poll", self.interrupt, request=request)
        finally:
            self.at_work = None
        if cycled.outcome == "superseded":
            self.desk.put_back(requests)
        else:
            self.desk.answer(requests, cycled)
        return cycled

    def remove(self, id: TargetId) -> Removed:
        self.interrupt = FakeInterrupt(self.host.clock)
        return self.reconciler.remove(id, self.interrupt)

    def ask(self, kind: RequestKind, payload: Mapping[str, Any] | None = None, scope: Scope | None = None) -> Request:
        scope = scope or Scope.of(self.target.id)
        request = Request(str(uuid4()), kind, scope, "ann", self.host.clock.now(), payload or {})
        self.store.add_request(request)
        return request

    def answer(self, request: Request) -> tuple[str, str]:
        return self.store.request_state(request.id)

    def supersede_after(self, seconds: float, label: str) -> None:
        """A newer commit arrives while a cycle waits."""

        def arrive() -> None:
            sha = self.push(label)
            self.interrupt.set("superseded", f"superseded by {sha[:7]}")

        self.host.clock.after(seconds, arrive)

    def cancel_after(self, seconds: float) -> list[Request]:
        """Somebody cancels while a cycle waits; the request, once it was made."""
        made: list[Request] = []

        def cancel() -> None:
            made.append(self.ask("cancel"))
            self.desk.receive()

        self.host.clock.after(seconds, cancel)
        return made

    def settle(self, cycles: int = 12, target: ApiTarget | None = None) -> Action:
        """Cycles, with the clock moved on to the end of each back-off, until nothing more happens by itself."""
        for _ in range(cycles):
            cycled = self.cycle(target)
            action = cycled.seen.action
            until = [hold.until for hold in action.held_by if hold.until is not None]
            if until:
                self.host.clock.advance(max(0.0, (max(until) - self.host.clock.now()).total_seconds()) + 1)
            elif cycled.outcome is None and not action.is_runnable:
                return action  # after an attempt there is one more cycle, as the daemon's loop has it
        raise AssertionError(f"still not settled after {cycles} cycles: {self.plan(target)}")


_DIGESTS = ("id", "config_digest", "build_digest", "runtime_digest", "type")


def _declared(target: ApiTarget) -> dict[str, Any]:
    return {field.name: getattr(target, field.name) for field in fields(target) if field.name not in _DIGESTS}
