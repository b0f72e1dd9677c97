"""Asks a remote because somebody cannot wait for the next survey: a person, or a target that is new.

On threads of its own, so that a remote that hangs holds neither a worker nor a survey of another; one
question per remote at a time, which answers everybody who asked while the one before was on its way.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..model.config import Target
from ..model.ports import Host
from ..model.records import Store
from ..model.state import Unknown
from ..reconcile.desire import read_heads
from ..reconcile.look import Eyes
from .answers import Answers

REMOTES_AT_ONCE = 16


@dataclass(slots=True)
class Asker:
    """Lives on the event loop."""

    host: Host
    store: Store
    answers: Answers
    eyes: Callable[[], Eyes]
    _waiting: defaultdict[str, list[tuple[Target, asyncio.Future[None]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _asking: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(REMOTES_AT_ONCE, "ask"))

    async def ask(self, target: Target) -> None:
        """Returns when the remote was asked, with whatever answer; `answers` has it then. Raises `StoreError`."""
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[target.remote].append((target, answered))
        if target.remote not in self._asking:
            self._asking[target.remote] = asyncio.get_running_loop().create_task(self._serve(target.remote))
        await answered

    def close(self) -> None:
        for task in self._asking.values():
            task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, remote: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            while asking := self._waiting.pop(remote, []):
                targets = [target for target, _ in asking]
                try:
                    await loop.run_in_executor(self._pool, self._ask, remote, targets)
                except Exception as error:  # noqa: BLE001 - handed to everybody who asked
                    _tell(asking, error)
                _tell(asking, None)
        finally:
            del self._asking[remote]

    def _ask(self, remote: str, targets: Iterable[Target]) -> None:
        eyes = self.eyes()
        selections = {eyes.selection(target) for target in targets}
        heads = read_heads(self.host.git, remote, selections, self.host.clock.now())
        if not isinstance(heads.answer, Unknown):
            self.store.save_heads(remote, heads.answer, heads.asked, heads.at)
        self.answers.remember(remote, heads)


def _tell(asking: Iterable[tuple[Target, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, answered in asking:
        if answered.done():
            continue
        if error is None:
            answered.set_result(None)
        else:
            answered.set_exception(error)
