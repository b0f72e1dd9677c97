"""Pages of history under filters, and that no filter makes one dear."""

from __future__ import annotations

import sqlite3
from contextlib import closing as closed
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraisier.model.plan import ACTION_KINDS
from fraisier.model.records import HistoryFilter
from fraisier.store import SqliteStore, history
from tests.support.stores import API, OTHER, A, B, at, closing, open_attempt

Made = tuple[str, str, str, str, float]
"""identifier, action, sha, status, second of the start"""


def fill(store: SqliteStore) -> list[Made]:
    """Two targets, three actions, every outcome, one of each still running."""
    made: list[Made] = []
    ends = ["converged", "failed", "rolled_back", "converged", "interrupted", "superseded", "converged"]
    for number, end in enumerate([*ends, *ends]):
        target = (API, OTHER)[number % 2]
        action, sha = ("deploy", "repair", "reconfigure")[number % 3], (A, B)[number // 3 % 2]
        attempt = open_attempt(store, target, sha, number * 10, action=action)
        store.close_attempt(attempt, closing(end, number * 10 + 5))
        made.append((str(target), action, sha, end, number * 10))
    for target in (API, OTHER):
        open_attempt(store, target, A, 500)
        made.append((str(target), "deploy", A, "running", 500))
    return made


def fits(row: Made, names: list[str] | None, chosen: HistoryFilter) -> bool:
    identifier, action, sha, status, second = row
    return (
        (names is None or identifier in names)
        and (not chosen.outcomes or status in chosen.outcomes)
        and (not chosen.actions or action in chosen.actions)
        and (not chosen.revision or sha.startswith(chosen.revision))
        and (chosen.since is None or at(second) >= chosen.since)
        and (chosen.until is None or at(second) <= chosen.until)
    )


def told(rows: Any) -> list[tuple[str, ...]]:
    return [(row["identifier"], row["action"], row["to_revision"], row["status"]) for row in rows]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with closed(SqliteStore.open(str(tmp_path_factory.mktemp("past") / "state"), create=True)) as store:
        yield store, fill(store)


moments = st.none() | st.integers(-1, 520).map(at)
filters = st.builds(
    HistoryFilter,
    st.frozensets(st.sampled_from(history.STATUSES), max_size=3),
    moments,
    moments,
    st.sampled_from(["", "a", A[:7], A, B, "abc"]),
    st.frozensets(st.sampled_from(["deploy", "repair", "reconfigure", "remove"]), max_size=2),
)
names = st.none() | st.lists(st.sampled_from([str(API), str(OTHER), "no/such"]), max_size=3)


@given(names=names, chosen=filters, limit=st.integers(1, 9))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_pages_together_are_what_fits_newest_first(filled: Any, names: Any, chosen: Any, limit: int) -> None:
    store, made = filled
    found: list[Any] = []
    while page := store.history_rows(names, limit=limit, before=found[-1]["id"] if found else None, filter=chosen):
        assert len(page) <= limit
        found += page

    assert told(found) == [row[:4] for row in reversed(made) if fits(row, names, chosen)]


def test_a_revision_is_named_by_its_beginning(store: SqliteStore) -> None:
    fill(store)

    assert {row["to_revision"] for row in store.history_rows(filter=HistoryFilter(revision="bbbb"))} == {B}
    assert store.history_rows(filter=HistoryFilter(revision="bbbbc")) == []


def test_bounds_of_time_take_their_ends_in(store: SqliteStore) -> None:
    [store.close_attempt(open_attempt(store, seconds=second), closing(seconds=second)) for second in (0, 10, 20)]

    rows = store.history_rows(filter=HistoryFilter(since=at(10), until=at(20)))

    assert [row["started_at"][17:19] for row in rows] == ["20", "10"]


FILTERS = {
    "nothing": (None, HistoryFilter()),
    "target": (["a/b"], HistoryFilter()),
    "outcome": (None, HistoryFilter(outcomes=frozenset({"failed"}))),
    "target and outcome": (["a/b"], HistoryFilter(outcomes=frozenset({"failed"}))),
    "action": (None, HistoryFilter(actions=frozenset({"repair"}))),
    "revision": (None, HistoryFilter(revision="abc")),
    "target and revision": (["a/b"], HistoryFilter(revision="abc", outcomes=frozenset({"failed"}))),
    "time": (["a/b"], HistoryFilter(since=at(0), until=at(9))),
}
INDEXES = {
    "nothing": "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    "target": "tv_deployments_by_identifier (identifier=? AND pk_deployment>? AND pk_deployment<?)",
    "outcome": "tv_deployments_by_action (action=? AND status=? AND pk_deployment>? AND pk_deployment<?)",
    "target and outcome": "tv_deployments_by_action_of_one "
    "(identifier=? AND action=? AND status=? AND pk_deployment>? AND pk_deployment<?)",
    "action": "tv_deployments_by_action (action=? AND status=? AND pk_deployment>? AND pk_deployment<?)",
    "revision": "tv_deployments_by_revision (to_revision>? AND to_revision<?)",
    "target and revision": "tv_deployments_by_revision (to_revision>? AND to_revision<?)",
    "time": "tv_deployments_by_identifier (identifier=? AND pk_deployment>? AND pk_deployment<?)",
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_page_is_read_off_an_index_in_its_order(store: SqliteStore, path: str, name: str) -> None:
    sql, values = history.query(*FILTERS[name])
    with closed(sqlite3.connect(path)) as connection:
        bounds = {"limit": 20, "before": 9, "after": 0}
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bounds | values)]

    reads = [step for step in steps if "tv_deployments" in step]
    assert all(step.startswith("SEARCH") for step in reads)
    assert any(step.endswith(INDEXES[name]) for step in reads), steps


def test_every_action_is_a_list_that_a_page_is_made_from() -> None:
    _, values = history.query(None, HistoryFilter(outcomes=frozenset({"failed"})))

    assert all(f'"{kind}"' in values["action"] for kind in ACTION_KINDS)
