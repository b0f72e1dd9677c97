"""What was live at a moment, told from the log alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing as closed
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraisier.model.names import Scope
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
    deploy,
    healthy,
    open_attempt,
    pin,
    quarantine,
    remove,
    repair,
    request,
    stop,
    suspension,
)


def then(store: SqliteStore, seconds: float, target: Any = API) -> Any:
    (row,) = store.status_at(at(seconds), [str(target)])
    return row


def test_a_row_in_full(store: SqliteStore) -> None:
    deploy(store, A, 0)
    store.quarantine(API, quarantine(C, 20))
    store.suspend(suspension("my_api/*", 25))
    attempt = open_attempt(store, sha=B, seconds=30)

    assert store.status_at(at(35)) == [
        {
            "identifier": "my_api/production",
            "fraise": "my_api",
            "environment": "production",
            "revision": A,
            "ref": "main",
            "live_since": "2026-01-01T12:00:10.000000Z",
            "healthy": True,
            "deployment": {
                "id": attempt.deployment_id,
                "action": "deploy",
                "to_revision": B,
                "started_at": "2026-01-01T12:00:30.000000Z",
            },
            "last_outcome": "converged",
            "suspended": {"by": "ada", "reason": "freeze", "since": "2026-01-01T12:00:25.000000Z"},
            "quarantined": [C],
        }
    ]


def test_what_was_live_changes_with_each_proof(store: SqliteStore) -> None:
    deploy(store, A, 0)
    deploy(store, B, 100)

    lives = [(then(store, second)["revision"], then(store, second)["healthy"]) for second in (5, 10, 109.9, 110, 9999)]

    assert lives == [(None, False), (A, True), (A, True), (B, True), (B, True)]


def test_before_anything_there_is_no_row(store: SqliteStore) -> None:
    deploy(store, A, 10)

    assert store.status_at(at(9)) == []
    assert store.status_at(at(9), [str(API)]) == []
    assert [row["identifier"] for row in store.status_at(at(10))] == [str(API)]


def test_rows_come_by_name_and_no_scope_is_a_target(store: SqliteStore) -> None:
    store.suspend(suspension("*/*", 0))
    store.suspend(suspension("my_api/*", 0))
    deploy(store, A, 10, OTHER)
    deploy(store, A, 10, API)

    assert [row["identifier"] for row in store.status_at(at(99))] == [str(API), str(OTHER)]
    assert [row["identifier"] for row in store.status_at(at(99), ["no/such", str(OTHER)])] == [str(OTHER)]
    assert store.status_at(at(99), []) == []


def test_a_request_alone_is_no_past(store: SqliteStore) -> None:
    store.add_request(request())
    assert store.take_request("r1", at(0))

    assert store.status_at(at(9)) == []


def test_live_since_is_the_first_proof_in_a_row(store: SqliteStore) -> None:
    deploy(store, A, 0)
    deploy(store, B, 100)
    deploy(store, A, 200)
    repair(store, 300)

    assert then(store, 400)["live_since"] == "2026-01-01T12:03:30.000000Z"


def test_a_failed_deployment_that_returned_leaves_the_old_one_live(store: SqliteStore) -> None:
    deploy(store, A, 0)
    store.close_attempt(open_attempt(store, sha=B, seconds=100), closing("rolled_back", 150, proven=healthy(A, 150)))

    row = then(store, 200)

    assert (row["revision"], row["last_outcome"]) == (A, "rolled_back")
    assert row["live_since"] == "2026-01-01T12:00:10.000000Z"


@pytest.mark.parametrize("outcome", ["failed", "converged"])
def test_what_was_stopped_is_not_live_until_it_is_proven_again(store: SqliteStore, outcome: str) -> None:
    deploy(store, A, 0)
    stop(store, 100, outcome)
    repair(store, 200)

    assert [then(store, second)["revision"] for second in (100, 101, 150, 201)] == [A, None, None, A]
    assert then(store, 300)["live_since"] == "2026-01-01T12:03:21.000000Z"


def test_a_failure_with_nothing_to_return_to_leaves_nothing_live(store: SqliteStore) -> None:
    stop(store, 0, "failed")

    row = then(store, 10)

    assert (row["revision"], row["healthy"], row["last_outcome"]) == (None, False, "failed")


def test_what_was_removed_is_not_live_and_still_has_a_past(store: SqliteStore) -> None:
    deploy(store, A, 0)
    remove(store, 100)

    assert (then(store, 100)["revision"], then(store, 101)["revision"]) == (A, None)

    deploy(store, A, 200)
    assert then(store, 300)["live_since"] == "2026-01-01T12:03:30.000000Z"


def test_proof_and_removal_in_one_moment_count_in_the_order_of_the_journal(store: SqliteStore) -> None:
    remove(store, 9, proven=healthy(A, 10))

    assert then(store, 10)["revision"] is None


def test_a_deployment_is_open_between_its_start_and_its_end(store: SqliteStore) -> None:
    attempt = open_attempt(store, sha=A, seconds=10)
    store.close_attempt(attempt, closing("failed", 20, retried=True, back_off=back_off()))
    again = open_attempt(store, sha=A, seconds=40)
    store.close_attempt(again, closing("converged", 50, proven=healthy(A, 50)))

    told = [then(store, second)["deployment"] for second in (10, 20, 45, 50)]

    assert [row and row["id"] for row in told] == [attempt.deployment_id, None, attempt.deployment_id, None]
    assert told[2]["started_at"] == "2026-01-01T12:00:10.000000Z"
    assert then(store, 45)["last_outcome"] == "failed"
    assert then(store, 15)["last_outcome"] is None


def test_quarantine_lasts_until_it_is_lifted(store: SqliteStore) -> None:
    store.quarantine(API, quarantine(A, 0))
    store.quarantine(API, quarantine(B, 1))
    store.quarantine(API, quarantine(None, 2, fault="configuration"))
    store.lift(API, "ada", at(10), sha=A)
    store.quarantine(API, quarantine(C, 20))
    store.lift(API, "ada", at(30))
    store.quarantine(API, quarantine(A, 40))

    told = [then(store, second)["quarantined"] for second in (0, 5, 10, 25, 30, 40)]

    assert told == [[A], [B, A], [B], [C, B], [], [A]]


def test_suspension_is_told_by_the_narrowest_scope(store: SqliteStore) -> None:
    deploy(store, A, -100)
    store.suspend(suspension("*/*", 0, by="ann"))
    store.suspend(suspension("my_api/*", 10, by="bob"))
    store.suspend(suspension(str(API), 20, by="cy", until=at(30)))
    store.resume(Scope("my_api"), "dan", at(40))
    store.suspend(suspension("my_api/*", 45, by="eve"))
    store.resume(Scope(), "dan", at(50))

    told = [then(store, second)["suspended"] for second in (-1, 0, 15, 25, 30, 42, 47, 50)]

    assert [row and row["by"] for row in told] == [None, "ann", "bob", "cy", "bob", "ann", "eve", None]


def test_resuming_less_than_was_suspended_ends_nothing(store: SqliteStore) -> None:
    deploy(store, A, 0)
    store.suspend(suspension("my_api/*", 20))
    store.suspend(suspension(str(OTHER), 20))

    assert store.resume(Scope.of(OTHER), "dan", at(30)) == 1

    assert then(store, 40)["suspended"]["since"] == "2026-01-01T12:00:20.000000Z"


def test_projections_are_not_asked(store: SqliteStore, path: str) -> None:
    deploy(store, A, 0)
    store.quarantine(API, quarantine(C, 20))
    store.suspend(suspension(seconds=25))
    before = store.status_at(at(50))
    with closed(sqlite3.connect(path)) as connection, connection:
        [connection.execute(f"DELETE FROM {table}") for table in DERIVED]

    assert store.status_at(at(50)) == before


def test_the_noise_of_attempts_is_not_read(store: SqliteStore, path: str) -> None:
    deploy(store, A, 0)
    quiet = _work(store)

    attempt = open_attempt(store, sha=B, seconds=100)
    for number in range(300):
        store.note(attempt, "x", at(100 + number / 1000))
        store.step_started(attempt, number, "build", "make", at(100 + number / 1000))

    assert 0 < _work(store) <= quiet * 1.2


def _work(store: SqliteStore) -> int:
    """How many instructions of SQLite's machine the question takes: no clock, so no noise."""
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    with store._readers.snapshot() as connection:
        connection.set_progress_handler(count, 1)
    store.status_at(at(1000))
    with store._readers.snapshot() as connection:
        connection.set_progress_handler(None, 1)
    return steps[0]


events = st.lists(st.sampled_from(["deploy A", "deploy B", "fail", "stop", "remove", "pin"]), max_size=8)


@given(done=events)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_past_moment_is_told_as_it_was_told_then(tmp_path_factory: Any, done: list[str]) -> None:
    """What is written later does not change what was so before."""
    path = tmp_path_factory.mktemp("past") / "state"
    with closed(SqliteStore.open(str(path), create=True)) as store:
        told = []
        for number, what in enumerate(done):
            _do(store, what, number * 100)
            told.append(store.status_at(at(number * 100 + 50)))
        assert [store.status_at(at(number * 100 + 50)) for number in range(len(done))] == told


def _do(store: SqliteStore, what: str, second: float) -> None:
    if what.startswith("deploy"):
        deploy(store, A if what.endswith("A") else B, second)
    elif what == "fail":
        store.close_attempt(open_attempt(store, sha=C, seconds=second), closing("failed", second + 5))
    elif what == "stop":
        stop(store, second, "failed")
    elif what == "remove":
        remove(store, second)
    else:
        store.override(API, pin(A, second))
