"""Where requests arrive: taken once, made standing facts, answered when their cycle has ended."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from ..model.config import Config
from ..model.errors import Refused
from ..model.names import Scope, TargetId
from ..model.ports import Clock
from ..model.records import Request, RequestState, Store
from ..reconcile.cycle import Cycled, Removed
from ..reconcile.requests import answer_at_once, answer_of, apply_request, is_answered_at_once


@dataclass(slots=True)
class Desk:
    """Safe from any thread. A request that was taken and is in nobody's hands (after a crash, or a store
    that failed in the middle) is taken up again: applying twice equals once.
    """

    store: Store
    clock: Clock
    config: Callable[[], Config]
    cancel: Callable[[TargetId, str], bool]
    """Ends what runs for a target before its next step; False when nothing does."""
    _open: defaultdict[TargetId, list[Request]] = field(default_factory=lambda: defaultdict(list))
    _in_hand: set[str] = field(default_factory=set)
    """Ids of the requests that this desk has applied and not answered."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, only: Collection[Scope] | None = None) -> list[TargetId]:
        """Takes what is pending or left (of what `only` touches, where given); the targets to be woken for it."""
        left = [request for request in self.store.taken_requests() if request.id not in self._in_hand]
        new = [request for request in self.store.pending_requests() if _is_of(request, only)]
        taken = [request for request in new if self.store.take_request(request.id, self.clock.now())]
        known = {request.id for request in left}
        asked = [
            request
            for request in (*left, *taken)
            if _is_of(request, only) and self._apply(request, again=request.id in known)
        ]
        return list(dict.fromkeys(target for request in asked for target in self._concerned(request)))

    def next_of(self, target: TargetId) -> tuple[Request, ...]:
        """The open requests of a target, for the cycle that begins now to answer."""
        with self._lock:
            return tuple(self._open.pop(target, ()))

    def put_back(self, requests: tuple[Request, ...]) -> None:
        """For the cycle that follows: what was asked for was superseded, not done."""
        with self._lock:
            for request in requests:
                self._hold_open(request)

    def answer(self, requests: tuple[Request, ...], cycled: Cycled | Removed | None) -> None:
        """`cycled` None: it failed for a reason of its own, which was reported."""
        lost: tuple[RequestState, str] = ("failed", "it ended before it was done; see the log, and: fraisier history")
        for request in requests:
            state, message = answer_of(cycled, request.kind) if cycled is not None else lost
            self._answer(request, state, message)

    def decline(self, targets: Collection[TargetId], why: str) -> None:
        """Answers what is still open of `targets`, whose turn will not come."""
        for target in targets:
            self.refuse(self.next_of(target), why)

    def refuse(self, requests: Iterable[Request], why: str) -> None:
        for request in requests:
            self._answer(request, "refused", why)

    def _answer(self, request: Request, state: RequestState, message: str) -> None:
        """What cannot be written is in nobody's hands any more, and is taken up again."""
        try:
            self.store.answer_request(request.id, state, message, self.clock.now())
        finally:
            self._in_hand.discard(request.id)  # after it: else somebody who looks just now takes it up again

    def _apply(self, request: Request, *, again: bool) -> bool:
        """Whether there is something to be looked at for it."""
        try:
            apply_request(self.store, self.config(), request, self.clock.now(), again=again)
        except Refused as error:
            self._answer(request, "refused", f"{error}\n{error.hint}".strip())
            return False
        if request.kind == "cancel":
            self._cancel(request)
            return False
        if is_answered_at_once(request):
            self._answer(request, "done", answer_at_once(request))
            return True
        self._in_hand.add(request.id)
        with self._lock:
            self._hold_open(request)
        return True

    def _cancel(self, request: Request) -> None:
        target = request.scope.target
        if target is not None and self.cancel(target, f"cancelled by {request.requested_by}"):
            self._answer(request, "done", f"{target} ends before its next step")
        else:
            self._answer(request, "refused", f"nothing is being done to {request.scope}\nsee: fraisier status")

    def _hold_open(self, request: Request) -> None:
        if request.scope.target is not None:
            self._open[request.scope.target].append(request)

    def _concerned(self, request: Request) -> Iterable[TargetId]:
        scope = request.scope
        if scope.target is not None:
            return (scope.target,)
        return (target for target in self.config().targets if scope.covers(target))


def _is_of(request: Request, only: Collection[Scope] | None) -> bool:
    return only is None or any(scope.contains(request.scope) or request.scope.contains(scope) for scope in only)
