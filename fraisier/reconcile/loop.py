"""The loop: takes woken targets from the queue and runs their cycles on a bounded pool of workers.

Lives on the event loop of the daemon but never blocks it: cycles run on worker threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ..model.config import Config, Target
from ..model.errors import Because
from ..model.names import TargetId, short
from ..model.plan import Action, Trigger
from ..model.ports import Clock, Interrupt
from ..planning.order import dependants_of
from .cycle import Cycled
from .queue import Wake, WakeQueue


class Settable(Interrupt, Protocol):
    """An interrupt that the loop can set."""

    def set(self, because: Because, message: str = "") -> None: ...


@dataclass(slots=True)
class Session:
    """One running cycle, as the loop sees it."""

    interrupt: Settable
    desired: str | None = None
    """The head the cycle works on; set by the cycle when it has read it."""


Cycle = Callable[[Target, Wake, Session], Cycled | None]
"""Runs on a worker thread; None where it failed for a reason of its own, which it reported."""


class Loop:
    """Owns the queue, the workers and the interrupts of what runs."""

    def __init__(
        self,
        *,
        config: Callable[[], Config],
        cycle: Cycle,
        interrupt: Callable[[], Settable],
        clock: Clock,
        workers: int,
        ended: Callable[[Target, Cycled], None],
        gone: Callable[[TargetId], None],
    ) -> None:
        self.queue = WakeQueue()
        self._config = config
        self._cycle = cycle
        self._interrupt = interrupt
        self._clock = clock
        self._workers = workers
        self._ended = ended
        self._gone = gone
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="cycle")
        self._running: dict[TargetId, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[TargetId, asyncio.TimerHandle] = {}
        self._stopping = False

    def wake(self, targets: Iterable[TargetId], trigger: Trigger) -> None:
        """Wakes targets. On the event loop's thread."""
        for target in targets:
            self.queue.wake(target, trigger)
        self._dispatch()

    def saw_head(self, target: TargetId, sha: str) -> bool:
        """Newest wins (law 6): a cycle at work on another head makes way where it may. True when one does."""
        running = self._running.get(target)
        if running is None or running.desired in (None, sha):
            return False
        running.interrupt.set("superseded", f"superseded by {short(sha)}")
        return True

    def _dispatch(self) -> None:
        while not self._stopping and len(self._running) < self._workers:
            wake = self.queue.take()
            if wake is None:
                return
            target = self._config().targets.get(wake.target)
            if target is None:  # left the configuration while it waited
                self.queue.done(wake.target)
                self._gone(wake.target)
                continue
            self._start(target, wake)

    def _start(self, target: Target, wake: Wake) -> None:
        timer = self._timers.pop(target.id, None)
        if timer is not None:
            timer.cancel()
        self._running[target.id] = Session(self._interrupt())
        task = asyncio.get_running_loop().create_task(self._run(target, wake), name=f"cycle {target.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, target: Target, wake: Wake) -> None:
        running = self._running[target.id]
        try:
            cycled = await asyncio.get_running_loop().run_in_executor(self._pool, self._cycle, target, wake, running)
        finally:
            del self._running[target.id]
            self.queue.done(target.id)
        if cycled is not None:
            self._after(target, cycled)
        self._dispatch()

    def _after(self, target: Target, cycled: Cycled) -> None:
        self._ended(target, cycled)
        if cycled.outcome is not None:
            dependants = dependants_of(target.id, {id: t.depends_on for id, t in self._config().targets.items()})
            for other in dependants:
                self.queue.wake(other, "poll")
        if cycled.outcome in ("superseded", "failed"):
            self.queue.wake(target.id, "poll")  # the newer head, or the hold that now applies
        self.wake_when_due(target.id, cycled.seen.action)

    def wake_when_due(self, target: TargetId, action: Action) -> None:
        for hold in action.held_by:
            if hold.until is not None:
                self._wake_at(target, hold.until)

    def _wake_at(self, target: TargetId, moment: datetime) -> None:
        """A hold that ends by itself wakes its target when it ends, not at the next poll after."""
        delay = max(0.0, (moment - self._clock.now()).total_seconds())
        loop = asyncio.get_running_loop()
        previous = self._timers.pop(target, None)
        if previous is not None:
            previous.cancel()
        self._timers[target] = loop.call_later(delay, self.wake, [target], "poll")

    @property
    def at_work(self) -> int:
        return len(self._running)

    async def stop(self) -> None:
        """Waits end, steps that must not be cut off finish, attempts are closed; then the workers are gone."""
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        for running in self._running.values():
            running.interrupt.set("stopping", "the daemon stops; it goes on after the next start")
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        self._pool.shutdown(wait=True)
