"""One pass over one target.

desire -> observe -> plan -> gate -> record intent -> execute -> verify -> record outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from ..model.config import Target
from ..model.errors import AttemptOpen, Refused
from ..model.names import TargetId
from ..model.plan import Action, Outcome, Trigger
from ..model.ports import Host, Interrupt
from ..model.records import Attempt, Closing, Request, Store, Wish
from ..model.state import Recorded, Unknown
from ..planning.basis import moved
from ..planning.document import action_document
from ..services.registry import Glimpse, service_type
from .attempt import Execution, Replan
from .desire import Heads, read_heads
from .look import Eyes, Look
from .removal import orphans, removal_of

REMOVAL_TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Cycled:
    """How one cycle ended: `seen` is the last look at the target.

    `outcome` None: there was nothing to do, or it is held; `seen.action` says which.
    """

    seen: Look
    outcome: Outcome | None = None
    message: str = ""
    attempt: Attempt | None = None
    proven: str | None = None
    """The SHA that was proven healthy."""
    moved: tuple[str, ...] = ()
    """What is not any more as the saved plan that was to be carried out has it; nothing was done then."""


@dataclass(frozen=True, slots=True)
class Removed:
    """How the removal of a target that left the configuration ended. `outcome` None: it is held."""

    action: Action
    outcome: Outcome | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Runs cycles. Holds no state of its own: everything is read afresh (law 1)."""

    host: Host
    store: Store
    eyes: Callable[[], Eyes]
    jitter: Callable[[], float]
    attempt_log: Callable[[Attempt], str | None]
    report: Callable[[BaseException], None]
    server: str = ""

    def cycle(
        self,
        target: Target,
        trigger: Trigger,
        interrupt: Interrupt,
        *,
        heads: Heads | None = None,
        glimpse: Glimpse | None = None,
        request: Request | None = None,
    ) -> Cycled:
        heads = heads or self.ask(target)
        eyes = self.eyes()
        seen = eyes.look(target, heads, glimpse=glimpse, interrupt=interrupt, inspects=True)
        self.store.save_status([seen.status], self.host.clock.now())
        stale = _moved(seen, request)
        if stale or not seen.action.is_runnable:
            return Cycled(seen, moved=stale)
        return self._attempt(eyes, seen, heads, trigger, interrupt, request)

    def remove(self, id: TargetId, interrupt: Interrupt, request: Request | None = None) -> Removed:
        """Removes what was made for a target that left the configuration. Raises `Refused` where the
        configuration is none that removes anything, and where it has not left.
        """
        eyes = self.eyes()
        entry = orphans(eyes).get(id)
        if entry is None:
            raise Refused(f"nothing of {id} is left to remove", code="not_left", hint="see: fraisier plan --prune")
        action = removal_of(eyes, entry)
        if not action.is_runnable:
            return Removed(action)
        now = self.host.clock.now()
        attempt = self._open(self._wish(action, "request", request), now, now + REMOVAL_TIMEOUT)
        closing = self._execution(attempt, REMOVAL_TIMEOUT, interrupt, lambda: (action, Recorded())).run(
            action, self.store.recorded(id)
        )
        self.store.close_attempt(attempt, closing)
        return Removed(action, closing.outcome, closing.message)

    def ask(self, target: Target) -> Heads:
        """What is selected of the target's remote, asked just now and recorded as last seen."""
        selections = frozenset([self.eyes().selection(target)])
        heads = read_heads(self.host.git, target.remote, selections, self.host.clock.now())
        self.save(target.remote, heads)
        return heads

    def save(self, remote: str, heads: Heads) -> None:
        """Records what a remote answered; an answer that did not come is no answer."""
        if not isinstance(heads.answer, Unknown):
            self.store.save_heads(remote, heads.answer, heads.asked, heads.at)

    def _attempt(
        self, eyes: Eyes, seen: Look, heads: Heads, trigger: Trigger, interrupt: Interrupt, request: Request | None
    ) -> Cycled:
        now = self.host.clock.now()
        target = seen.target
        inventory = service_type(target).inventory(target, now)
        wish = replace(self._wish(seen.action, trigger, request, target.declared), inventory=inventory)
        attempt = self._open(wish, now, now + target.timeout)
        self.store.save_status([replace(seen.status, health="progressing")], now)

        def replan() -> tuple[Action, Recorded]:
            again = eyes.look(target, heads, afresh=True, gated=False)
            return again.action, again.recorded

        execution = self._execution(attempt, target.timeout, interrupt, replan, target.remote)
        closing = execution.run(seen.action, seen.recorded)
        self.store.close_attempt(attempt, closing)
        after = eyes.look(target, heads, afresh=True)  # what `status` shows is what is seen, not what was meant
        self.store.save_status([after.status], self.host.clock.now())
        proven = closing.proven.sha if closing.proven is not None else None
        return Cycled(after, closing.outcome, closing.message, attempt, proven)

    def _execution(
        self, attempt: Attempt, timeout: timedelta, interrupt: Interrupt, replan: Replan, remote: str = ""
    ) -> Execution:
        return Execution(
            host=self.host,
            store=self.store,
            id=attempt.target,
            timeout=timeout,
            attempt=attempt,
            interrupt=interrupt,
            replan=replan,
            committed_at=partial(self.host.git.committed_at, remote),
            jitter=self.jitter,
            log=self.attempt_log(attempt),
            report=self.report,
        )

    def _open(self, wish: Wish, now: datetime, deadline_at: datetime) -> Attempt:
        """Only the holder of the store's lock runs cycles, one per target at a time: an attempt that is
        still open can no longer be at work (the store failed in its middle), and is closed first.
        """
        try:
            return self.store.open_attempt(wish, at=now, deadline_at=deadline_at)
        except AttemptOpen:
            close_interrupted(self.store, self.host, wish.id)
            return self.store.open_attempt(wish, at=now, deadline_at=deadline_at)

    def _wish(self, action: Action, trigger: Trigger, request: Request | None, declared: str = "") -> Wish:
        return Wish(
            id=action.id,
            action=action.action,
            ref=action.ref,
            from_revision=action.from_revision,
            to_revision=action.to_revision,
            config_digest=action.config_digest,
            trigger="request" if request is not None else trigger,
            requested_by=request.requested_by if request is not None else f"fraisier on {self.server}",
            plan={**action_document(action), "declared": declared},
            request_id=request.id if request is not None else None,
        )


def _moved(seen: Look, request: Request | None) -> tuple[str, ...]:
    """For a request to carry out a saved plan: what is not any more as it was then."""
    saved = request.payload.get("basis") if request is not None else None
    if not isinstance(saved, Mapping):
        return ()
    return moved({str(name): str(value) for name, value in saved.items()}, seen.shown.basis)


def close_interrupted(store: Store, host: Host, only: TargetId | None = None) -> int:
    """The first thing after a start: attempts that a crash left open are closed as interrupted (law 8).

    The cycle that follows looks at the machine and goes on from what it finds. Returns how many.
    """
    left = [attempt for attempt in store.open_attempts() if only in (None, attempt.target)]
    for attempt in left:
        message = "the daemon ended in the middle of it; the next cycle goes on from what it finds"
        store.close_attempt(attempt, Closing("interrupted", message, host.clock.now(), "crash", retried=True))
    return len(left)
