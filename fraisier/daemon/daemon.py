"""One server's daemon: starts the sources and the loop, and stops them in order.

Note [What blocks where]: the event loop answers HTTP and moves wake-ups. Git, processes, SQLite and
probes run on threads: cycles on the loop's workers, surveys and probes on the surveyor's, the rest
on the default executor.
"""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field

import structlog

from ..expose.http import Readiness, application, listen, serve
from ..host.crashes import CrashNotes
from ..host.interrupt import Interruption
from ..host.sd_notify import SdNotify
from ..model.config import Config, Target
from ..model.errors import ConfigFault, FraisierError, Refused, StoreError
from ..model.names import TargetId, short
from ..model.records import Request
from ..model.state import Head, Inspection, ProbeResult, Suspension, Unknown
from ..reconcile.cycle import Cycled, Reconciler, Removed, close_interrupted
from ..reconcile.look import Eyes
from ..reconcile.loop import Loop, Session
from ..reconcile.queue import Wake
from ..sources.exits import ExitWatch
from ..sources.watch import fingerprint, watch_configuration
from ..store import Waker, drain
from .answers import Answers
from .asker import Asker
from .assembly import Assembly
from .configuration import InForce
from .desk import Desk
from .safe_mode import safe_mode
from .surveyor import Surveyor

STORE_PAUSE = 1.0
"""Seconds until requests are looked for again after the store failed."""

log = structlog.get_logger()


