"""One try at a plan: journalled before and after each step, closed with an outcome whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ..model.errors import ConfigFault, FraisierError, Interrupted, RevisionFault, StoreError, Transient
from ..model.names import TargetId, short
from ..model.plan import Action, Goal, Outcome, Step
from ..model.ports import Context, Host, Interrupt
from ..model.records import Attempt, Closing, Store
from ..model.state import BackOff, Fault, HealthyRevision, OpenGate, Quarantine, Recorded
from ..planning.back_off import next_back_off

_TRIALS = ("deploy", "reconfigure")
"""Actions that put a revision on trial."""

Replan = Callable[[], tuple[Action, Recorded]]
"""Looks at the target afresh and plans again; called after a quarantine was recorded."""


@dataclass(slots=True)
class Execution:
    """An open attempt being carried out.

    `run` returns how it ended and never raises what a step may raise: every sort of error has its
    next move (law 11). `StoreError` is not handled: what cannot be journalled must not be done.
    """

    host: Host
    store: Store
    id: TargetId
    timeout: timedelta
    attempt: Attempt
    interrupt: Interrupt
    replan: Replan
    committed_at: Callable[[str], datetime | None]
    """When a revision was committed, where that can be told: the beginning of its lead time."""
    jitter: Callable[[], float]
    log: str | None
    report: Callable[[BaseException], None]
    """Told of a bug of ours, with its traceback, before the attempt is closed."""
    position: int = field(default=0)

    def run(self, action: Action, recorded: Recorded) -> Closing:
        try:
            return self._try(action, recorded)
        except StoreError:
            raise
        except Transient as error:  # while looking again for what to return to
            return self._later(action, recorded, error)
        except Exception as error:  # noqa: BLE001 - the one edge of a cycle: a bug of ours must not stop the other targets
            self.report(error)
            bug = Transient(f"a bug in Fraisier: {type(error).__name__}: {error}", code="bug")
            return self._later(action, recorded, bug)

    def _try(self, action: Action, recorded: Recorded) -> Closing:
        try:
            self._steps(action.steps, self._limit(self.attempt.deadline_at))
        except Interrupted as error:
            return self._interrupted(action, recorded, error)
        except Transient as error:
            return self._later(action, recorded, error)
        except (RevisionFault, ConfigFault) as error:
            return self._fault(action, recorded, error)
        return self._converged(action)

    def _converged(self, action: Action) -> Closing:
        because = "; ".join(reason.message for reason in action.reasons)
        proven, is_change = self._proven(action.proves), action.action in ("deploy", "reconfigure")
        committed_at = self.committed_at(proven.sha) if proven is not None and is_change else None
        removed = action.action == "remove"
        return Closing("converged", because, self._now(), proven=proven, committed_at=committed_at, removed=removed)

    # -- carrying out

    def _limit(self, deadline_at: datetime) -> float:
        """A stored moment as one that no jump of the clock moves (law 19)."""
        return self.host.clock.monotonic() + (deadline_at - self._now()).total_seconds()

    def _steps(self, steps: tuple[Step, ...], ends_at: float) -> None:
        context = Context(self.host, self.interrupt, ends_at, self.log, self._note, self._open_gate)
        for step in steps:
            self.interrupt.check()
            self._in_time(step, ends_at)
            self._step(step, context)

    def _step(self, step: Step, context: Context) -> None:
        self.position += 1
        position = self.position
        self.store.step_started(self.attempt, position, step.kind, step.summary(), self._now())
        try:
            step.apply(context)
        except (FraisierError, OSError) as error:
            self.store.step_failed(self.attempt, position, step.kind, str(error), self._now())
            if isinstance(error, FraisierError):
                raise
            raise Transient(
                f"{step.summary()}: {error}", code="host_error", hint="it is tried again by itself"
            ) from error
        self.store.step_finished(self.attempt, position, step.kind, self._now())

    def _in_time(self, step: Step, ends_at: float) -> None:
        if self.host.clock.monotonic() >= ends_at:
            raise RevisionFault(
                f"the attempt's timeout passed before: {step.summary()}",
                code="attempt_timeout",
                hint=f"raise `timeout` of {self.id}, or make the deployment faster",
            )

    def _note(self, message: str) -> None:
        self.store.note(self.attempt, message, self._now())

    def _open_gate(self, gate: OpenGate) -> None:
        self.store.gate_opened(self.attempt, gate, self._now())

    # -- the next move for each sort of error

    def _interrupted(self, action: Action, recorded: Recorded, error: Interrupted) -> Closing:
        if error.because == "cancelled":
            return self._cancelled(action, recorded, error)
        outcome: Outcome = "superseded" if error.because == "superseded" else "interrupted"
        return Closing(outcome, str(error), self._now(), error.because, retried=error.because == "stopping")

    def _cancelled(self, action: Action, recorded: Recorded, error: Interrupted) -> Closing:
        """What a person stopped is not begun again by itself: a revision on trial goes into quarantine in
        their name, everything else waits as after a failure.
        """
        closing = Closing("interrupted", str(error), self._now(), "cancelled")
        if action.action not in _TRIALS or _is_last_healthy(action, recorded):
            return replace(closing, back_off=self._back_off(action, recorded.back_off, error))
        entry = Quarantine(action.to_revision, action.config_digest, "person", str(error), self._now())
        self.store.quarantine(self.id, entry, self.attempt)
        return closing

    def _later(self, action: Action, recorded: Recorded, error: FraisierError) -> Closing:
        back_off = self._back_off(action, recorded.back_off, error)
        return Closing("failed", str(error), self._now(), error.code, retried=True, back_off=back_off)

    def _back_off(self, action: Action, previous: BackOff | None, error: FraisierError) -> BackOff:
        return next_back_off(
            previous,
            sha=action.to_revision or "",
            config_digest=action.config_digest,
            message=str(error).splitlines()[0],
            now=self._now(),
            jitter=self.jitter(),
        )

    def _fault(self, action: Action, recorded: Recorded, error: FraisierError) -> Closing:
        """A revision on trial is quarantined and left; what is the last healthy one already is tried again,
        later: a person who deploys it again while its database is down has not made it a bad revision.
        """
        if action.action not in _TRIALS or _is_last_healthy(action, recorded):
            return self._later(action, recorded, error)
        fault: Fault = "configuration" if isinstance(error, ConfigFault) else "revision"
        sha = None if fault == "configuration" else action.to_revision
        entry = Quarantine(sha, action.config_digest, fault, str(error), self._now())
        self.store.quarantine(self.id, entry, self.attempt)
        return self._return(error)

    def _return(self, error: FraisierError) -> Closing:
        """Back to the last healthy revision: the same planner, the same steps, the same journal (law 10)."""
        action, recorded = self.replan()
        failed = Closing("failed", str(error), self._now(), error.code)
        if not action.is_runnable or action.action not in ("roll_back", "repair"):
            return failed
        self._note(action.reasons[0].message)
        again = self.run_return(action, recorded)
        if again is not None:
            return again
        if action.proves is None:
            message = f"{error}\nnothing was healthy before, so it is stopped"
            return Closing("failed", message, self._now(), error.code)
        message = f"{error}\nback at {short(action.proves.sha)}"
        return Closing("rolled_back", message, self._now(), error.code, proven=self._proven(action.proves))

    def run_return(self, action: Action, recorded: Recorded) -> Closing | None:
        """None when it succeeded; otherwise how the attempt ends, to be gone on with later."""
        try:
            self._steps(action.steps, self.host.clock.monotonic() + self.timeout.total_seconds())
        except Interrupted as error:
            return self._interrupted(action, recorded, error)
        except FraisierError as error:
            if isinstance(error, StoreError):
                raise
            return self._later(action, recorded, error)
        return None

    # -- words

    def _proven(self, goal: Goal | None) -> HealthyRevision | None:
        if goal is None:
            return None
        digests = (goal.build_digest, goal.runtime_digest)
        return HealthyRevision(goal.ref, goal.sha, *digests, self._now(), goal.release, goal.is_chosen)

    def _now(self) -> datetime:
        return self.host.clock.now()


def _is_last_healthy(action: Action, recorded: Recorded) -> bool:
    return action.proves is not None and bool(recorded.healthy) and action.proves.is_what_was(recorded.healthy[0])
