"""The two-stage health gate (law 9) as a pure machine: samples in, a verdict out.

Stage one: ready before the deadline. Stage two: healthy without a break for `healthy_for`, with no
restart in between. A probe that fails in stage two leads back to stage one; a restart, or a service
that is gone, ends the gate at once, since waiting longer cannot make it healthy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..model.config import HealthCheck
from ..model.state import ProbeResult, ServiceState


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the service. `elapsed` is monotonic seconds since the gate opened."""

    elapsed: float
    service: ServiceState
    probe: ProbeResult


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not decided yet."""

    limit: float
    """`elapsed` at which it has to be ready; a jump of the clock does not move it (law 19)."""
    baseline: ServiceState | None = None
    """The service as first seen running; a different process later is a restart."""
    ready_since: float | None = None
    """`elapsed` of the first probe of the present unbroken run of good ones."""
    last: str = "no answer yet"


@dataclass(frozen=True, slots=True)
class Proven:
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    message: str


Verdict = Waiting | Proven | Failed


def advance(check: HealthCheck, state: Waiting, sample: Sample) -> Verdict:
    """The gate after one more sample."""
    service = sample.service
    if service.run in ("stopped", "failed", "missing"):
        return Failed(f"the service is {service.run}" + (f": {service.message}" if service.message else ""))
    restarted = _restarted(state.baseline, service)
    if restarted and sample.elapsed > check.start_period.total_seconds():
        return Failed(
            "the service was restarted while it had to stay healthy" + (f" ({state.last})" if state.last else "")
        )
    baseline = service if restarted or state.baseline is None or state.baseline.pid is None else state.baseline
    state = replace(state, baseline=baseline, ready_since=None if restarted else state.ready_since)
    if sample.probe.ok and service.run == "running":
        return _good(check, state, sample)
    return _bad(state, sample)


def _restarted(baseline: ServiceState | None, service: ServiceState) -> bool:
    if baseline is None:
        return False
    changed_pid = None not in (baseline.pid, service.pid) and baseline.pid != service.pid
    return service.restarts > baseline.restarts or changed_pid


def _good(check: HealthCheck, state: Waiting, sample: Sample) -> Verdict:
    since = sample.elapsed if state.ready_since is None else state.ready_since
    if sample.elapsed - since >= check.healthy_for.total_seconds():
        return Proven(sample.probe.message)
    return replace(state, ready_since=since, last=sample.probe.message)


def _bad(state: Waiting, sample: Sample) -> Verdict:
    message = sample.probe.message if not sample.probe.ok else f"the service is {sample.service.run}"
    if sample.elapsed >= state.limit:
        return Failed(f"not healthy before its deadline: {message}")
    return replace(state, ready_since=None, last=message)


FIRST_PAUSE = 0.02


def pause(check: HealthCheck, state: Waiting, samples: int, elapsed: float) -> float:
    """Seconds until the next sample: short at first, so that a fast start is seen soon, never over `interval`."""
    interval = check.interval.total_seconds()
    if state.ready_since is not None:
        left = state.ready_since + check.healthy_for.total_seconds() - elapsed
        return max(0.0, min(interval, left))
    return min(interval, FIRST_PAUSE * 2.0 ** min(samples, 16))
