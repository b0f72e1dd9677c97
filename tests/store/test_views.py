"""The shapes that scripts rely on, and that reading them stays cheap."""

from __future__ import annotations

import sqlite3
from contextlib import closing as closed

import pytest

from fraisier.model.errors import StoreError
from fraisier.store import SqliteStore, queries
from tests.support.stores import API, OTHER, A, B, at, closing, deploy, open_attempt, quarantine, status, wish


def test_the_status_of_a_target(store: SqliteStore) -> None:
    deploy(store, A)
    store.save_status([status(desired=B, sync="pending", reason_code="head_moved", running=A, to_go_on="wait")], at(20))
    open_attempt(store, sha=B, seconds=30)

    assert store.status_rows() == [
        {
            "identifier": "my_api/production",
            "fraise": "my_api",
            "environment": "production",
            "type": "api",
            "ref": "main",
            "desired": B,
            "attempted": B,
            "healthy": A,
            "running": A,
            "sync": "pending",
            "health": "healthy",
            "operation": "running",
            "reason": {"code": "head_moved", "message": "nothing to do"},
            "to_go_on": "wait",
            "since": "2026-01-01T12:00:20.000000Z",
            "last_converged_at": "2026-01-01T12:00:10.000000Z",
            "updated_at": "2026-01-01T12:00:20.000000Z",
        }
    ]


def test_a_status_without_a_past_has_nulls(store: SqliteStore) -> None:
    store.save_status([status(OTHER, desired=None)], at(0))

    (row,) = store.status_rows(["my_api/staging"])

    assert [row[key] for key in ("desired", "attempted", "healthy", "running", "last_converged_at")] == [None] * 5
    assert row["operation"] == "idle"


def test_statuses_are_filtered_by_name(store: SqliteStore) -> None:
    store.save_status([status(API), status(OTHER)], at(0))

    assert [row["identifier"] for row in store.status_rows([str(OTHER), "no/such"])] == [str(OTHER)]
    assert store.status_rows([]) == []


def test_history_of_a_finished_deployment(store: SqliteStore) -> None:
    attempt = store.open_attempt(
        wish(sha=B, from_revision=A, trigger="request", requested_by="ada"), at=at(0), deadline_at=at(60)
    )
    store.close_attempt(attempt, closing("rolled_back", 2.5, message="HTTP 500", error_code="unhealthy"))

    assert store.history_rows() == [
        {
            "id": attempt.deployment_id,
            "identifier": "my_api/production",
            "fraise": "my_api",
            "environment": "production",
            "action": "deploy",
            "ref": "main",
            "from_revision": A,
            "to_revision": B,
            "config_digest": "c1",
            "trigger": "request",
            "requested_by": "ada",
            "status": "rolled_back",
            "outcome": "rolled_back",
            "error_code": "unhealthy",
            "message": "HTTP 500",
            "retried": False,
            "attempts": 1,
            "started_at": "2026-01-01T12:00:00.000000Z",
            "finished_at": "2026-01-01T12:00:02.500000Z",
            "duration_s": 2.5,
        }
    ]


def test_history_is_newest_first_in_pages(store: SqliteStore) -> None:
    made = [deploy(store, f"{n:040x}", n).deployment_id for n in range(5)]

    first = store.history_rows(limit=2)
    second = store.history_rows(limit=2, before=first[-1]["id"])

    assert [row["id"] for row in [*first, *second]] == made[:0:-1]


def test_history_of_some_targets_is_merged_by_time(store: SqliteStore) -> None:
    made = [deploy(store, f"{n:040x}", n, target).deployment_id for n, target in enumerate([API, OTHER, API, OTHER])]

    assert [row["id"] for row in store.history_rows([str(OTHER), str(API)], limit=3)] == made[:0:-1]
    assert [row["id"] for row in store.history_rows([str(OTHER)], before=made[3])] == [made[1]]
    assert store.history_rows([]) == []


