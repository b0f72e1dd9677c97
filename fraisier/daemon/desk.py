"""Where requests arrive: taken once, made standing facts, answered when their cycle has ended."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ..model.config import Config
from ..model.errors import Refused
from ..model.names import TargetId
from ..model.ports import Clock
from ..model.records import Request, Store
from ..reconcile.cycle import Cycled
from ..reconcile.requests import answer_of, apply_request


@dataclass(slots=True)
class Desk:
    """Safe from any thread. A request that a crash left taken is taken again: applying twice equals once."""

    store: Store
    clock: Clock
    config: Callable[[], Config]
    _open: defaultdict[TargetId, list[Request]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, only: Collection[TargetId] | None = None) -> list[TargetId]:
        """Takes what is pending (of `only`, where given); the targets to be woken for it."""
        pending = [request for request in self.store.pending_requests() if only is None or request.target in only]
        return [request.target for request in pending if self._take(request)]

    def recover(self) -> list[TargetId]:
        """Takes up again what an earlier process took and never answered."""
        return [request.target for request in self.store.taken_requests() if self._apply(request)]

    def next_of(self, target: TargetId) -> tuple[Request, ...]:
        """The open requests of a target, for the cycle that begins now to answer."""
        with self._lock:
            return tuple(self._open.pop(target, ()))

    def answer(self, requests: tuple[Request, ...], cycled: Cycled | None) -> None:
        state, message = (
            answer_of(cycled) if cycled is not None else ("failed", "Fraisier failed; see the daemon's log")
        )
        for request in requests:
            self.store.answer_request(request.id, state, message, self.clock.now())

    def decline(self, targets: Collection[TargetId], why: str) -> None:
        """Answers what is still open of `targets`, for a process that ends before their turn."""
        for target in targets:
            for request in self.next_of(target):
                self.store.answer_request(request.id, "failed", why, self.clock.now())

    def _take(self, request: Request) -> bool:
        return self.store.take_request(request.id, self.clock.now()) and self._apply(request)

    def _apply(self, request: Request) -> bool:
        try:
            apply_request(self.store, self.config(), request, self.clock.now())
        except Refused as error:
            self.store.answer_request(request.id, "refused", f"{error}\n{error.hint}".strip(), self.clock.now())
            return False
        with self._lock:
            self._open[request.target].append(request)
        return True
