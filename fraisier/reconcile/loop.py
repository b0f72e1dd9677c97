"""The loop: takes woken targets from the queue and runs their cycles on a bounded pool of workers.

Lives on the event loop of the daemon but never blocks it: cycles run on worker threads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ..model.config import Config, Target
from ..model.errors import Because
from ..model.names import TargetId, short
from ..model.plan import Trigger
from ..model.ports import Clock, Interrupt
from ..planning.order import dependants_of
from .cycle import Cycled
from .look import Look
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

HasToAsk = Callable[[Target, Wake], bool]
"""Whether the target's remote has to be asked before its cycle; else what was answered lately does."""

Ask = Callable[[Target], Awaitable[None]]
"""Asks it, without holding a worker: a remote that hangs delays its own targets only (law 12)."""

Leave = Callable[[TargetId, Session], None]
"""The same for a target that is not in the configuration (any more)."""


class Loop:
    """Owns the queue, the workers and the interrupts of what runs."""

    def __init__(
        self,
        *,
        config: Callable[[], Config],
        has_to_ask: HasToAsk,
        ask: Ask,
        cycle: Cycle,
        interrupt: Callable[[], Settable],
        clock: Clock,
        workers: int,
        ended: Callable[[Target, Cycled], None],
        leave: Leave,
    ) -> None:
        self.queue = WakeQueue()
        self._config = config
        self._has_to_ask = has_to_ask
        self._ask = ask
        self._cycle = cycle
        self._interrupt = interrupt
        self._clock = clock
        self._workers = workers
        self._ended = ended
        self._leave = leave
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="cycle")
        self._running: dict[TargetId, Session] = {}
        self._asking: dict[TargetId, asyncio.Task[None]] = {}
        self._asked: deque[Wake] = deque()
        """Those whose remote has been asked, and who wait for a worker."""
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

    def cancel(self, target: TargetId, message: str) -> bool:
        """Ends what runs for a target before its next step; False when nothing does. From any thread."""
        running = self._running.get(target)
        if running is None:
            return False
        running.interrupt.set("cancelled", message)
        return True

    def _dispatch(self) -> None:
        while not self._stopping and len(self._running) < self._workers:
            if self._asked:
                self._start(self._asked.popleft())
                continue
            wake = self.queue.take()
            if wake is None:
                return
            target = self._config().targets.get(wake.target)
            if target is not None and self._has_to_ask(target, wake):
                self._begin_asking(target, wake)
            else:
                self._start(wake)

    def _begin_asking(self, target: Target, wake: Wake) -> None:
        async def ask() -> None:
            try:
                await self._ask(target)
            finally:
                del self._asking[target.id]
            self._asked.append(wake)
            self._dispatch()

        self._asking[target.id] = asyncio.get_running_loop().create_task(ask(), name=f"ask for {target.id}")

    def _start(self, wake: Wake) -> None:
        # A timer is left to run: what ends while the cycle works on it costs one more cycle, as any wake-up does.
        self._running[wake.target] = Session(self._interrupt())
        task = asyncio.get_running_loop().create_task(self._run(wake), name=f"cycle {wake.target}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, wake: Wake) -> None:
        running, target = self._running[wake.target], self._config().targets.get(wake.target)
        loop, cycled = asyncio.get_running_loop(), None
        try:
            if target is None:  # left the configuration, perhaps while it waited
                await loop.run_in_executor(self._pool, self._leave, wake.target, running)
            else:
                cycled = await loop.run_in_executor(self._pool, self._cycle, target, wake, running)
        finally:
            del self._running[wake.target]
            self.queue.done(wake.target)
        if target is not None and cycled is not None:
            self._after(target, cycled)
        self._dispatch()

    def _after(self, target: Target, cycled: Cycled) -> None:
        self._ended(target, cycled)
        if cycled.outcome is not None:
            dependants = dependants_of(target.id, {id: t.depends_on for id, t in self._config().targets.items()})
            for other in dependants:
                self.queue.wake(other, "poll")
        if cycled.outcome in ("superseded", "failed", "interrupted"):
            self.queue.wake(target.id, "poll")  # the newer head, the hold that now applies, the way back
        self.wake_when_due(cycled.seen)

    def wake_when_due(self, seen: Look) -> None:
        """What ends by itself wakes its target when it ends, not at the next poll after."""
        if seen.wake_at is not None:
            self._wake_at(seen.target.id, seen.wake_at)

    def _wake_at(self, target: TargetId, moment: datetime) -> None:
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
        for asking in list(self._asking.values()):
            asking.cancel()
        for running in self._running.values():
            running.interrupt.set("stopping", "the daemon stops; it goes on after the next start")
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        self._pool.shutdown(wait=True)
