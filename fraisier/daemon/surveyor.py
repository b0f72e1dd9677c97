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
from ..model.state import ProbeResult, ServiceState, Unknown
from ..reconcile.desire import Heads
from ..reconcile.look import Eyes, Look
from ..reconcile.loop import Loop
from ..reconcile.survey import Survey, survey
from ..services.registry import Glimpse, service_type
from ..sources.exits import ExitWatch
from ..sources.phase import first_wait, next_wait

REMOTES_AT_ONCE = 16
PROBES_AT_ONCE = 8
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
    probes: dict[TargetId, ProbeResult]
    report: Callable[[BaseException], None]
    jitter: Callable[[], float]
    looked: Callable[[Iterable[TargetId]], None]
    """Told, on the worker's thread, whose status was just written."""
    store_answers: Callable[[StoreError | None], None]
    """Told after every survey whether the store could be used."""
    _recent: dict[tuple[str, str], Heads] = field(default_factory=dict)
    """The newest answer for each remote and branch, whoever asked."""
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
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _now: asyncio.Event = field(default_factory=asyncio.Event)
    _round: asyncio.Task[None] | None = None

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

    def heads_for(self, target: Target, trigger: Trigger) -> Heads | None:
        """The last answer of the target's remote, for cycles that need not ask again.

        A person's request is answered from what the remote says now. Everything else goes by the
        survey, so that one `ls-remote` serves all targets of a remote and a remote that hangs
        delays no repair.
        """
        return None if trigger in ("request", "webhook") else self._recent.get((target.remote, target.branch))

    def remember(self, remote: str, heads: Heads) -> None:
        """What a remote answered, whoever asked: the newest answer for each branch counts.

        Else the cycle after a person's would go by what was seen before. Safe from any thread.
        """
        for branch in heads.branches:
            known = self._recent.get((remote, branch))
            if known is None or known.at <= heads.at:
                self._recent[remote, branch] = heads

    def _newest(self, target: Target, heads: Heads) -> Heads:
        self.remember(target.remote, heads)
        return self._recent[target.remote, target.branch]

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

    def close(self) -> None:
        """A thread that hangs in a remote is left to end at its own timeout; the process does not wait for it."""
        for task in (*self._tasks, *([self._round] if self._round else [])):
            task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._probing.shutdown(wait=False, cancel_futures=True)
        self._managing.shutdown(wait=False, cancel_futures=True)

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
            self.report(error)

    # -- one remote

    async def _survey(self, remote: str, targets: tuple[Target, ...], glimpse: Glimpse) -> None:
        self._busy.add(remote)
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._pool, self._look, remote, targets, glimpse)
        finally:
            self._busy.discard(remote)
        self.store_answers(None)
        self.remember(remote, result.heads)  # of the targets, too, that were at work and not looked at
        self._heard(remote, result)
        for look in result.looks:
            self.follow(look)
            self.loop.wake_when_due(look.target.id, look.action)
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
        for target in targets:
            heads = self._recent.get((target.remote, target.branch))
            sha = heads.sha(target.branch) if heads is not None else None
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


def _by_remote(targets: Iterable[Target]) -> Mapping[str, tuple[Target, ...]]:
    groups: defaultdict[str, list[Target]] = defaultdict(list)
    for target in targets:
        groups[target.remote].append(target)
    return {remote: tuple(group) for remote, group in groups.items()}
