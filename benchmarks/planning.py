"""What the pure planner costs per target."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

from fraisier.model.config import ApiTarget, Service, Window, WrittenService
from fraisier.model.names import TargetId
from fraisier.model.plan import Action, Sync
from fraisier.model.selection import Branch, Exact
from fraisier.model.state import (
    Approval,
    Desired,
    Difference,
    Head,
    HealthyRevision,
    Inspection,
    Layout,
    Observed,
    Override,
    Recorded,
    ReleaseMark,
    ServiceState,
    Stamp,
)
from fraisier.planning.gates import Circumstances, gate
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
        return gate(planned, Circumstances(self.target, self.recorded, (), NOW))


def in_sync(number: int) -> Case:
    """Five releases, the newest of which runs and was proven healthy."""
    shas = [f"{number:06d}{age}".ljust(40, "a") for age in range(5)]
    target = ApiTarget(
        id=TargetId(f"service_{number}", "production"),
        remote=f"https://git.example.com/acme/service_{number}.git",
        selection=Branch("main"),
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


PARIS = ZoneInfo("Europe/Paris")
WINDOWS = (
    Window("office", days=frozenset({"mon", "tue", "wed", "thu"}), start=clock_time(9), end=clock_time(18), zone=PARIS),
    Window("friday_freeze", "deny", days=frozenset({"fri"}), zone=PARIS),
)


def closed(case: Case) -> Case:
    """Three commits on a Friday morning, when nothing may begin, and what was approved is something else."""
    pending = pushed(case)
    return replace(
        pending,
        target=replace(case.target, windows=WINDOWS, approval=True),
        recorded=replace(case.recorded, approval=Approval("0" * 12, "Ann", NOW)),
    )


def drifted(case: Case) -> Case:
    """Somebody stopped the service, edited its unit and removed a link to what is shared."""
    release = case.recorded.healthy[0].release
    observed = replace(
        case.observed,
        service=ServiceState("failed", message="killed by signal 9"),
        units=(Difference(f"/etc/systemd/system/{case.target.service.unit}", "changed"),),
        inspection=Inspection(release, (), (Difference("uploads", "missing"),)),
    )
    return replace(case, target=replace(case.target, shared=("uploads",)), observed=observed)


def pinned(case: Case) -> Case:
    """Somebody pinned an older revision, of which there is a release, and the branch has moved since."""
    older = Exact(case.recorded.healthy[2].sha)
    return replace(
        case,
        desired=Desired(Head("", older.sha, NOW), "rewind", None, selection=older),
        recorded=replace(
            case.recorded,
            override=Override("pin", older, "Ann", NOW, "until the invoices are right"),
            rewinds=frozenset([older.sha]),
        ),
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """Some targets alike, and what their plan must come to: else something else was measured."""

    words: str
    change: Callable[[Case], Case]
    sync: Sync
    held_by: tuple[str, ...] = ()


KINDS = (
    Kind("in sync", lambda case: case, "in_sync"),
    Kind("a deploy each", pushed, "pending"),
    Kind("held", held, "held", ("rewind",)),
    Kind("held by windows and for want of approval", closed, "held", ("window", "approval")),
    Kind("drifted in three fields", drifted, "drifted"),
    Kind("pinned to an older revision", pinned, "pending"),
)


def measure(effort: Effort) -> Row:
    count = effort.pick(10_000, 1_000)
    settled = [in_sync(number) for number in range(count)]
    figures = []
    for kind in KINDS:
        cases = [kind.change(case) for case in settled]
        _insist(kind, cases[0].plan())
        each = min(_microseconds_each(cases) for _ in range(effort.pick(9, 2)))
        figures.append(Figure(f"planning {count:,} targets, {kind.words}", each, "µs each", budget=20, why=WHY))
    return Row(
        "Planning",
        figures,
        "The service type's pure planner and the gates, on values in memory: five releases, five proven revisions. "
        "The best of nine passes over all targets, in CPU time: what else runs can only add to it.",
    )


def _insist(kind: Kind, action: Action) -> None:
    found = (action.sync, tuple(hold.code.value for hold in action.held_by))
    if found != (kind.sync, kind.held_by):
        raise AssertionError(f"{kind.words}: the plan is {found}")


WHY = "making the plan's objects; profile with `python -m cProfile -m benchmarks planning`"


def _microseconds_each(cases: list[Case]) -> float:
    begin = time.process_time()
    for case in cases:
        case.plan()
    return (time.process_time() - begin) / len(cases) * 1e6
