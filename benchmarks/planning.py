"""What the pure planner costs per target."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from fraisier.model.config import ApiTarget, Service, WrittenService
from fraisier.model.names import TargetId
from fraisier.model.plan import Action
from fraisier.model.state import (
    Desired,
    Head,
    HealthyRevision,
    Layout,
    Observed,
    Recorded,
    ReleaseMark,
    ServiceState,
    Stamp,
)
from fraisier.planning.gates import gate
from fraisier.services.registry import service_type

from .figures import Effort, Figure, Row

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """What one target's plan is made from."""

    target: ApiTarget
    desired: Desired
    observed: Observed
    recorded: Recorded

    def plan(self) -> Action:
        planned = service_type(self.target).plan(self.target, self.desired, self.observed, self.recorded)
        return gate(planned, self.recorded.back_off, (), NOW)


def in_sync(number: int) -> Case:
    """Five releases, the newest of which runs and was proven healthy."""
    shas = [f"{number:06d}{age}".ljust(40, "a") for age in range(5)]
    target = ApiTarget(
        id=TargetId(f"service_{number}", "production"),
        remote=f"https://git.example.com/acme/service_{number}.git",
        branch="main",
        app_path=f"/srv/service_{number}",
        service=Service(f"service_{number}.service", WrittenService(("./run",))),
        build=(("make",),),
        env={"LOG_LEVEL": "info"},
        config_digest="c" * 16,
        build_digest="b" * 16,
        runtime_digest="r" * 16,
    )
    layout = Layout(
        {sha: ReleaseMark(sha, target.build_digest, NOW - timedelta(days=age)) for age, sha in enumerate(shas)},
        shas[0],
        Stamp(shas[0], target.runtime_digest),
        frozenset([target.runtime_digest]),
    )
    healthy = tuple(HealthyRevision("main", sha, target.build_digest, target.runtime_digest, NOW, sha) for sha in shas)
    return Case(
        target,
        Desired(Head("main", shas[0], NOW), "same", 0),
        Observed(layout, ServiceState("running", pid=number, since=NOW)),
        Recorded(healthy, attempted=shas[0]),
    )


def pushed(case: Case) -> Case:
    """The same after three commits."""
    return replace(case, desired=Desired(Head("main", "f" * 40, NOW), "descends", 3))


def held(case: Case) -> Case:
    """The same with a branch that was rewound."""
    return replace(case, desired=Desired(Head("main", "f" * 40, NOW), "rewind", None))


def measure(effort: Effort) -> Row:
    count = effort.pick(10_000, 1_000)
    settled = [in_sync(number) for number in range(count)]
    kinds: dict[str, Callable[[Case], Case]] = {"in sync": lambda case: case, "a deploy each": pushed, "held": held}
    figures = []
    for words, change in kinds.items():
        cases = [change(case) for case in settled]
        each = min(_microseconds_each(cases) for _ in range(effort.pick(9, 2)))
        figures.append(Figure(f"planning {count:,} targets, {words}", each, "µs each", budget=20, why=WHY))
    return Row(
        "Planning",
        figures,
        "The service type's pure planner and the gates, on values in memory: five releases, five proven revisions. "
        "The best of nine passes over all targets, in CPU time: what else runs can only add to it.",
    )


WHY = "making the plan's objects; profile with `python -m cProfile -m benchmarks planning`"


def _microseconds_each(cases: list[Case]) -> float:
    begin = time.process_time()
    for case in cases:
        case.plan()
    return (time.process_time() - begin) / len(cases) * 1e6
