"""The world of the stateful machine: two targets, what was seen of it before, and what must hold after every rule."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from fraisier.model.config import ApiTarget, HttpProbe, OnDrift, Window
from fraisier.model.names import Scope
from fraisier.model.plan import Action
from fraisier.model.state import Recorded
from fraisier.planning.back_off import LONGEST, SPREAD
from fraisier.testing import Behaviour, api_target
from fraisier.testing.clock import START
from fraisier.testing.git import FakeRemote
from fraisier.testing.host import BREAKS, BROKEN
from tests.support.bench import Bench, scratch

TABLES = ("tb_requests", "tb_deployments", "tb_deployment_attempts", "tb_deployment_events")
BAD = (Behaviour.UNHEALTHY, Behaviour.ENDS, Behaviour.WONT_START, Behaviour.WONT_BUILD)
SOUND = "http://127.0.0.1:8000/"
DB = api_target("db/production")

PARIS = ZoneInfo("Europe/Paris")
WEEKDAYS = frozenset[Any]({"mon", "tue", "wed", "thu", "fri"})
CALENDARS: tuple[tuple[Window, ...], ...] = (
    (),
    (),
    (Window("office", "allow", WEEKDAYS, time(9), time(18), PARIS),),
    (Window("night", "deny", start=time(22), end=time(6), zone=PARIS),),
    (Window("gap", "deny", start=time(2), end=time(3), zone=PARIS), Window("office", start=time(1), zone=PARIS)),
)
BEGINNINGS = (START, datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC))
"""The last two: the evenings before the clocks of Paris change."""


class World(RuleBasedStateMachine):
    """A target, what it depends on, their remotes and services, the people around them, a daemon that dies."""

    def __init__(self) -> None:
        super().__init__()
        self.bench: Bench
        self.reader: sqlite3.Connection
        self.pushed = 0
        self.seen_rows: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.by_hand: set[str] = set()
        """Releases that somebody removed."""
        self.broken: set[str] = set()
        """Digests of configurations with which no revision can become healthy."""
        self.approved: dict[str, object] = {}
        """By the hash that was approved, what was to be deployed then and over what."""

    @initialize(
        kind=st.sampled_from(["process", "systemd"]),
        beginning=st.sampled_from(BEGINNINGS),
        windows=st.sampled_from(CALENDARS),
        approval=st.sampled_from([False, False, False, True]),
        is_deployed=st.sampled_from([True, True, False]),
    )
    def begin(self, kind: Any, beginning: datetime, windows: Any, approval: bool, is_deployed: bool) -> None:
        target = api_target(depends_on=(DB.id,), shared=("uploads",))
        self.bench = Bench(scratch(), kind=kind, target=target, others=(DB,))
        self.bench.host.clock.jump(beginning - START)
        self.reader = sqlite3.connect(f"file:{self.bench.folder}/server.state?mode=ro", uri=True)
        self.reader.row_factory = sqlite3.Row
        self.push(Behaviour.HEALTHY)
        self.push(Behaviour.HEALTHY, to=DB)
        self.bench.settle(target=DB)
        if is_deployed:
            self.bench.settle()
        self.configure(windows=windows, approval=approval)

    def teardown(self) -> None:
        if not hasattr(self, "bench"):
            return
        try:
            self.comes_to_rest()
        finally:
            self.reader.close()
            self.bench.close()

    # -- what the rules share

    @property
    def shop(self) -> ApiTarget:
        return self.bench.target

    @property
    def remotes(self) -> tuple[FakeRemote, FakeRemote]:
        return self.bench.remote, self.bench.host.git.remote(DB.remote)

    def push(self, behaviour: Behaviour, *, is_signed: bool = True, **where: Any) -> str:
        self.pushed += 1
        sha = self.bench.push(f"commit {self.pushed}", behaviour=behaviour, **where)
        if is_signed:
            self.bench.host.git.remote(where.get("to", self.shop).remote).signed.add(sha)
        return sha

    def head(self) -> str:
        known = self.bench.remote.branches.get("main")
        return known or next(reversed(self.bench.remote.parents))

    def configure(self, **changes: Any) -> None:
        self.bench.configure(**changes)
        check = self.shop.health.probe
        if BREAKS in self.shop.env or (isinstance(check, HttpProbe) and check.url == BROKEN):
            self.broken.add(self.shop.config_digest)

    def deployment(self, sha: str | None, recorded: Recorded) -> object:
        """What an approval is given for, in its own words."""
        shop, proven = self.shop, recorded.healthy[0] if recorded.healthy else None
        over = None if proven is None else (proven.sha, proven.build_digest, proven.runtime_digest)
        return sha, shop.config_digest, shop.build_digest, shop.runtime_digest, over

    def rows(self, table: str) -> dict[int, sqlite3.Row]:
        return {row[0]: row for row in self.reader.execute(f"SELECT * FROM {table} ORDER BY 1")}

    def is_readable(self) -> bool:
        host = self.bench.host
        return host.services.unreadable is None and host.releases.unreadable is None

    # -- what holds after every rule

    @invariant()
    def current_never_dangles(self) -> None:
        bench = self.bench
        app = bench.host.releases.app(self.shop.app_path)
        if app.current is not None and app.current not in self.by_hand:
            assert app.current in app.marks
            assert bench.host.releases.path(self.shop.app_path, app.current) in bench.host.directories

    @invariant()
    def history_is_append_only_and_has_one_open_end(self) -> None:
        now = {(table, pk): tuple(row) for table in TABLES for pk, row in self.rows(table).items()}
        assert now.items() >= self.seen_rows.items()
        self.seen_rows = now
        closed = [row for row in self.rows("tb_deployment_events").values() if row["kind"] == "attempt_closed"]
        assert len(self.rows("tb_deployment_attempts")) - len(closed) <= 1

    @invariant()
    def healthy_names_only_what_passed_its_gate(self) -> None:
        for target in (self.shop, DB):
            for proven in self.bench.store.recorded(target.id).healthy:
                assert (proven.sha, proven.runtime_digest) in self.bench.host.prober.passed
                assert self.bench.host.behaviour(proven.sha) in (Behaviour.HEALTHY, Behaviour.SLOW)

    @invariant()
    def only_what_is_bad_is_quarantined_for_its_own_fault(self) -> None:
        """Whatever the network, the disk, the clock and the daemon did meanwhile (law 11)."""
        for target, remote in zip((self.shop, DB), self.remotes, strict=True):
            for entry in self.bench.store.recorded(target.id).quarantines:
                if entry.fault == "revision" and entry.sha is not None and entry.config_digest not in self.broken:
                    is_bad = self.bench.host.behaviour(entry.sha) is not Behaviour.HEALTHY
                    assert is_bad or not remote.leads_to("", entry.sha), entry

    @invariant()
    def the_plan_explains_itself(self) -> None:
        action, now = self.bench.plan(), self.bench.host.clock.now()
        assert action.reasons
        assert all(reason.message for reason in action.reasons)
        for hold in (*action.held_by, *action.notes):
            assert hold.to_go_on
            assert hold.message
            if hold.code == "back_off":
                longest = max(LONGEST * (1 + SPREAD), self.shop.repairs.within)
                assert hold.until is not None
                assert now < hold.until <= now + longest
            if hold.code == "repair_budget":
                assert hold.until is not None
                assert now < hold.until <= now + self.shop.repairs.within

    @invariant()
    def there_is_no_bug_of_ours(self) -> None:
        assert self.bench.bugs == []

    # -- what holds in the end

    def comes_to_rest(self) -> None:
        """Left to itself it finds a state that it keeps; with everything lifted it serves the head, or says why not."""
        self._heal()
        self._rests(DB)
        self._rests(self.shop)
        self._lift_everything()
        db, shop = self._rests(DB), self._rests(self.shop)
        assert {hold.code.value for hold in shop.held_by} <= {"quarantined", "dependency"}
        assert db.held_by or not any(hold.code == "dependency" for hold in shop.held_by)
        if not shop.held_by:
            assert (shop.sync, self.bench.serving) == ("in_sync", self.bench.remote.branches["main"])

    def _heal(self) -> None:
        host = self.bench.host
        host.faults.disarm()
        host.clock.forget()
        host.releases.unreadable = host.services.unreadable = None
        for target, remote in zip((self.shop, DB), self.remotes, strict=True):
            remote.reachable = True
            # A commit that is gone from the remote, the mirror and the disk cannot be repaired by anybody.
            host.git.mirrors[target.remote] = set(remote.parents)
        host.releases.app(self.shop.app_path).occupied.clear()
        self.bench.remote.branches["main"] = self.head()
        self.configure(health=replace(self.shop.health, probe=HttpProbe(SOUND)), env={})

    def _lift_everything(self) -> None:
        bench, now = self.bench, self.bench.host.clock.now()
        bench.store.resume(Scope(), "ann", now)
        bench.store.end_override(self.shop.id, "ann", now)
        bench.store.accept_rewind(self.shop.id, self.head(), "ann", now)
        bench.store.lift(self.shop.id, "ann", now)
        self.configure(windows=(), approval=False, verify=None, on_drift=OnDrift())

    def _rests(self, target: ApiTarget) -> Action:
        action = self.bench.settle(25, target)
        again = self.bench.plan(target)
        assert action.is_held or not action.steps
        assert (again.steps, [hold.code for hold in again.held_by]) == (
            action.steps,
            [hold.code for hold in action.held_by],
        )
        assert self.bench.bugs == []
        return action

    def reasons_of(self, deployment: sqlite3.Row) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(deployment["plan"])["reasons"]
        return found
