"""Carrying out requests: by the daemon where one runs, else by this process, which is then the one
writer (law 7). Either way a request is a row first, and what is shown is the journal.
"""

from __future__ import annotations

import getpass
import os
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from ..daemon.assembly import Assembly
from ..daemon.configuration import InForce
from ..daemon.desk import Desk
from ..host.interrupt import Interruption
from ..model.config import Target
from ..model.errors import Refused, StoreError
from ..model.names import Scope, TargetId
from ..model.records import Request, RequestKind, RequestState
from ..planning.order import dependencies_first
from ..reconcile.cycle import Cycled, Reconciler, close_interrupted
from ..reconcile.look import Eyes
from ..store import DaemonLock, poke
from .failures import FAILED, NEEDS_A_PERSON, explain_failure
from .follow import Follower

GLANCE = 0.02
"""Seconds between two looks at the journal; it is a read of one index."""

EXIT_CODES: Mapping[RequestState, int] = {
    "done": 0,
    "failed": FAILED,
    "held": NEEDS_A_PERSON,
    "refused": NEEDS_A_PERSON,
}


def request_for(
    assembly: Assembly, kind: RequestKind, scope: Scope | TargetId, payload: Mapping[str, Any] | None = None
) -> Request:
    scope = Scope.of(scope) if isinstance(scope, TargetId) else scope
    return Request(str(uuid.uuid4()), kind, scope, requester(), assembly.host.clock.now(), payload or {})


def eyes_of(assembly: Assembly) -> Eyes:
    """For a command: what the configuration has problems with is held, as for the daemon."""
    holds = InForce.first(assembly.config, assembly.loaded).holds()
    return Eyes(assembly.host, assembly.store, assembly.config, holds=holds)


