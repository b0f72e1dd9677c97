"""Pages of history with what people arranged in between: in order, complete, without overlap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fraisier.cli.history_page import Page, read_page
from fraisier.model.records import HistoryFilter
from fraisier.model.selection import Branch
from fraisier.store import SqliteStore
from tests.support.stores import API, OTHER, A, B, at, deploy, open_attempt, pin, quarantine, suspension


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "fraisier.db", create=True)
    yield store
    store.close()


def page(store: SqliteStore, identifiers: Any = None, **asked: Any) -> Page:
    values: dict[str, Any] = {"limit": 20, "before": None, "events": True}
    return read_page(store, identifiers, asked.pop("chosen", HistoryFilter()), **values | asked)


def words(read: Page) -> list[str]:
    """`deploy` or the kind of event, newest first."""
    return [row.get("event") or row["action"] for row in read.rows]


@pytest.fixture
def past(store: SqliteStore) -> SqliteStore:
    deploy(store, A, 0)
    store.suspend(suspension("my_api/*", 100, by="alice"))
    store.resume(suspension("*/*").scope, "bob", at(200))
    deploy(store, B, 300)
    store.override(API, pin(A, 400, kind="try", selection=Branch("fix-x"), until=at(900)))
    store.quarantine(API, quarantine(B, 500))
    deploy(store, A, 600)
    return store


def test_without_events_there_are_deployments_only(past: SqliteStore):
    assert words(page(past, events=False)) == ["deploy"] * 3


def test_what_people_arranged_stands_between_the_deployments_newest_first(past: SqliteStore):
    read = page(past)

    assert words(read) == ["deploy", "quarantined", "pinned", "deploy", "resumed", "suspended", "deploy"]
    suspended = read.rows[5]
    assert (suspended["identifier"], suspended["by"], suspended["message"]) == ("my_api/*", "alice", "freeze")
    assert suspended["at"] == "2026-01-01T12:01:40Z"


def test_pages_neither_overlap_nor_leave_anything_out(past: SqliteStore):
    read, seen = page(past, limit=1), []
    seen += words(read)
    while read.next_before is not None:
        read = page(past, limit=1, before=read.next_before)
        seen += words(read)

    assert seen == words(page(past))


def test_a_period_bounds_events_like_deployments(past: SqliteStore):
    assert words(page(past, chosen=HistoryFilter(since=at(150), until=at(450)))) == ["pinned", "deploy", "resumed"]


def test_what_was_arranged_for_a_wider_scope_belongs_to_each_target_in_it(past: SqliteStore):
    deploy(past, A, 700, OTHER)

    assert words(page(past, [str(OTHER)])) == ["deploy", "resumed", "suspended"]


def test_the_last_page_says_that_it_is_the_last(past: SqliteStore):
    assert page(past, limit=3).next_before is None
    assert page(past, limit=2).next_before == page(past, limit=2, events=False).rows[-1]["id"]


def test_what_runs_is_shown_too(past: SqliteStore):
    open_attempt(past, OTHER, B, 800)

    (row,) = page(past, chosen=HistoryFilter(outcomes=frozenset({"running"})), events=False).rows
    assert (row["identifier"], row["status"]) == (str(OTHER), "running")
