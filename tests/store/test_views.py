"""The shapes that scripts rely on, and that reading them stays cheap."""

from __future__ import annotations

import sqlite3
from contextlib import closing as closed

import pytest

from fraisier.model.errors import StoreError
from fraisier.model.plan import Drift, Hold, ReasonCode
from fraisier.model.selection import Branch
from fraisier.model.state import Override
from fraisier.store import SqliteStore, figures, past, queries
from tests.support.stores import (
    API,
    OTHER,
    A,
    B,
    at,
    closing,
    deploy,
    open_attempt,
    quarantine,
    status,
    suspension,
    wish,
)


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
            "held_by": [],
            "drift": [],
            "suspended": None,
            "override": None,
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


def test_a_status_tells_what_holds_it_and_what_people_arranged(store: SqliteStore, path: str) -> None:
    told = status(
        held_by=(
            Hold(ReasonCode.WINDOW, "outside of office", "wait, or: --emergency", at(60)),
            Hold(ReasonCode.REWIND, "main was rewound", "--allow-rewind"),
        ),
        drift=(Drift("unit", "as installed", "changed"),),
        suspension=suspension("my_api/*", 3, until=at(90), stop=True),
        override=Override("try", Branch("fix"), "bob", at(4), "does it help?", at(99)),
    )

    store.save_status([told], at(5))

    (row,) = store.status_rows()
    assert row["held_by"] == [
        {
            "code": "window",
            "message": "outside of office",
            "to_go_on": "wait, or: --emergency",
            "until": "2026-01-01T12:01:00.000000Z",
        },
        {"code": "rewind", "message": "main was rewound", "to_go_on": "--allow-rewind", "until": None},
    ]
    assert row["drift"] == [{"field": "unit", "desired": "as installed", "observed": "changed"}]
    assert row["suspended"] == {
        "scope": "my_api/*",
        "reason": "freeze",
        "by": "ada",
        "at": "2026-01-01T12:00:03.000000Z",
        "until": "2026-01-01T12:01:30.000000Z",
        "stop": True,
    }
    assert row["override"] == {
        "kind": "try",
        "selection": {"kind": "branch", "value": "fix"},
        "by": "bob",
        "at": "2026-01-01T12:00:04.000000Z",
        "until": "2026-01-01T12:01:39.000000Z",
        "reason": "does it help?",
    }
    with closed(SqliteStore.open(path)) as again:
        again.save_status([told], at(50))  # read back, it is the same: not written
        assert again.status_rows() == [row]


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
            "because": ["branch main moved"],
            "retried": False,
            "attempts": 1,
            "started_at": "2026-01-01T12:00:00.000000Z",
            "finished_at": "2026-01-01T12:00:02.500000Z",
            "duration_s": 2.5,
            "lead_time_s": None,
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
    "status of one": ("SELECT data FROM v_fraise_status WHERE identifier = ?", ("a/b",)),
    "events of one": (queries.EVENTS_OF_ONE, (0, "a/b", 5)),
    "events of all": (queries.EVENTS_OF_ALL, (0, 5)),
    "stats of all": (figures.STATS_OF_ALL, ("30d",)),
    "stats of some": (figures.STATS_OF_SOME, ("24h", '["a/b"]')),
    "durations": (figures.DURATIONS, ('["a/b"]', '["deploy"]', 5)),
    "declared": (figures.DECLARED, ("a/b",)),
    "what was live": (past.OF_KIND, ("a/b", "proven_healthy", "2026")),
    "what was stopped": (past.STOPPED, ("a/b", "2026")),
    "what was open": (past.OPEN, (1, "2026")),
}


@pytest.mark.parametrize("name", QUERIES)
def test_reading_never_walks_a_log(store: SqliteStore, path: str, name: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        sql, values = QUERIES[name]
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]

    assert [step for step in steps if step.startswith("SCAN ") and step[5:].startswith(GROWN)] == []


GROWN = ("tb_", "tv_deployment", "e ", "h ", "d ")


def test_only_lines_that_tell_something_are_read_of_the_past(store: SqliteStore, path: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        kind = connection.execute(f"EXPLAIN QUERY PLAN {past.OF_KIND}", ("a/b", "removed", "2026")).fetchall()
        stop = connection.execute(f"EXPLAIN QUERY PLAN {past.STOPPED}", ("a/b", "2026")).fetchall()
        names = connection.execute(f"EXPLAIN QUERY PLAN {past.TARGETS}").fetchall()

    assert [row[3].partition("USING ")[2] for row in kind] == [
        "INDEX tb_deployment_events_by_kind (identifier=? AND kind=? AND at<?)"
    ]
    assert [row[3].partition("USING ")[2] for row in stop] == [
        "INDEX tb_deployment_events_stopped (identifier=? AND at<?)"
    ]
    walked = [row[3] for row in names if "tb_deployment_events" in row[3]]
    assert walked == [
        "SEARCH tb_deployment_events USING COVERING INDEX tb_deployment_events_by_kind",
        "SEARCH tb_deployment_events USING COVERING INDEX tb_deployment_events_by_kind (identifier>?)",
    ]


def test_statistics_of_one_are_read_off_its_own_days(store: SqliteStore, path: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        one = "SELECT data FROM v_deployment_stats WHERE identifier = ? AND \"window\" = '7d'"
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {one}", ("a/b",))]

    assert "SEARCH tv_deployment_days USING PRIMARY KEY (identifier=? AND day>? AND day<?)" in steps
    assert "SEARCH tv_deployments USING INDEX tv_deployments_by_identifier (identifier=? AND pk_deployment>?)" in steps


def test_a_page_of_history_is_read_off_the_index_in_order(store: SqliteStore, path: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        newest = "SELECT * FROM v_deployment_history WHERE identifier = ? ORDER BY pk_deployment DESC LIMIT 20"
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {newest}", ("a/b",))]

    assert steps[0] == "SEARCH tv_deployments USING INDEX tv_deployments_by_identifier (identifier=?)"
    assert not any(step.startswith(("SCAN tv", "SCAN tb", "USE TEMP")) for step in steps)