def test_history_before_an_unknown_deployment_is_an_error(store: SqliteStore) -> None:
    with pytest.raises(StoreError) as error:
        store.history_rows(before="nothing")

    assert error.value.code == "unknown_deployment"


def test_stats_count_a_deployment_by_how_it_ended_at_last(store: SqliteStore) -> None:
    store.close_attempt(open_attempt(store, sha=A), closing("failed", 10, retried=True))
    store.close_attempt(open_attempt(store, sha=A, seconds=40), closing("converged", 60))
    store.close_attempt(open_attempt(store, sha=B, seconds=100), closing("rolled_back", 110))
    store.close_attempt(open_attempt(store, sha=A, seconds=120, action="repair"), closing("converged", 130))
    open_attempt(store, sha=B, seconds=200)

    (row,) = store.stats_rows()

    counts = ("deployments", "attempts", "running", "converged", "failed", "rolled_back", "interrupted", "superseded")
    assert [row[key] for key in counts] == [4, 5, 1, 2, 0, 1, 0, 0]
    assert row["success_rate"] == pytest.approx(2 / 3)
    assert row["average_duration_s"] == pytest.approx((30 + 10) / 2)
    assert row["average_lead_time_s"] == pytest.approx(60)
    assert row["deployments_per_day"] == pytest.approx(1)
    assert row["change_failure_rate"] == pytest.approx(1 / 2)
    assert row["average_time_to_restore_s"] == pytest.approx(20)
    assert row["failing_since"] is None


def test_stats_of_a_target_that_never_finished_divide_by_nothing(store: SqliteStore) -> None:
    open_attempt(store)

    (row,) = store.stats_rows([str(API)])

    assert [row[key] for key in ("success_rate", "average_duration_s", "change_failure_rate")] == [None] * 3


def test_quarantine_rows(store: SqliteStore) -> None:
    store.quarantine(API, quarantine(A))

    (row,) = store.quarantine_rows()

    assert len(row.pop("id")) == 36
    assert row == {
        "identifier": "my_api/production",
        "fraise": "my_api",
        "environment": "production",
        "sha": A,
        "config_digest": "c1",
        "fault": "revision",
        "message": "exit 3",
        "quarantined_at": "2026-01-01T12:00:00.000000Z",
    }


@pytest.mark.parametrize("view", ["v_fraise_status", "v_deployment_history", "v_deployment_stats", "v_quarantine"])
def test_views_have_native_keys_and_one_json_object(store: SqliteStore, path: str, view: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({view})")]

    assert {"id", "identifier", "fraise", "environment"} < set(columns)
    assert columns[-1] == "data"


# --- cost ------------------------------------------------------------------------------------

QUERIES = {
    "history of all": (queries.HISTORY_OF_ALL, (9, 20)),
    "history of some": (queries.HISTORY_OF_SOME, (9, 20, '["a/b"]')),
    "status of one": ("SELECT data FROM v_fraise_status WHERE identifier = ?", ("a/b",)),
    "events of one": (queries.EVENTS_OF_ONE, (0, "a/b", 5)),
    "events of all": (queries.EVENTS_OF_ALL, (0, 5)),
    "stats of one": ("SELECT data FROM v_deployment_stats WHERE identifier = ?", ("a/b",)),
}


@pytest.mark.parametrize("name", QUERIES)
def test_reading_never_walks_a_log(store: SqliteStore, path: str, name: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        sql, values = QUERIES[name]
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]

    grown = ("tb_", "tv_deployments", "e ", "h ")
    assert [step for step in steps if step.startswith("SCAN ") and step[5:].startswith(grown)] == []


def test_a_page_of_history_is_read_off_the_index_in_order(store: SqliteStore, path: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        newest = "SELECT * FROM v_deployment_history WHERE identifier = ? ORDER BY pk_deployment DESC LIMIT 20"
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {newest}", ("a/b",))]

    assert steps == ["SEARCH tv_deployments USING INDEX tv_deployments_by_identifier (identifier=?)"]
