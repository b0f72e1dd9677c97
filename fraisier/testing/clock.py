"""Time that passes only when somebody waits, or when a test says so."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ..model.errors import Because, Interrupted

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(slots=True)
class FakeClock:
    """`advance` moves both clocks; `jump` moves the clock on the wall only, as NTP does."""

    _now: datetime = START
    _monotonic: float = 1000.0
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def jump(self, by: timedelta) -> None:
        self._now += by

    def advance(self, seconds: float) -> None:
        """What was planned by `after` happens on the way, each at its moment."""
        end = self._monotonic + seconds
        while self._due and self._due[0][0] <= end:
            at, _, happen = heapq.heappop(self._due)
            self._pass(max(0.0, at - self._monotonic))
            happen()
        self._pass(max(0.0, end - self._monotonic))

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """`happen` is called when `seconds` have passed."""
        heapq.heappush(self._due, (self._monotonic + seconds, len(self._due), happen))

    def forget(self) -> None:
        """Nothing planned happens any more."""
        self._due.clear()

    def _pass(self, seconds: float) -> None:
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)


@dataclass(slots=True)
class FakeInterrupt:
    """Waits by moving the clock; set by `set`, from what happens while somebody waits."""

    clock: FakeClock
    _why: tuple[Because, str] | None = None

    def set(self, because: Because, message: str = "") -> None:
        self._why = self._why or (because, message)

    def check(self) -> None:
        if self._why is not None:
            raise Interrupted(*self._why)

    def wait(self, seconds: float) -> None:
        """At least a millisecond passes, so that a loop which waits for nothing comes to its deadline."""
        self.check()
        self.clock.advance(max(seconds, 0.001))
        self.check()
