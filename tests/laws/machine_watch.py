"""What must hold of one cycle, judged by what was known before it began."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fraisier.model.config import ApiTarget
from fraisier.model.state import HealthyRevision, Quarantine, Recorded
from fraisier.planning.standing import lineage_base, standing_at
from fraisier.planning.windows import closed
from fraisier.testing.services import Started
from tests.laws.machine_world import DB, World

LONGEST_CYCLE = 120.0
"""Seconds on the clock that never jumps: a trial to its deadline, the way back, and what steps take."""
_CHANGES = ("deploy", "reconfigure")


@dataclass(frozen=True)
class Before:
    """As it was when the cycle began, with everything that had been asked for."""

    recorded: Recorded
    now: datetime
    monotonic: float
    starts: int
    deployments: set[int]
    attempts: set[int]
    last_event: int
    in_place: str | None
    """The SHA that `current` leads to."""
    is_ready: bool
    """Whether what it depends on was healthy at its desired revision."""
    disk: object


class Watched(World):
    def watched(self, cycle: Callable[[], object], target: ApiTarget | None = None) -> None:
        target = target or self.shop
        self.bench.desk.receive()
        before = self._before(target)
        try:
            cycle()
        finally:
            self._judge(target, before)

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.watched(self.bench.cycle)

    def _before(self, target: ApiTarget) -> Before:
        bench, clock = self.bench, self.bench.host.clock
        app = bench.host.releases.app(target.app_path)
        mark = app.marks.get(app.current or "")
        return Before(
            standing_at(bench.store.recorded(target.id), clock.now()),
            clock.now(),
            clock.monotonic(),
            len(bench.host.services.starts),
            set(self.rows("tb_deployments")),
            set(self.rows("tb_deployment_attempts")),
            bench.store.last_event_pk(),
            mark.sha if mark is not None else None,
            self._is_ready(),
            self._disk(target),
        )

    def _disk(self, target: ApiTarget) -> object:
        app = self.bench.host.releases.app(target.app_path)
        return app.current, app.stamp, sorted(app.marks), sorted(app.runtimes), dict(self.bench.host.services.installed)

    def _is_ready(self) -> bool:
        """Law 15, in its own words."""
        recorded = standing_at(self.bench.store.recorded(DB.id), self.bench.host.clock.now())
        head = self.bench.store.heads(DB.remote).get(DB.selection.key)
        stopped = any(each.stop for each in recorded.suspensions)
        healthy = bool(recorded.healthy) and head is not None and recorded.healthy[0].sha == head.sha
        return healthy and not stopped

    # -- judging

    def _judge(self, target: ApiTarget, before: Before) -> None:
        started = self.bench.host.services.starts[before.starts :]
        mine = [start for start in started if start.unit == target.service.unit]
        assert len(mine) == len(started), "another target's service was started"
        self._has_its_deadlines(before)
        self._leaves_the_suspended_alone(target, before, mine)
        self._starts_nothing_that_is_barred(target, before, mine)
        for pk, row in self.rows("tb_deployment_attempts").items():
            if pk not in before.attempts:
                deployment = self.rows("tb_deployments")[row["fk_deployment"]]
                self._may_begin(target, before, deployment, datetime.fromisoformat(row["started_at"]))
        for pk, row in self.rows("tb_deployments").items():
            if pk not in before.deployments:
                self._is_explained(target, row)
                self._is_no_rewind(target, row, {start.sha for start in mine}, before)

    def _has_its_deadlines(self, before: Before) -> None:
        """Laws 12 and 19: no jump of the clock makes anything last."""
        assert self.bench.host.clock.monotonic() - before.monotonic <= LONGEST_CYCLE

    def _leaves_the_suspended_alone(self, target: ApiTarget, before: Before, started: list[Started]) -> None:
        suspensions = before.recorded.suspensions
        if not suspensions:
            return
        assert started == [], "started although suspended"
        if not any(each.stop for each in suspensions):
            assert self._disk(target) == before.disk, "changed although suspended"

    def _starts_nothing_that_is_barred(self, target: ApiTarget, before: Before, started: list[Started]) -> None:
        lifted = self.bench.store.events_after(before.last_event, limit=1000)
        kept = set(before.recorded.quarantines) if all(event.kind != "lifted" for event in lifted) else set()
        proven = {each.sha for each in before.recorded.healthy}
        signed = self.bench.host.git.remote(target.remote).signed
        for start in started:
            assert not _is_barred(target, start, kept), "started although in quarantine"
            assert target.verify is None or start.sha in signed or start.sha in proven, "started although not signed"

    def _may_begin(self, target: ApiTarget, before: Before, row: sqlite3.Row, at: datetime) -> None:
        """Nothing new begins while a window, a missing approval or a dependency forbids it."""
        if row["action"] not in _CHANGES:
            return
        sha, recorded = row["to_revision"], before.recorded
        is_proven = bool(recorded.healthy) and _is_what_was(target, sha, recorded.healthy[0])
        unfinished = row["action"] == "deploy" and before.in_place == sha and not is_proven
        returns = (
            recorded.override is None
            and bool(recorded.healthy)
            and recorded.healthy[0].is_chosen
            and any(_is_what_was(target, sha, proven) for proven in recorded.healthy)
        )
        passes = unfinished or returns
        emergency = recorded.emergency is not None and recorded.emergency.sha == sha
        assert passes or emergency or closed(target.windows, at) is None, "begun while a window forbids it"
        assert passes or not target.approval or self._is_approved(sha, recorded), "begun although nobody approved it"
        assert target.id == DB.id or before.is_ready, "begun before what it depends on was healthy"

    def _is_approved(self, sha: str, recorded: Recorded) -> bool:
        approval = recorded.approval
        return approval is not None and self.approved.get(approval.hash) == self.deployment(sha, recorded)

    def _is_explained(self, target: ApiTarget, row: sqlite3.Row) -> None:
        """Law 16; and only drift that is to be repaired is acted on."""
        reasons = self.reasons_of(row)
        assert reasons
        assert all(reason["code"] and reason["message"] for reason in reasons)
        field: Any = reasons[0].get("field")
        if row["action"] == "repair" and field is not None:
            assert target.on_drift.of(field) == "repair", f"{field} was repaired"

    def _is_no_rewind(self, target: ApiTarget, row: sqlite3.Row, started: set[str], before: Before) -> None:
        sha, recorded, base = row["to_revision"], before.recorded, lineage_base(before.recorded)
        if row["action"] != "deploy" or sha not in started or base is None or recorded.override is not None:
            return
        if recorded.healthy[0].sha == sha:
            return
        accepted = sha in self.bench.store.recorded(target.id).rewinds | recorded.rewinds
        descends = base.sha in self.bench.host.git.remote(target.remote).ancestry(sha)
        assert accepted or descends, f"{sha} is a rewind that nobody accepted"


def _is_barred(target: ApiTarget, start: Started, kept: set[Quarantine]) -> bool:
    if start.runtime.digest != target.runtime_digest:
        return False
    return any((entry.sha, entry.config_digest) == (start.sha, target.config_digest) for entry in kept)


def _is_what_was(target: ApiTarget, sha: str, proven: HealthyRevision) -> bool:
    declared = (target.build_digest, target.runtime_digest)
    return (proven.sha, proven.build_digest, proven.runtime_digest) == (sha, *declared)
