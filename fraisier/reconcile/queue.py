"""Which targets are to be looked at: a wake-up says only "look", never what to do (law 1).

Note [Lost wake-up]: a wake-up that arrives while its target's cycle runs may concern something the
cycle has already read. It marks the target dirty, and exactly one more cycle follows, however many
wake-ups there were. A thousand of them hence cost at most two cycles.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from ..model.names import TargetId
from ..model.plan import Trigger


@dataclass(frozen=True, slots=True)
class Wake:
    """A target to be looked at, and what woke it first."""

    target: TargetId
    trigger: Trigger


@dataclass(slots=True)
class WakeQueue:
    """Keyed and deduplicating; at most one cycle per target at a time. Safe from any thread."""

    _waiting: OrderedDict[TargetId, Trigger] = field(default_factory=OrderedDict)
    _running: dict[TargetId, Trigger | None] = field(default_factory=dict)
    """The value is the trigger of the one cycle that must follow, if one must."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wake(self, target: TargetId, trigger: Trigger) -> None:
        """A person's request is kept as the trigger over others, since history tells who wanted what."""
        with self._lock:
            if target in self._running:
                self._running[target] = _outranking(self._running[target], trigger)
            else:
                self._waiting[target] = _outranking(self._waiting.get(target), trigger)

    def take(self) -> Wake | None:
        """The target that has waited longest, to be given back by `done`; None when there is none."""
        with self._lock:
            if not self._waiting:
                return None
            target, trigger = self._waiting.popitem(last=False)
            self._running[target] = None
            return Wake(target, trigger)

    def done(self, target: TargetId) -> bool:
        """Ends the target's cycle; True when it was woken meanwhile and waits again."""
        with self._lock:
            again = self._running.pop(target)
            if again is not None:
                self._waiting[target] = again
            return again is not None

    def is_running(self, target: TargetId) -> bool:
        with self._lock:
            return target in self._running

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting) + len(self._running)


def _outranking(present: Trigger | None, new: Trigger) -> Trigger:
    return new if present is None or new == "request" else present
