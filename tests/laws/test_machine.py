"""Whatever happens, in whatever order, cut off at whatever effect: the laws hold, and in the end it converges.

The store is the real one on a real file, the reconciler is the real one; the machine is in memory
and outlives each power cut.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fraisier.model.config import HttpProbe
from fraisier.model.errors import ConfigFault, Refused, StoreError, Transient
from fraisier.model.state import Quarantine, Recorded, Unknown
from fraisier.reconcile.requests import rollback_payload
from fraisier.testing import Behaviour, PowerCut
from fraisier.testing.host import BREAKS, BROKEN
from tests.support.bench import Bench, scratch
from tests.support.profiles import examples

TABLES = ("tb_requests", "tb_deployments", "tb_deployment_attempts", "tb_deployment_events")
WHERE = st.sampled_from(["before", "after"])
BAD = (Behaviour.UNHEALTHY, Behaviour.ENDS, Behaviour.WONT_START, Behaviour.WONT_BUILD)
EFFECT = st.integers(1, 45)
ERRORS = ("disk_full", "configuration")


class Target(RuleBasedStateMachine):
    """One target, its remote, its service, the people around it, and the daemon that dies now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.bench: Bench
        self.reader: sqlite3.Connection
        self.pushed = 0
        self.seen_rows: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.by_hand: set[str] = set()

    @initialize(kind=st.sampled_from(["process", "systemd"]))
    def begin(self, kind: Any) -> None:
        self.bench = Bench(scratch(), kind=kind)
        self.reader = sqlite3.connect(f"file:{self.bench.folder}/server.state?mode=ro", uri=True)
        self.reader.row_factory = sqlite3.Row
        self._push(Behaviour.HEALTHY)

    def teardown(self) -> None:
        if not hasattr(self, "bench"):
            return
        try:
            self._comes_to_rest()
        finally:
            self.reader.close()
            self.bench.close()

    # -- what others do

    def _push(self, behaviour: Behaviour, onto: str | None = None) -> None:
        self.pushed += 1
        self.bench.push(f"commit {self.pushed}", behaviour=behaviour, onto=onto)

    @rule()
    def push_good(self) -> None:
        self._push(Behaviour.HEALTHY)

    @rule()
    def push_slow(self) -> None:
        self._push(Behaviour.SLOW)

    @rule(behaviour=st.sampled_from(BAD))
    def push_bad(self, behaviour: Behaviour) -> None:
        self._push(behaviour)

    @rule(back=st.integers(1, 3), fork=st.booleans())
    def rewind(self, back: int, fork: bool) -> None:
        line = list(self.bench.remote.ancestry(self._head()))
        to = line[min(back, len(line) - 1)]
        if fork:
            self._push(Behaviour.HEALTHY, onto=to)
        else:
            self.bench.remote.branches["main"] = to

    def _head(self) -> str:
        known = self.bench.remote.branches.get("main")
        return known or next(reversed(self.bench.remote.parents))

    @rule()
    def delete_the_branch(self) -> None:
        self.bench.remote.branches.pop("main", None)

    @rule()
    def break_or_heal_the_remote(self) -> None:
        self.bench.remote.reachable = not self.bench.remote.reachable

    @rule()
    def lose_the_mirror(self) -> None:
        self.bench.host.git.mirrors.clear()

    @rule(itself=st.booleans())
    def kill_the_service(self, itself: bool) -> None:
        services, unit = self.bench.host.services, self.bench.target.service.unit
        services.restart_itself(unit) if itself else services.kill(unit)

    @rule()
    def remove_what_runs_by_hand(self) -> None:
        app = self.bench.host.releases.app(self.bench.target.app_path)
        if app.current is not None:
            self.by_hand.add(app.current)
            self.bench.host.releases.lose_directory(self.bench.target.app_path, app.current)

    @rule(facet=st.sampled_from(["releases", "services"]))
    def make_unreadable_or_heal(self, facet: str) -> None:
        part = getattr(self.bench.host, facet)
        part.unreadable = None if part.unreadable else Unknown("unreadable", "permission denied")

    @rule(value=st.integers(0, 2))
    def change_env(self, value: int) -> None:
        self.bench.configure(env={"LEVEL": str(value)})

    @rule()
    def change_env_so_that_it_breaks(self) -> None:
        self.bench.configure(env={BREAKS: "1"})

    @rule(url=st.sampled_from([BROKEN, "http://127.0.0.1:8000/"]))
    def change_the_health_check(self, url: str) -> None:
        self.change_health_check(url)

    def change_health_check(self, url: str) -> None:
        self.bench.configure(health=replace(self.bench.target.health, probe=HttpProbe(url)))

    @rule(hours=st.sampled_from([-30, -1, 1, 30]))
    def jump_clock(self, hours: int) -> None:
        self.bench.host.clock.jump(timedelta(hours=hours))

    @rule(seconds=st.integers(1, 2000))
    def wait(self, seconds: int) -> None:
        self.bench.host.clock.advance(seconds)

    # -- what people ask for

    @rule()
    def ask_force(self) -> None:
        self.bench.ask("deploy", {"force": True})

    @rule()
    def ask_retry(self) -> None:
        self.bench.ask("retry")

    @rule()
    def ask_to_accept_the_rewind(self) -> None:
        self.bench.ask("deploy", {"allow_rewind": self._head()})

    @rule()
    def ask_rollback(self) -> None:
        with suppress(Refused):
            self.bench.ask("rollback", rollback_payload(self.bench.recorded, self._head(), None))

    # -- cycles

    @rule()
    def tick(self) -> None:
        before = self.bench.serving
        self._watched(self.bench.cycle)
        # What somebody removed by hand may not be there to be returned to.
        if self.bench.recorded.healthy and before is not None and self._is_readable() and not self.by_hand:
            assert self.bench.serving is not None, "what was served before is served no more"

    @rule(seconds=st.floats(0.5, 30))
    def tick_and_be_superseded(self, seconds: float) -> None:
        self.pushed += 1
        self.bench.supersede_after(seconds, f"commit {self.pushed}")
        self._watched(self.bench.cycle)

    @rule(at=EFFECT, where=WHERE, power=st.booleans())
    def tick_and_lose_power(self, at: int, where: Any, power: bool) -> None:
        self.bench.host.faults.arm(at, where)
        with suppress(PowerCut):
            self._watched(self.bench.cycle)
        self.bench.restart(power=power)

    @rule(at=EFFECT, where=WHERE, error=st.sampled_from(ERRORS))
    def tick_with_a_fault(self, at: int, where: Any, error: str) -> None:
        self.bench.host.faults.arm(at, where, lambda: self._error(error))
        with suppress(StoreError):
            self._watched(self.bench.cycle)
        self.bench.host.faults.disarm()

    def _error(self, kind: str) -> BaseException:
        name = self.bench.host.faults.names[-1]
        if name.startswith("store."):
            return StoreError("the disk is full", code="disk_full")
        if name.startswith("git."):
            return Transient("the remote hung up", code="remote_unreachable")
        return OSError(errno.ENOSPC, "no space") if kind == "disk_full" else ConfigFault("no such user", code="no_user")

    def _is_readable(self) -> bool:
        host = self.bench.host
        return host.services.unreadable is None and host.releases.unreadable is None

    def _watched(self, cycle: Callable[[], object]) -> None:
        """What may be started by itself was decided by what was known before."""
        bench = self.bench
        before, starts, last = bench.recorded, len(bench.host.services.starts), bench.store.last_event_pk()
        deployments = self._rows("tb_deployments")
        try:
            cycle()
        finally:
            started = bench.host.services.starts[starts:]
            lifted = bench.store.events_after(last, limit=1000)
            kept = set(before.quarantines) if all(event.kind != "lifted" for event in lifted) else set()
            for start in started:
                assert not self._is_barred(start.sha, start.runtime.digest, kept), "started although in quarantine"
            wished = [row for pk, row in self._rows("tb_deployments").items() if pk not in deployments]
            for row in wished:
                self._is_no_rewind(row, {start.sha for start in started}, before)

    def _is_barred(self, sha: str, runtime: str, kept: set[Quarantine]) -> bool:
        target = self.bench.target
        if runtime != target.runtime_digest:
            return False
        return any((entry.sha, entry.config_digest) == (sha, target.config_digest) for entry in kept)

    def _is_no_rewind(self, row: sqlite3.Row, started: set[str], before: Recorded) -> None:
        sha = row["to_revision"]
        if row["action"] != "deploy" or sha not in started or not before.healthy:
            return
        accepted = sha in self.bench.recorded.rewinds
        descends = before.healthy[0].sha in self.bench.remote.ancestry(sha)
        assert accepted or descends, f"{sha} is a rewind that nobody accepted"

    # -- the laws

    def _rows(self, table: str) -> dict[int, sqlite3.Row]:
        return {row[0]: row for row in self.reader.execute(f"SELECT * FROM {table} ORDER BY 1")}

    @invariant()
    def current_never_dangles(self) -> None:
        bench = self.bench
        app = bench.host.releases.app(bench.target.app_path)
        if app.current is not None and app.current not in self.by_hand:
            assert app.current in app.marks
            assert bench.host.releases.path(bench.target.app_path, app.current) in bench.host.directories

    @invariant()
    def history_is_append_only_and_has_one_open_end(self) -> None:
        now = {(table, pk): tuple(row) for table in TABLES for pk, row in self._rows(table).items()}
        assert now.items() >= self.seen_rows.items()
        self.seen_rows = now
        closed = [row for row in self._rows("tb_deployment_events").values() if row["kind"] == "attempt_closed"]
        assert len(self._rows("tb_deployment_attempts")) - len(closed) <= 1

    @invariant()
    def healthy_names_only_what_passed_its_gate(self) -> None:
        for proven in self.bench.recorded.healthy:
            assert (proven.sha, proven.runtime_digest) in self.bench.host.prober.passed
            assert self.bench.host.behaviour(proven.sha) in (Behaviour.HEALTHY, Behaviour.SLOW)

    @invariant()
    def the_plan_explains_itself(self) -> None:
        action = self.bench.plan()
        assert all(reason.message for reason in action.reasons)
        assert action.reasons
        assert all(hold.to_go_on and hold.message for hold in action.held_by)

    @invariant()
    def there_is_no_bug_of_ours(self) -> None:
        assert self.bench.bugs == []

    def _comes_to_rest(self) -> None:
        host = self.bench.host
        host.faults.disarm()
        host.releases.unreadable = host.services.unreadable = None
        self.bench.remote.reachable = True
        self.bench.remote.branches["main"] = self._head()
        # A commit that is gone from the remote, the mirror and the disk cannot be repaired by anybody.
        host.git.mirrors[self.bench.target.remote] = set(self.bench.remote.parents)
        self.change_health_check("http://127.0.0.1:8000/")
        action = self.bench.settle(20)
        again = self.bench.plan()
        assert action.is_held or not action.steps
        assert (again.steps, again.held_by) == (action.steps, action.held_by)
        assert all(hold.to_go_on for hold in action.held_by)
        assert self.bench.bugs == []
        if action.sync == "in_sync":
            assert self.bench.serving == self.bench.remote.branches["main"]


TestTarget = pytest.mark.timeout(3600)(Target.TestCase)  # the thorough leg takes minutes
TestTarget.settings = examples(20, 400, steps=30)
