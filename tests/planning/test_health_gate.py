"""Law 9: the two stages, as properties of the pure machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import hypothesis.strategies as st
from hypothesis import given

from fraisier.model.config import HealthCheck, ManagerProbe
from fraisier.model.state import ProbeResult, ServiceState
from fraisier.planning.health_gate import Failed, Proven, Sample, Waiting, advance, pause
from tests.support.profiles import examples

checks = st.builds(
    HealthCheck,
    st.just(ManagerProbe()),
    interval=st.sampled_from([0.1, 0.5, 1.0]).map(lambda s: timedelta(seconds=s)),
    start_period=st.sampled_from([0.0, 2.0]).map(lambda s: timedelta(seconds=s)),
    healthy_for=st.sampled_from([0.0, 1.0, 3.0]).map(lambda s: timedelta(seconds=s)),
    deadline=st.sampled_from([0.0, 2.0, 5.0]).map(lambda s: timedelta(seconds=s)),
)


@dataclass(frozen=True)
class Answer:
    ok: bool
    run: str
    restarted: bool


answers = st.lists(
    st.builds(
        Answer,
        st.booleans(),
        st.sampled_from(["running"] * 6 + ["starting", "failed"]),
        st.sampled_from([False] * 5 + [True]),
    ),
    max_size=40,
)
steady = st.lists(st.builds(Answer, st.booleans(), st.just("running"), st.just(False)), max_size=60)


@dataclass(frozen=True)
class Ended:
    verdict: Waiting | Proven | Failed
    samples: tuple[Sample, ...]


def _run(check: HealthCheck, script: list[Answer], by: str = "restarts") -> Ended:
    """Samples as the step takes them, one after each pause, until it is decided; the last answer stays."""
    state, elapsed, restarts, pid, samples = Waiting(check.deadline.total_seconds()), 0.0, 0, 10, []
    script = [*script, *([script[-1]] if script else [Answer(False, "running", False)]) * 200]
    for number, answer in enumerate(script):
        restarts += answer.restarted and by == "restarts"
        pid += answer.restarted and by == "pid"
        service = ServiceState(answer.run, pid=pid, restarts=restarts)  # type: ignore[arg-type]
        sample = Sample(elapsed, service, ProbeResult(answer.ok, "HTTP"))
        samples.append(sample)
        verdict = advance(check, state, sample)
        if not isinstance(verdict, Waiting):
            return Ended(verdict, tuple(samples))
        state = verdict
        elapsed += max(pause(check, state, number + 1, elapsed), 0.001)
    return Ended(state, tuple(samples))


def _good_since(samples: tuple[Sample, ...]) -> float:
    """When the unbroken run of good samples at the end began."""
    since = samples[-1].elapsed
    for sample in reversed(samples):
        if not (sample.probe.ok and sample.service.run == "running"):
            break
        since = sample.elapsed
    return since


@given(checks, answers, st.sampled_from(["restarts", "pid"]))
@examples(300)
def test_proven_means_healthy_without_a_break_for_as_long_as_asked(
    check: HealthCheck, script: list[Answer], by: str
) -> None:
    ended = _run(check, script, by)
    if not isinstance(ended.verdict, Proven):
        return

    last, since = ended.samples[-1], _good_since(ended.samples)

    assert last.elapsed - since >= check.healthy_for.total_seconds() - 1e-9
    window = [s for s in ended.samples if s.elapsed >= last.elapsed - check.healthy_for.total_seconds()]
    assert len({(s.service.pid, s.service.restarts) for s in window}) == 1, "no restart in between"


@given(checks, steady)
@examples(200)
def test_it_is_always_decided_by_the_deadline_and_the_time_of_proof(check: HealthCheck, script: list[Answer]) -> None:
    ended = _run(check, script)

    assert not isinstance(ended.verdict, Waiting)
    slack = 2 * check.interval.total_seconds()
    limit = check.deadline.total_seconds() + check.healthy_for.total_seconds() + slack
    assert ended.samples[-1].elapsed <= limit


@given(checks, answers)
@examples(200)
def test_a_service_that_is_gone_ends_it_at_once(check: HealthCheck, script: list[Answer]) -> None:
    ended = _run(check, script)

    gone = [number for number, sample in enumerate(ended.samples) if sample.service.run == "failed"]
    assert gone in ([], [len(ended.samples) - 1])
    assert not gone or isinstance(ended.verdict, Failed)


@given(checks, st.integers(0, 6))
@examples(100)
def test_what_never_answers_well_is_never_proven(check: HealthCheck, count: int) -> None:
    ended = _run(check, [Answer(False, "running", False)] * count)

    assert isinstance(ended.verdict, Failed)
    assert "not healthy before its deadline" in ended.verdict.message


@given(checks, st.floats(0, 100), st.integers(0, 50), st.one_of(st.none(), st.floats(0, 100)))
@examples(100)
def test_a_pause_is_never_longer_than_the_interval(
    check: HealthCheck, elapsed: float, samples: int, since: float | None
) -> None:
    state = Waiting(0.0, ready_since=since)

    assert 0 <= pause(check, state, samples, elapsed) <= check.interval.total_seconds()
