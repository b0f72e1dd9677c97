"""The store against a model of it in a page of Python, and projections against the log (law 20)."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing as closed
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from fraisier.model.errors import AttemptOpen
from fraisier.model.names import TargetId
from fraisier.model.records import Attempt
from fraisier.model.state import HEALTHY_KEPT, BackOff, HealthyRevision, OpenGate, Quarantine, Recorded
from fraisier.store import SqliteStore
from fraisier.store.rebuild import DERIVED
from tests.support.stores import API, OTHER, A, B, C, at, back_off, closing, gate, healthy, quarantine, request, wish

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
    open: Attempt | None = None
    ended: list[tuple[Any, str, bool]] = field(default_factory=list)
    """(wish, outcome, retried) of each deployment, oldest first."""

    def recorded(self) -> Recorded:
        return Recorded(
            tuple(self.healthy),
            self.attempted,
            tuple(self.quarantines),
            self.back_off,
            self.gate,
            frozenset(self.rewinds),
            self.forced,
        )

    def prove(self, proven: HealthyRevision) -> None:
        key = (proven.sha, proven.build_digest, proven.runtime_digest)
        others = [h for h in self.healthy if (h.sha, h.build_digest, h.runtime_digest) != key]
        self.healthy = [proven, *others][:HEALTHY_KEPT]
        self.back_off = None


class StoreMachine(RuleBasedStateMachine):
    pending = Bundle("pending")

    @initialize()
    def create(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "server.state")
        self.store = SqliteStore.open(self.path, create=True)
        self.past: dict[TargetId, Past] = {API: Past(), OTHER: Past()}
        self.now = 0.0
        self.asked = 0

    def tick(self) -> float:
        self.now += 1
        return self.now

    @rule(where=targets, sha=shas, digest=digests)
    def open(self, where: TargetId, sha: str, digest: str) -> None:
        past, wanted = self.past[where], wish(where, sha, config_digest=digest)
        try:
            attempt = self.store.open_attempt(wanted, at=at(self.tick()), deadline_at=at(self.now + 60))
        except AttemptOpen:
            assert past.open
            return
        assert not past.open
        past.open, past.attempted = attempt, sha
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

    @rule(where=targets, outcome=outcomes, sha=st.none() | shas, backs_off=st.booleans(), retried=st.booleans())
    def close(self, where: TargetId, outcome: str, sha: str | None, backs_off: bool, retried: bool) -> None:
        past = self.past[where]
        if not past.open:
            return
        proven = healthy(sha, self.tick()) if sha else None
        next_try = back_off(B) if backs_off else None
        self.store.close_attempt(
            past.open, closing(outcome, self.tick(), proven=proven, back_off=next_try, retried=retried)
        )
        past.open = None
        past.ended[-1] = (past.ended[-1][0], outcome, retried)
        if proven:
            past.prove(proven)
        if outcome in ("converged", "rolled_back"):
            past.back_off = None
        past.back_off = next_try or past.back_off
        if outcome != "interrupted":
            past.gate, past.forced = None, False

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
            assert self.store.recorded(target) == past.recorded()
            history = self.store.history_rows([str(target)], limit=100)
            assert [row["status"] for row in history] == [outcome for _, outcome, _ in reversed(past.ended)]

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
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStore = pytest.mark.slow(StoreMachine.TestCase)


def test_every_projection_is_either_derived_or_observed(store: SqliteStore, path: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'tv_*'")
        assert {name for (name,) in tables} == {*DERIVED, "tv_fraise_status", "tv_heads"}