def requester() -> str:
    """Who asks, for the history: the person behind sudo, where there is one."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@dataclass(slots=True)
class Work:
    """One command's requests, from insertion to answer."""

    assembly: Assembly
    out: Console
    interrupt: Interruption

    def carry_out(self, requests: Sequence[Request]) -> int:
        """Returns the exit code; the worst of them all."""
        store = self.assembly.store
        follower = Follower(self.out, store, frozenset(self._followed(requests)), store.last_event_pk())
        for request in requests:
            store.add_request(request)
        try:
            while not self._is_answered(requests):
                with self._lock_if_free() as alone:
                    if alone:
                        self._do_alone(requests, follower)
                    else:
                        self._wait_for_holder(requests, follower)
            follower.show_new()
        finally:
            follower.close()
        return self._answers(requests)

    def _followed(self, requests: Sequence[Request]) -> Iterator[str]:
        for request in requests:
            yield str(request.scope)
            yield from (str(target) for target in self._concerned(request.scope))

    def _lock_if_free(self) -> _Claim:
        return _Claim(DaemonLock(str(self.assembly.paths.store)))

    # -- with a daemon, or another command that is at work just now

    def _wait_for_holder(self, requests: Sequence[Request], follower: Follower) -> None:
        """Until everything is answered, or who held the lock has gone: then it is this process's turn."""
        poke(str(self.assembly.paths.store))
        pause = threading.Event()
        lock = DaemonLock(str(self.assembly.paths.store))
        while not self._is_answered(requests) and lock.holder() is not None:
            follower.show_new()
            pause.wait(GLANCE)

    def _is_answered(self, requests: Sequence[Request]) -> bool:
        states = (self.assembly.store.request_state(request.id)[0] for request in requests)
        return all(state not in ("pending", "taken") for state in states)

    # -- without one

    def _do_alone(self, requests: Sequence[Request], follower: Follower) -> None:
        failures: list[Exception] = []
        # Not `join`: one that Ctrl-C ends takes a thread that still runs for ended (CPython 3.11, since bpo-45274).
        ended = threading.Event()

        def work() -> None:
            try:
                self._reconcile(requests)
            except Exception as error:  # noqa: BLE001 - carried to the thread that waits, which ends the command with it
                failures.append(error)
            finally:
                ended.set()

        threading.Thread(target=work, name="work").start()
        try:
            while not ended.wait(GLANCE):
                follower.show_new()
                self._heed_cancels(requests)
        except KeyboardInterrupt:
            self.interrupt.set("stopping", "interrupted at the keyboard")
            ended.wait()
            follower.show_new()
            raise
        follower.show_new()
        if failures:
            raise failures[0]

    def _heed_cancels(self, requests: Sequence[Request]) -> None:
        """Another command may want what this one does to be cancelled; the journal says so by a row."""
        store, now = self.assembly.store, self.assembly.host.clock.now
        at_work = {attempt.target for attempt in store.open_attempts()}
        mine = [request.scope for request in requests]
        for other in store.pending_requests():
            target = other.scope.target
            if other.kind != "cancel" or target not in at_work or not any(scope.covers(target) for scope in mine):
                continue
            if store.take_request(other.id, now()):
                self.interrupt.set("cancelled", f"cancelled by {other.requested_by}")
                store.answer_request(other.id, "done", f"{target} ends before its next step", now())

    def _reconcile(self, requests: Sequence[Request]) -> None:
        assembly = self.assembly
        assembly.host.sweep()
        close_interrupted(assembly.store, assembly.host)
        desk = Desk(assembly.store, assembly.host.clock, lambda: assembly.config, lambda _target, _why: False)
        wanted = desk.receive([request.scope for request in requests])
        reconciler = assembly.reconciler(lambda: eyes_of(assembly), self._report)
        try:
            self._cycles(desk, reconciler, wanted)
        finally:
            desk.decline(wanted, "interrupted before its turn")

    def _concerned(self, scope: Scope) -> Collection[TargetId]:
        if scope.target is not None:
            return (scope.target,)
        return [target for target in self.assembly.config.targets if scope.covers(target)]

    def _cycles(self, desk: Desk, reconciler: Reconciler, wanted: Collection[TargetId]) -> None:
        left = [id for id in wanted if id not in self.assembly.config.targets]
        for id in (*(id for id in self._in_order() if id in wanted), *left):
            self.interrupt.check()
            asked, target = desk.next_of(id), self.assembly.config.targets.get(id)
            if target is None:
                self._remove(desk, reconciler, id, asked)
                continue
            cycled = None
            try:
                cycled = self._cycle(reconciler, target, asked)
            finally:
                desk.answer(asked, cycled)

    def _remove(self, desk: Desk, reconciler: Reconciler, id: TargetId, asked: tuple[Request, ...]) -> None:
        removed = None
        try:
            removed = reconciler.remove(id, self.interrupt, asked[0] if asked else None)
        except Refused as error:
            desk.refuse(asked, f"{error}\n{error.hint}".strip())
            return
        finally:
            if removed is not None:
                desk.answer(asked, removed)

    def _cycle(self, reconciler: Reconciler, target: Target, asked: Sequence[Request]) -> Cycled:
        """Once more where the first was superseded: by a newer head, or by a rewind that the fetch revealed."""
        request = asked[0] if asked else None
        cycled = reconciler.cycle(target, "request", self.interrupt, request=request)
        if cycled.outcome != "superseded":
            return cycled
        return reconciler.cycle(target, "request", self.interrupt, request=request)

    def _in_order(self) -> tuple[TargetId, ...]:
        targets = self.assembly.config.targets
        return dependencies_first({id: target.depends_on for id, target in targets.items()})

    def _report(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            explain_failure(error)

    # -- answers

    def _answers(self, requests: Sequence[Request]) -> int:
        worst = 0
        for request in requests:
            state, message = self.assembly.store.request_state(request.id)
            style = {"done": "good", "held": "warn"}.get(state, "bad")
            word = {"done": "done", "held": "held"}.get(state, state)
            first, *rest = message.splitlines() or [""]
            self.out.print(f"[{style}]{word}[/] [name]{escape(str(request.scope))}[/]: {escape(first)}")
            for line in rest:
                self.out.print(f"  {escape(line)}")
            worst = worse(worst, EXIT_CODES.get(state, FAILED))
        return worst


def worse(one: int, other: int) -> int:
    """The exit code that tells more: failed before needs a person before done."""
    return max(one, other, key=(0, NEEDS_A_PERSON, FAILED).index)


@dataclass(slots=True)
class _Claim:
    """The lock, if it is free. The kernel gives it back however this process ends."""

    lock: DaemonLock

    def __enter__(self) -> bool:
        try:
            self.lock.acquire()
        except StoreError as error:
            if error.code != "store_locked":
                raise
            return False
        return True

    def __exit__(self, *_: object) -> None:
        self.lock.release()