@dataclass(slots=True)
class Daemon:
    """`run` returns after a clean stop, with the exit code of the process."""

    assembly: Assembly
    in_force: InForce = field(init=False)
    desk: Desk = field(init=False)
    loop: Loop = field(init=False)
    exits: ExitWatch = field(init=False)
    surveyor: Surveyor = field(init=False)
    reconciler: Reconciler = field(init=False)
    answers: Answers = field(init=False)
    asker: Asker = field(init=False)
    stopping: asyncio.Event = field(init=False)
    _event_loop: asyncio.AbstractEventLoop = field(init=False)
    probes: dict[TargetId, ProbeResult] = field(default_factory=dict)
    inspections: dict[TargetId, Inspection | Unknown] = field(default_factory=dict)
    ready: bool = False
    failed: bool = False
    store_problem: str = ""
    """Why the last cycle could not use the store; empty when it could."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def config(self) -> Config:
        return self.in_force.config

    async def run(self) -> int:
        notify = SdNotify(self.assembly.environ)
        self._wire()
        listener = listen(*self.config.server.listen)
        host, port = listener.getsockname()[:2]
        self._handle_signals()
        await self._recover()
        self._start(serve(application(self._readiness), listener, self.stopping))
        self._start(watch_configuration(self.assembly.config_path, self._reload, self.stopping))
        self._start(self._watchdog(notify))
        self._start(self._look_at_files())
        self._start(self._receive_requests())
        self._start(self.surveyor.run())
        self.ready = True
        notify.send("READY=1", f"STATUS={len(self.config.targets)} targets")
        log.info(
            "daemon.ready",
            server=self.config.server.name,
            listen=f"{host}:{port}",
            targets=len(self.config.targets),
            held=len(self.in_force.held),
        )
        await self.stopping.wait()
        notify.send("STOPPING=1")
        await self._shut_down()
        log.info("daemon.stopped")
        return 3 if self.failed else 0

    def stop(self) -> None:
        """The steps in hand finish, or are cut off where they may be; everything is journalled."""
        log.info("daemon.stopping", at_work=self.loop.at_work)
        self.ready = False
        self.stopping.set()

    # -- wiring

    def _wire(self) -> None:
        assembly = self.assembly
        self.stopping = asyncio.Event()
        self._event_loop = asyncio.get_running_loop()
        self.in_force = InForce.first(assembly.config, assembly.loaded)
        self.desk = Desk(assembly.store, assembly.host.clock, lambda: self.config, self._cancel)
        self.reconciler = assembly.reconciler(self._eyes, self._report)
        self.answers = Answers(self._eyes)
        self.asker = Asker(assembly.host, assembly.store, self.answers, self._eyes)
        self.exits = ExitWatch(lambda target: self.loop.wake([target], "drift"))
        self.loop = Loop(
            config=lambda: self.config,
            has_to_ask=self._has_to_ask,
            ask=self._ask,
            cycle=self._cycle,
            interrupt=Interruption,
            clock=assembly.host.clock,
            workers=self.config.server.workers,
            ended=self._ended,
            leave=self._leave,
        )
        self.surveyor = Surveyor(
            host=assembly.host,
            store=assembly.store,
            loop=self.loop,
            exits=self.exits,
            config=lambda: self.config,
            eyes=self._eyes,
            answers=self.answers,
            probes=self.probes,
            inspections=self.inspections,
            report=self._report,
            jitter=self.reconciler.jitter,
            looked=self._look_again_at_held,
            store_answers=self._store_answers,
        )

    def _eyes(self) -> Eyes:
        assembly, holds = self.assembly, self.in_force.holds()
        return Eyes(assembly.host, assembly.store, self.config, self.probes, self.inspections, holds)

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._start(self._reload()))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._guarded(work)))

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """A source that fails by a bug of ours ends the daemon; its manager starts it again."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the edge of the process: reported, and the daemon ends
            if self.stopping.is_set():
                return  # what it needs is being put away already
            self._report(error)
            self.failed = True
            CrashNotes(self.assembly.paths.crashes).add(self.assembly.host.clock.now())
            self.stop()

    def _report(self, error: BaseException) -> None:
        text = "".join(traceback.format_exception(error))
        log.error("bug", error=f"{type(error).__name__}: {error}", report=text)

    # -- the start after a crash

    async def _recover(self) -> None:
        """Before anything else: no process of an earlier daemon is at work, no attempt is left open."""
        await asyncio.to_thread(self.assembly.host.sweep)
        closed = await asyncio.to_thread(close_interrupted, self.assembly.store, self.assembly.host)
        if closed:
            log.warning("attempts.interrupted", count=closed)
        await asyncio.to_thread(self._guard_against_a_loop)
        await asyncio.to_thread(self._show_held)

    def _guard_against_a_loop(self) -> None:
        """Whatever makes the daemon crash again and again is not begun again by itself."""
        assembly = self.assembly
        crashes, now = CrashNotes(assembly.paths.crashes), assembly.host.clock.now()
        suspension = safe_mode(crashes, self.config.server.crash_limit, now)
        if suspension is None or any(_holds_everything(each) for each in assembly.store.suspensions()):
            return
        assembly.store.suspend(suspension)
        log.error("safe_mode", reason=suspension.reason, hint="find out why, then: fraisier resume --all")

    # -- one cycle, on a worker thread

    def _cycle(self, target: Target, wake: Wake, session: Session) -> Cycled | None:
        requests = self.desk.next_of(target.id)
        cycled: Cycled | None = None
        try:
            heads = self.answers.of(target)
            session.desired = heads.sha(self._eyes().selection(target)) if heads is not None else None
            cycled = self.reconciler.cycle(
                target,
                wake.trigger,
                session.interrupt,
                heads=heads,
                request=requests[0] if requests else None,
            )
            self._store_answers(None)
        except StoreError as error:
            self._store_failed(error, target=str(target.id))
        except Exception as error:  # noqa: BLE001 - the edge of a cycle: the other targets go on
            self._report(error)
        if cycled is not None:
            self._remember(cycled)
        self._answer(requests, cycled)
        return cycled

    def _remember(self, cycled: Cycled) -> None:
        """What was just seen takes the place of earlier looks; a probe of what ran before says nothing now."""
        target = cycled.seen.target.id
        self.surveyor.note_inspection(target, cycled.seen.observed.inspection)
        if cycled.attempt is not None:
            self.probes.pop(target, None)

    def _leave(self, id: TargetId, session: Session) -> None:
        """Of a target that is not in the configuration: what a person wants removed is, the rest is told so."""
        requests = self.desk.next_of(id)
        others = [request for request in requests if request.kind != "remove"]
        self.desk.refuse(others, f"{id} is not in the configuration any more; see: fraisier validate")
        wanted = tuple(request for request in requests if request.kind == "remove")
        if wanted:
            self._remove(id, wanted, session)

    def _remove(self, id: TargetId, requests: tuple[Request, ...], session: Session) -> None:
        removed: Removed | None = None
        try:
            removed = self.reconciler.remove(id, session.interrupt, requests[0])
        except Refused as error:
            self.desk.refuse(requests, f"{error}\n{error.hint}".strip())
            return
        except FraisierError as error:
            log.error("removal.failed", target=str(id), code=error.code, message=str(error), hint=error.hint)
        except Exception as error:  # noqa: BLE001 - the edge of a removal: the other targets go on
            self._report(error)
        if removed is not None and removed.outcome is not None:
            log.info("removal.ended", target=str(id), outcome=removed.outcome, message=removed.message)
        self._answered(requests, removed)

    def _has_to_ask(self, target: Target, wake: Wake) -> bool:
        """A person's request is answered from what the remote says now. Everything else goes by the survey, so
        that one `ls-remote` serves all targets of a remote, and a remote that hangs delays no repair.
        """
        if wake.trigger in ("request", "webhook"):
            return True
        try:
            return self.answers.of(target) is None
        except StoreError:
            return False  # the cycle meets it, where it is told

    async def _ask(self, target: Target) -> None:
        try:
            await self.asker.ask(target)
        except StoreError as error:
            self._store_failed(error, target=str(target.id))
        except Exception as error:  # noqa: BLE001 - the edge of a question: the cycle meets it again, the others go on
            self._report(error)

    def _cancel(self, target: TargetId, message: str) -> bool:
        return self.loop.cancel(target, message)

    def _answer(self, requests: tuple[Request, ...], cycled: Cycled | None) -> None:
        """A request that was superseded is for the cycle that follows to answer, as is one whose answer
        cannot be written.
        """
        if cycled is not None and cycled.outcome == "superseded":
            self.desk.put_back(requests)
            return
        self._answered(requests, cycled)

    def _answered(self, requests: tuple[Request, ...], ended: Cycled | Removed | None) -> None:
        try:
            self.desk.answer(requests, ended)
        except StoreError as error:
            self._store_failed(error)

    def _store_answers(self, error: StoreError | None) -> None:
        """What `/readyz` says of the store: how it answered last."""
        self.store_problem = "" if error is None else str(error)

    def _store_failed(self, error: StoreError, **what: str) -> None:
        """What cannot be journalled is not done; it is tried again at the next look."""
        self._store_answers(error)
        log.error("store.failed", code=error.code, message=str(error), hint=error.hint, **what)

    def _ended(self, target: Target, cycled: Cycled) -> None:
        self.surveyor.follow(cycled.seen)
        action = cycled.seen.action
        if cycled.outcome is not None:
            level = log.info if cycled.outcome in ("converged", "superseded") else log.warning
            head = cycled.seen.desired.head
            sha = short(head.sha) if isinstance(head, Head) else None
            level("attempt.ended", target=str(target.id), outcome=cycled.outcome, desired=sha, message=cycled.message)
        elif action.held_by:
            log.debug("held", target=str(target.id), code=action.held_by[0].code.value)

    # -- sources

    async def _receive_requests(self) -> None:
        """Poked through a named pipe when somebody inserted a request; looks once at the start anyway."""
        poked = asyncio.Event()
        poked.set()
        loop, pipe = asyncio.get_running_loop(), Waker(str(self.assembly.paths.store)).open_reader()

        def arrived() -> None:
            drain(pipe)
            poked.set()

        loop.add_reader(pipe, arrived)
        try:
            while True:
                await poked.wait()
                poked.clear()
                try:
                    self.loop.wake(await asyncio.to_thread(self.desk.receive), "request")
                except StoreError as error:
                    self._store_failed(error)
                    loop.call_later(STORE_PAUSE, poked.set)
        finally:
            loop.remove_reader(pipe)
            os.close(pipe)

    async def _look_at_files(self) -> None:
        """Finds edits that no notice came of: behind a link, in a folder that was replaced, at the start."""
        seen: object = None
        while True:
            now = await asyncio.to_thread(fingerprint, self.assembly.config_path)
            if now != seen:
                await self._reload(edited=False)
            seen = now
            await asyncio.sleep(self.config.git.poll.total_seconds())

    async def _reload(self, *, edited: bool = True) -> None:
        """`edited`: somebody did something, and is told that it was read even when it says the same."""
        try:
            loaded = await asyncio.to_thread(self.assembly.reload)
        except ConfigFault as error:
            log.error("config.kept", message=str(error), hint=error.hint)
            return
        after = self.in_force.after(loaded)
        if after == self.in_force and not edited:
            return
        for problem in loaded.problems:
            log.error("config.problem", problem=str(problem))
        if after is None:
            log.error("config.kept", message="the configuration says nothing usable; the last good one stays in force")
            return
        changed = [id for id, target in after.config.targets.items() if self.config.targets.get(id) != target]
        self.in_force = after
        try:
            await asyncio.to_thread(self._show_held)
        except StoreError as error:
            self._store_failed(error)
        log.info("config.loaded", targets=len(after.config.targets), held=len(after.held), changed=len(changed))
        self.loop.wake([*changed, *(id for id in after.held if id in after.config.targets)], "config")
        self.surveyor.hurry()

    def _look_again_at_held(self, looked: Iterable[TargetId]) -> None:
        """A survey that began before the configuration came to hold its targets has not the last word."""
        held = [target for target in looked if target in self.in_force.held]
        if held:
            self._event_loop.call_soon_threadsafe(self.loop.wake, held, "config")

    def _show_held(self) -> None:
        self.assembly.store.save_status(self.in_force.statuses(), self.assembly.host.clock.now())

    async def _watchdog(self, notify: SdNotify) -> None:
        """Signs of life come from the event loop itself: one that hangs sends none."""
        interval = notify.watchdog_interval
        while interval is not None:
            notify.send("WATCHDOG=1")
            await asyncio.sleep(interval)

    def _readiness(self) -> Readiness:
        facts: dict[str, object] = {
            "server": self.config.server.name,
            "targets": len(self.config.targets),
            "held_by_configuration": len(self.in_force.held),
            "at_work": self.loop.at_work,
        }
        if self.store_problem:
            facts["problem"] = self.store_problem
        return Readiness(self.ready and not self.store_problem, facts)

    # -- the end

    async def _shut_down(self) -> None:
        self.surveyor.close()
        self.asker.close()
        await self.loop.stop()
        self.assembly.host.stop()  # what surveys and probes still wait for
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.exits.close()
        await asyncio.to_thread(self.assembly.store.close)


def _holds_everything(suspension: Suspension) -> bool:
    """Until somebody resumes it: one that ends by itself is not enough for a safe mode."""
    return suspension.scope.is_everything and suspension.until is None


def run_daemon(assembly: Assembly) -> int:
    """Runs until TERM or INT; the exit code of the process."""
    return asyncio.run(Daemon(assembly).run())
