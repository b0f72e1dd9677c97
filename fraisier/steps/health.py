"""Wait until the service is proven healthy, or is proven not to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from ..model.config import HealthCheck
from ..model.errors import RevisionFault, Transient
from ..model.ports import Context, Runtime, ServiceRef
from ..model.state import OpenGate, ProbeResult, ServiceState
from ..planning.health_gate import Failed, Proven, Sample, Waiting, advance, pause


@dataclass(frozen=True, slots=True)
class HealthGate:
    """Two stages (law 9). The deadline is stored before the wait, and one that was stored before a
    crash or a restart of the daemon still counts.
    """

    kind: ClassVar[str] = "health"
    undo: ClassVar[str] = "nothing to undo: it only looks"

    app_path: str
    release: str
    unit: str
    runtime_digest: str
    check: HealthCheck
    deadline_at: datetime | None = None
    """The stored deadline of a gate that is gone on with; None opens a new one."""

    def summary(self) -> str:
        return f"health of {self.check.probe}"

    def apply(self, context: Context) -> None:
        runtime = context.host.releases.runtime(self.app_path, self.runtime_digest)
        now = context.host.clock.now()
        latest = now + self.check.deadline
        deadline_at = min(self.deadline_at or latest, latest)  # the clock may have been set back since
        context.open_gate(OpenGate(self.release, self.runtime_digest, deadline_at))
        match self._wait(context, runtime, Waiting((deadline_at - now).total_seconds())):
            case Proven(message):
                context.note(f"healthy: {message}")
            case Failed(message):
                raise RevisionFault(
                    f"{self.unit} did not become healthy: {message}",
                    code="unhealthy",
                    hint=f"what it wrote itself: fraisier logs {runtime.identifier.replace('/', ' ')} --service",
                )

    def _wait(self, context: Context, runtime: Runtime, state: Waiting) -> Proven | Failed:
        clock = context.host.clock
        opened, samples, said = clock.monotonic(), 0, ""
        while True:
            sample = self._look(context, runtime, clock.monotonic() - opened)
            verdict = advance(self.check, state, sample)
            if not isinstance(verdict, Waiting):
                return verdict
            if context.remaining() <= 0:
                return Failed(f"the attempt's timeout passed: {verdict.last}")
            words = self._words(verdict)
            if words != said and (samples > 0 or verdict.ready_since is not None):
                context.note(words)
                said = words
            state, samples = verdict, samples + 1
            context.interrupt.wait(pause(self.check, state, samples, sample.elapsed))

    def _words(self, state: Waiting) -> str:
        if state.ready_since is None:
            return f"waiting for health: {state.last}"
        return f"ready ({state.last}); has to stay so for {self.check.healthy_for.total_seconds():g} s"

    def _look(self, context: Context, runtime: Runtime, elapsed: float) -> Sample:
        service = self._service(context)
        release = context.host.releases.path(self.app_path, self.release)
        if service.run in ("running", "starting"):
            probe = context.host.prober.probe(self.check, runtime, release, service)
            service = self._service(context)  # a probe answered by a process that died meanwhile proves nothing
        else:
            probe = ProbeResult(False, f"the service is {service.run}")
        return Sample(elapsed, service, probe)

    def _service(self, context: Context) -> ServiceState:
        state = context.host.services.states([ServiceRef(self.unit, self.app_path)])[self.unit]
        if not isinstance(state, ServiceState):
            raise Transient(f"{self.unit}: {state.message}", code=state.code, hint=state.hint)
        return state
