"""The store against a model of it in a page of Python, and projections against the log (law 20)."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing as closed
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from fraisier.model.errors import AttemptOpen
from fraisier.model.names import Scope, TargetId
from fraisier.model.records import Attempt
from fraisier.model.selection import Branch, Exact, TagRange
from fraisier.model.state import (
    HEALTHY_KEPT,
    Approval,
    BackOff,
    Emergency,
    HealthyRevision,
    InventoryEntry,
    OpenGate,
    Override,
    Quarantine,
    Recorded,
    Suspension,
)
from fraisier.store import SqliteStore
from fraisier.store.rebuild import DERIVED
from tests.support.stores import (
    API,
    OTHER,
    A,
    B,
    C,
    at,
    back_off,
    closing,
    emergency,
    entry,
    gate,
    healthy,
    pin,
    quarantine,
    request,
    suspension,
    wish,
)

actions = st.sampled_from(["deploy", "deploy", "repair", "reconfigure", "remove"])
scopes = st.sampled_from([Scope.of(API), Scope.of(OTHER), Scope("my_api"), Scope("shop"), Scope()])
selections = st.sampled_from([Branch("main"), TagRange("v1.*"), Exact(A)])
targets = st.sampled_from([API, OTHER])
shas = st.sampled_from([A, B, C])
digests = st.sampled_from(["c1", "c2"])
outcomes = st.sampled_from(["converged", "failed", "rolled_back", "interrupted", "superseded"])


@dataclass
class Past:
    """What the store should remember of one target."""

    healthy: list[HealthyRevision] = field(default_factory=list)
    attempted: str | None = None
    quarantines: list[Quarantine] = field(default_factory=list)
    back_off: BackOff | None = None
    gate: OpenGate | None = None
    rewinds: set[str] = field(default_factory=set)
    forced: bool = False
    override: Override | None = None
    approval: Approval | None = None
    emergency: Emergency | None = None
    repairs: list[Any] = field(default_factory=list)
    inventory: InventoryEntry | None = None
    open: Attempt | None = None
    ended: list[tuple[Any, str, bool]] = field(default_factory=list)
    """(wish, outcome, retried) of each deployment, oldest first."""

    def recorded(self, suspensions: tuple[Suspension, ...]) -> Recorded:
        return Recorded(
            tuple(self.healthy),
            self.attempted,
            tuple(self.quarantines),
            self.back_off,
            self.gate,
            frozenset(self.rewinds),
            self.forced,
            suspensions,
            self.override,
            self.approval,
            self.emergency,
            tuple(self.repairs),
        )

    def prove(self, proven: HealthyRevision) -> None:
        key = (proven.sha, proven.build_digest, proven.runtime_digest)
        others = [h for h in self.healthy if (h.sha, h.build_digest, h.runtime_digest) != key]
        self.healthy = [proven, *others][:HEALTHY_KEPT]
        self.back_off = None
        self.rewinds = set()

    def settle(self, outcome: str, retried: bool, seconds: float) -> None:
        """What follows from how an attempt at the newest wish ended."""
        wanted = self.ended[-1][0]
        if outcome in ("converged", "rolled_back"):
            self.back_off = None
        if outcome != "interrupted":
            self.gate, self.forced = None, False
        if outcome == "converged":
            self.repairs = [at(seconds), *self.repairs] if wanted.action == "repair" else []
        tried = outcome in ("converged", "failed", "rolled_back") and not retried
        if tried and self.emergency and self.emergency.sha == wanted.to_revision:
            self.emergency = None

    def remove(self) -> None:
        self.healthy, self.back_off, self.gate, self.repairs, self.rewinds = [], None, None, [], set()
        self.override, self.approval, self.emergency, self.inventory = None, None, None, None


class StoreMachine(RuleBasedStateMachine):
    pending = Bundle("pending")

    @initialize()
    def create(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "server.state")
        self.store = SqliteStore.open(self.path, create=True)
        self.past: dict[TargetId, Past] = {API: Past(), OTHER: Past()}
        self.suspended: dict[Scope, Suspension] = {}
        self.now = 0.0
        self.asked = 0

    def tick(self) -> float:
        self.now += 1
        return self.now

    @rule(where=targets, action=actions, sha=shas, digest=digests, makes=st.booleans())
    def open(self, where: TargetId, action: str, sha: str, digest: str, makes: bool) -> None:
        made = entry(where, self.now, runtime_digest=digest) if makes else None
        past, wanted = self.past[where], wish(where, sha, action=action, config_digest=digest)
        try:
            wished = replace(wanted, inventory=made)
            attempt = self.store.open_attempt(wished, at=at(self.tick()), deadline_at=at(self.now + 60))
        except AttemptOpen:
            assert past.open
            return
        assert not past.open
        past.open, past.attempted = attempt, sha
        if made and (past.inventory is None or replace(past.inventory, at=made.at) != made):
            past.inventory = made
        joined = bool(past.ended) and past.ended[-1][0] == wanted and past.ended[-1][2]
        assert (attempt.number > 1) == joined
        past.ended[-1 if joined else len(past.ended) :] = [(wanted, "running", False)]

    @rule(where=targets)
    def step(self, where: TargetId) -> None:
        if attempt := self.past[where].open:
            self.store.step_started(attempt, 0, "fetch", "fetch main", at(self.tick()))
            self.store.step_finished(attempt, 0, "fetch", at(self.tick()))

    @rule(where=targets)
    def gate(self, where: TargetId) -> None:
        if attempt := self.past[where].open:
            self.past[where].gate = gate(self.tick())
            self.store.gate_opened(attempt, gate(self.now), at(self.now))

    @rule(
        where=targets,
        outcome=outcomes,
        sha=st.none() | shas,
        backs_off=st.booleans(),
        retried=st.booleans(),
        chosen=st.booleans(),
        removed=st.integers(0, 5).map(lambda number: number == 0),
    )
    def close(
        self,
        where: TargetId,
        outcome: str,
        sha: str | None,
        backs_off: bool,
        retried: bool,
        chosen: bool,
        removed: bool,
    ) -> None:
        past = self.past[where]
        if not past.open:
            return
        proven = healthy(sha, self.tick(), is_chosen=chosen) if sha else None
        next_try = back_off(B) if backs_off else None
        ending = closing(
            outcome,
            self.tick(),
            proven=proven,
            back_off=next_try,
            retried=retried,
            committed_at=at(0) if chosen else None,
            removed=removed,
        )
        self.store.close_attempt(past.open, ending)
        past.open = None
        past.ended[-1] = (past.ended[-1][0], outcome, retried)
        if proven:
            past.prove(proven)
        past.settle(outcome, retried, self.now)
        past.back_off = next_try or past.back_off
        if removed:
            past.remove()

    @rule(scope=scopes, over=st.booleans(), stops=st.booleans())
    def suspend(self, scope: Scope, over: bool, stops: bool) -> None:
        made = suspension(str(scope), self.tick(), until=at(self.now) if over else None, stop=stops)
        self.store.suspend(made)
        self.suspended[scope] = made

    @rule(scope=scopes)
    def resume(self, scope: Scope) -> None:
        ends = [each for each in self.suspended if scope in (each, Scope(each.fraise), Scope())]
        assert self.store.resume(scope, "ada", at(self.tick())) == len(ends)
        for each in ends:
            del self.suspended[each]

    @rule(where=targets, selection=selections, trial=st.booleans())
    def override(self, where: TargetId, selection: Any, trial: bool) -> None:
        made = pin(seconds=self.tick(), selection=selection)
        made = replace(made, kind="try", until=at(self.now + 9)) if trial else made
        self.store.override(where, made)
        self.past[where].override = made

    @rule(where=targets)
    def end_override(self, where: TargetId) -> None:
        assert self.store.end_override(where, "ada", at(self.tick())) == (self.past[where].override is not None)
        self.past[where].override = None

    @rule(where=targets, hash=digests)
    def approve(self, where: TargetId, hash: str) -> None:
        self.past[where].approval = Approval(hash, "ada", at(self.tick()))
        self.store.approve(where, self.past[where].approval)

    @rule(where=targets, sha=shas)
    def allow_emergency(self, where: TargetId, sha: str) -> None:
        self.past[where].emergency = emergency(sha, self.tick())
        self.store.allow_emergency(where, self.past[where].emergency)

    @rule(where=targets, sha=st.none() | shas, digest=digests)
    def quarantine(self, where: TargetId, sha: str | None, digest: str) -> None:
        entry = quarantine(sha, self.tick(), config_digest=digest)
        self.store.quarantine(where, entry, self.past[where].open)
        kept = [q for q in self.past[where].quarantines if (q.sha, q.config_digest) != (sha, digest)]
        self.past[where].quarantines = [entry, *kept]

    @rule(where=targets, sha=st.none() | shas)
    def lift(self, where: TargetId, sha: str | None) -> None:
        past = self.past[where]
        stays = [q for q in past.quarantines if sha and q.sha not in (sha, None)]
        ends = past.back_off is not None and sha in (None, past.back_off.sha)

        lifted = self.store.lift(where, "ada", at(self.tick()), sha=sha)

        assert lifted == len(past.quarantines) - len(stays) + ends
        past.quarantines, past.back_off = stays, None if ends else past.back_off
        if lifted or sha is None:
            past.repairs = []

    @rule(where=targets, sha=shas)
    def accept_rewind(self, where: TargetId, sha: str) -> None:
        self.store.accept_rewind(where, sha, "ada", at(self.tick()))
        self.past[where].rewinds.add(sha)

    @rule(where=targets)
    def force(self, where: TargetId) -> None:
        self.store.force(where, "ada", at(self.tick()))
        self.past[where].forced = True

    @rule(target=pending)
    def ask(self) -> str:
        self.asked += 1
        self.store.add_request(request(f"r{self.asked}"))
        return f"r{self.asked}"

    @rule(name=consumes(pending), taken=st.booleans())
    def answer(self, name: str, taken: bool) -> None:
        assert not taken or self.store.take_request(name, at(self.tick()))
        self.store.answer_request(name, "done", "it is", at(self.tick()))

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = SqliteStore.open(self.path)

    @precondition(lambda self: self.now > 0)
    @rule()
    def rebuild(self) -> None:
        before = projections(self.path)

        self.store.rebuild_projections()

        assert projections(self.path) == before

    @invariant()
    def remembers_the_same(self) -> None:
        for target, past in getattr(self, "past", {}).items():
            scopes = (Scope.of(target), Scope(target.fraise), Scope())
            suspensions = tuple(self.suspended[scope] for scope in scopes if scope in self.suspended)
            assert self.store.recorded(target) == past.recorded(suspensions)
            assert self.store.recorded_all().get(target, past.recorded(suspensions)) == past.recorded(suspensions)
            history = self.store.history_rows([str(target)], limit=100)
            assert [row["status"] for row in history] == [outcome for _, outcome, _ in reversed(past.ended)]

    @invariant()
    def has_the_same_inventory(self) -> None:
        made = [past.inventory for past in getattr(self, "past", {}).values() if past.inventory]
        assert not hasattr(self, "store") or self.store.inventory() == made

    @invariant()
    def counts_each_deployment_once(self) -> None:
        for target, past in getattr(self, "past", {}).items():
            rows = self.store.stats_rows([str(target)], "all")
            assert [row["deployments"] for row in rows] == ([len(past.ended)] if past.ended else [])

    @invariant()
    def at_most_one_is_open(self) -> None:
        if hasattr(self, "past"):
            expected = [past.open for past in self.past.values() if past.open]
            assert sorted(a.pk for a in self.store.open_attempts()) == sorted(a.pk for a in expected)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            before = projections(self.path)
            self.store.rebuild_projections()
            assert projections(self.path) == before
            self.store.close()
            self.folder.cleanup()


def projections(path: str) -> dict[str, list[Any]]:
    with closed(sqlite3.connect(path)) as connection:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in DERIVED}


StoreMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStore = pytest.mark.slow(StoreMachine.TestCase)


def test_the_sum_of_the_days_is_the_sum_of_all(store: SqliteStore, path: str) -> None:
    for number in range(6):
        attempt = store.open_attempt(wish(sha=A), at=at(number * 50_000), deadline_at=at(10**6))
        outcome = ("converged", "failed", "converged")[number % 3]
        proven = healthy(A, number * 50_000 + 9)
        end = closing(outcome, number * 50_000 + 9, proven=proven, committed_at=at(-5), retried=number == 1)
        store.close_attempt(attempt, end)

    columns = "deployments, attempts, busy_ms, commits, commit_ms, restores, restore_ms"
    sums = ", ".join(f"sum({column.strip()})" for column in columns.split(","))
    with closed(sqlite3.connect(path)) as connection:
        days = connection.execute(
            f"SELECT count(DISTINCT day), {sums} FROM tv_deployment_days WHERE day <> ''"
        ).fetchone()
        whole = connection.execute(f"SELECT {sums} FROM tv_deployment_days WHERE day = ''").fetchone()
        left = connection.execute("SELECT count(*) FROM tv_deployment_days WHERE status = 'running'").fetchone()[0]

    assert (days[0], days[1:]) == (4, whole)
    assert whole[:2] == (5, 6)
    assert whole[5] > 0
    assert left == 0


def test_every_projection_is_either_derived_or_observed(store: SqliteStore, path: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'tv_*'")
        assert {name for (name,) in tables} == {*DERIVED, "tv_fraise_status", "tv_heads"}
