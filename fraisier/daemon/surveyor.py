"""The regular look at everything: one `ls-remote` per remote and tick, one question to the service
manager for all services, one probe per healthy target.

A remote that hangs holds one thread until its timeout, and is asked again only when that has ended;
its neighbours are surveyed meanwhile. Remotes that fail are asked less and less often.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from ..model.config import Config, Target
from ..model.errors import FraisierError, StoreError
from ..model.names import TargetId
from ..model.plan import Trigger
from ..model.ports import Host, ServiceRef
from ..model.records import Store
from ..model.state import Inspection, ProbeResult, ServiceState, Unknown
from ..reconcile.desire import Heads
from ..reconcile.look import Eyes, Look
from ..reconcile.loop import Loop
from ..reconcile.survey import Survey, survey
from ..services.registry import Glimpse, service_type
from ..sources.exits import ExitWatch
from ..sources.phase import first_wait, next_wait
from .answers import Answers

REMOTES_AT_ONCE = 16
PROBES_AT_ONCE = 8
INSPECTED_AT_ONCE = 20
INSPECTED_EVERY = 5
"""Ticks between two looks into the releases, which cost more than everything else."""
LONGEST_REMOTE_PAUSE = timedelta(minutes=15)

log = structlog.get_logger()


@dataclass(slots=True)
class _Remote:
    failures: int = 0
    not_before: float = 0.0
    """Monotonic; the ticks before it leave the remote alone."""


@dataclass(slots=True)
class Surveyor:
    """Lives on the event loop; blocks only threads of its own."""

    host: Host
    store: Store
    loop: Loop
    exits: ExitWatch
    config: Callable[[], Config]
    eyes: Callable[[], Eyes]
    answers: Answers
    probes: dict[TargetId, ProbeResult]
    inspections: dict[TargetId, Inspection | Unknown]
    report: Callable[[BaseException], None]
    jitter: Callable[[], float]
    looked: Callable[[Iterable[TargetId]], None]
    """Told, on the worker's thread, whose status was just written."""
    store_answers: Callable[[StoreError | None], None]
    """Told after every survey whether the store could be used."""
    _triggers: dict[TargetId, Trigger] = field(default_factory=dict)
    """What to call the next wake-up of a target, where it is not the poll."""
    _busy: set[str] = field(default_factory=set)
    _remotes: defaultdict[str, _Remote] = field(default_factory=lambda: defaultdict(_Remote))
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(REMOTES_AT_ONCE, thread_name_prefix="remote")
    )
    _probing: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(PROBES_AT_ONCE, thread_name_prefix="probe")
    )
    _managing: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="manager"))
    """Of its own: probes that hang must not keep the next tick from beginning."""
    _inspecting: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="inspection")
    )
    _ticks: int = 0
    _is_closed: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _now: asyncio.Event = field(default_factory=asyncio.Event)
    _round: asyncio.Task[None] | None = None
    _inspection: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Ticks until cancelled."""
        config = self.config()
        self._triggers.update(dict.fromkeys(config.targets, "start"))
        await self.tick()
        await self._pause(first_wait(config.server.name, config.git.poll))
        while True:
            await self.tick()
            await self._pause(next_wait(self.config().git.poll, self.jitter()))

    def hurry(self) -> None:
        """The next tick begins at once."""
        self._now.set()

    def _newest(self, target: Target, heads: Heads) -> Heads:
        """A selection that a person made while the remote was asked is not in the answer."""
        self.answers.remember(target.remote, heads)
        return self.answers.of(target) or heads

    async def tick(self) -> None:
        """Begins a survey of every remote that is not still being surveyed or paused; does not wait for them."""
        targets = tuple(self.config().targets.values())
        self.exits.keep(self.config().targets)
        glimpse = Glimpse(await self._services(targets))
        for remote, group in _by_remote(targets).items():
            if remote not in self._busy and self._remotes[remote].not_before <= self.host.clock.monotonic():
                self._begin(self._survey(remote, group, glimpse))
        if self._round is None or self._round.done():
            self._round = asyncio.get_running_loop().create_task(self._guarded(self._probe_all(targets)))
        if self._ticks % INSPECTED_EVERY == 0 and (self._inspection is None or self._inspection.done()):
            self._inspection = asyncio.get_running_loop().create_task(self._guarded(self._inspect_all(targets)))
        self._ticks += 1

    def close(self) -> None:
        """A thread that hangs in a remote is left to end at its own timeout; the process does not wait for it."""
        self._is_closed = True  # what begins now finds no threads any more
        for task in (*self._tasks, self._round, self._inspection):
            if task is not None:
                task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._probing.shutdown(wait=False, cancel_futures=True)
        self._managing.shutdown(wait=False, cancel_futures=True)
        self._inspecting.shutdown(wait=False, cancel_futures=True)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._now.wait()
        except TimeoutError:
            pass
        self._now.clear()

    async def _services(self, targets: Iterable[Target]) -> Mapping[str, ServiceState | Unknown]:
        refs = [ServiceRef(target.service.unit, target.app_path) for target in targets]
        if not refs:
            return {}
        return await asyncio.get_running_loop().run_in_executor(self._managing, self._ask_manager, refs)

    def _ask_manager(self, refs: Sequence[ServiceRef]) -> Mapping[str, ServiceState | Unknown]:
        self.host.services.tidy(refs)
        return self.host.services.states(refs)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """A survey or round of probes that fails ends nothing but itself: the next tick begins another."""
        try:
            await work
        except FraisierError as error:
            log.error("survey.failed", code=error.code, message=str(error), hint=error.hint)
            if isinstance(error, StoreError):
                self.store_answers(error)
        except Exception as error:  # noqa: BLE001 - the edge of a survey: a bug of ours must not stop the others
            if not self._is_closed:
                self.report(error)

    # -- one remote

    async def _survey(self, remote: str, targets: tuple[Target, ...], glimpse: Glimpse) -> None:
        self._busy.add(remote)
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._pool, self._look, remote, targets, glimpse)
        finally:
            self._busy.discard(remote)
        self.store_answers(None)
        self.answers.remember(remote, result.heads)  # of the targets, too, that were at work and not looked at
        self.answers.forget_others(remote, result.heads)
        self._heard(remote, result)
        for look in result.looks:
            self.follow(look)
            self.loop.wake_when_due(look)
        for look in result.looks:
            trigger = self._triggers.pop(look.target.id, "poll")
            if look.action.is_runnable:
                self.loop.wake([look.target.id], trigger)
        self._tell_running(targets)

    def follow(self, look: Look) -> None:
        """Watches the process that was seen, so that its end is known at once."""
        service = look.observed.service
        self.exits.follow(look.target.id, service.pid if isinstance(service, ServiceState) else None)

    def _look(self, remote: str, targets: tuple[Target, ...], glimpse: Glimpse) -> Survey:
        result = survey(
            remote,
            targets,
            eyes=self.eyes(),
            store=self.store,
            host=self.host,
            glimpse=glimpse,
            is_busy=self.loop.queue.is_running,
            newest=self._newest,
            report=self.report,
        )
        self.looked([look.target.id for look in result.looks])
        return result

    def _tell_running(self, targets: Iterable[Target]) -> None:
        """A newer head supersedes the cycle that is at work on an older one."""
        eyes = self.eyes()
        for target in targets:
            if not self.loop.queue.is_running(target.id):
                continue
            selection = eyes.selection(target)
            heads = self.answers.about(target.remote, selection)
            sha = heads.sha(selection) if heads is not None else None
            if sha is not None and self.loop.saw_head(target.id, sha):
                self.loop.wake([target.id], "poll")

    def _heard(self, remote: str, result: Survey) -> None:
        state, answer = self._remotes[remote], result.heads.answer
        if not isinstance(answer, Unknown):
            if state.failures:
                log.info("remote.recovered", remote=remote, failures=state.failures)
            state.failures, state.not_before = 0, 0.0
            return
        state.failures += 1
        pause = min(self.config().git.poll * 2.0 ** min(state.failures - 1, 10), LONGEST_REMOTE_PAUSE)
        state.not_before = self.host.clock.monotonic() + pause.total_seconds() * 0.9
        log.warning("remote.failed", remote=remote, code=answer.code, message=answer.message, failures=state.failures)

    # -- probes

    async def _probe_all(self, targets: tuple[Target, ...]) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self._probing, self._probe, target) for target in targets))

    def _probe(self, target: Target) -> None:
        """A target at work is left alone: its own health gate probes it."""
        if self.loop.queue.is_running(target.id):
            return
        result = service_type(target).probe(target, self.host)
        if result is None:
            self.probes.pop(target.id, None)
        else:
            self.probes[target.id] = result

    # -- looks into the releases

    async def _inspect_all(self, targets: tuple[Target, ...]) -> None:
        """What somebody changed inside of a release is told to its target's cycle, which looks again."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(targets), INSPECTED_AT_ONCE):
            some = targets[start : start + INSPECTED_AT_ONCE]
            self.loop.wake(await loop.run_in_executor(self._inspecting, self._inspect, some), "drift")

    def _inspect(self, targets: Iterable[Target]) -> list[TargetId]:
        """Those of which something else was found than the last time. Their own cycles look for themselves."""
        return [each.id for each in targets if not self.loop.queue.is_running(each.id) and self._finds_drift(each)]

    def _finds_drift(self, target: Target) -> bool:
        try:
            found = service_type(target).inspect(target, self.host)
        except Exception as error:  # noqa: BLE001 - the edge of a look: the other targets go on
            self.report(error)
            return False
        before = self.inspections.get(target.id)
        self.note_inspection(target.id, found)
        return isinstance(found, Inspection) and found != before and bool(found.files or found.shared)

    def note_inspection(self, target: TargetId, found: Inspection | Unknown | None) -> None:
        """What the last look into a release found, whoever looked."""
        if found is None:
            self.inspections.pop(target, None)
        else:
            self.inspections[target] = found


def _by_remote(targets: Iterable[Target]) -> Mapping[str, tuple[Target, ...]]:
    groups: defaultdict[str, list[Target]] = defaultdict(list)
    for target in targets:
        groups[target.remote].append(target)
    return {remote: tuple(group) for remote, group in groups.items()}
