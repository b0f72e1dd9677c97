"""Quarantine, lift, rewinds, force, heads, requests, status."""

from __future__ import annotations

import sqlite3
from contextlib import closing as closed

import pytest

from fraisier.model.errors import StoreError
from fraisier.model.names import Scope
from fraisier.model.selection import Branch, Exact, Pick, TagRange
from fraisier.model.state import Head
from fraisier.store import SqliteStore
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
    open_attempt,
    quarantine,
    request,
    status,
)


def test_a_quarantine_is_keyed_by_revision_and_configuration(store: SqliteStore) -> None:
    store.quarantine(API, quarantine(A))
    store.quarantine(API, quarantine(A, config_digest="c2"))
    store.quarantine(API, quarantine(None, fault="configuration"))
    store.quarantine(API, quarantine(A, 9, message="again"))

    assert store.recorded(API).quarantines == (
        quarantine(A, 9, message="again"),
        quarantine(None, fault="configuration"),
        quarantine(A, config_digest="c2"),
    )
    assert store.recorded(OTHER).quarantines == ()


def test_a_lift_ends_all_quarantines_and_the_back_off(store: SqliteStore) -> None:
    store.quarantine(API, quarantine(A))
    store.quarantine(API, quarantine(B))
    store.quarantine(OTHER, quarantine(A))
    store.close_attempt(open_attempt(store, sha=C), closing("failed", back_off=back_off(C), retried=True))

    assert store.lift(API, "ada", at(5)) == 3

    assert store.recorded(API).quarantines == ()
    assert store.recorded(API).back_off is None
    assert len(store.recorded(OTHER).quarantines) == 1


def test_a_lift_of_one_revision_leaves_the_others(store: SqliteStore) -> None:
    store.quarantine(API, quarantine(A))
    store.quarantine(API, quarantine(B))
    store.quarantine(API, quarantine(None))
    store.close_attempt(open_attempt(store, sha=B), closing("failed", back_off=back_off(B), retried=True))

    assert store.lift(API, "ada", at(5), sha=A) == 2

    assert store.recorded(API).quarantines == (quarantine(B),)
    assert store.recorded(API).back_off == back_off(B)


def test_lifting_nothing_is_not_an_event(store: SqliteStore) -> None:
    assert store.lift(API, "ada", at(0)) == 0
    assert store.last_event_pk() == 0


def test_an_accepted_rewind_is_remembered_by_name(store: SqliteStore) -> None:
    store.accept_rewind(API, A, "ada", at(0))
    store.accept_rewind(API, A, "bob", at(1))

    assert store.recorded(API).rewinds == {A}


def test_recorded_all_is_every_recorded(store: SqliteStore) -> None:
    deploy(store, A)
    store.quarantine(OTHER, quarantine(B))

    assert store.recorded_all() == {API: store.recorded(API), OTHER: store.recorded(OTHER)}


# --- heads -----------------------------------------------------------------------------------


def test_a_selection_that_was_asked_for_and_came_to_nothing_is_gone(store: SqliteStore) -> None:
    main, dev, old, tag = Branch("main"), Branch("dev"), Branch("old"), TagRange("v1.*")
    seen = {main: Pick("main", A), dev: Pick("dev", B), old: Pick("old", C), tag: Pick("v1.4.2", A)}
    store.save_heads("origin", seen, list(seen), at(0))
    store.save_heads("origin", {main: Pick("main", B), tag: Pick("v1.5.0", C)}, [main, dev, tag], at(1))

    assert store.heads("origin") == {
        "refs/heads/main": Head("main", B, at(1)),
        "refs/heads/old": Head("old", C, at(0)),
        "tag:v1.*": Head("v1.5.0", C, at(1)),
    }
    assert store.heads("elsewhere") == {}


def test_a_branch_and_a_tag_of_one_name_are_two_heads(store: SqliteStore) -> None:
    seen = {Branch("v1"): Pick("v1", A), TagRange("v1"): Pick("v1", B), Exact(C): Pick("", C)}

    store.save_heads("origin", seen, seen, at(0))

    assert {key: head.sha for key, head in store.heads("origin").items()} == {
        "refs/heads/v1": A,
        "tag:v1": B,
        f"commit:{C}": C,
    }


# --- requests --------------------------------------------------------------------------------


def test_a_request_is_taken_by_exactly_one(store: SqliteStore) -> None:
    asked = request(payload={"force": True})
    store.add_request(asked)
    assert list(store.pending_requests()) == [asked]

    assert [store.take_request("r1", at(1)), store.take_request("r1", at(1))] == [True, False]

    assert store.pending_requests() == []
    assert list(store.taken_requests()) == [asked]
    assert store.request_state("r1") == ("taken", "")


def test_an_answered_request_is_over(store: SqliteStore) -> None:
    store.add_request(request())

    store.answer_request("r1", "refused", "no such branch", at(1))

    assert (list(store.pending_requests()), list(store.taken_requests())) == ([], [])
    assert store.request_state("r1") == ("refused", "no such branch")
    assert store.take_request("r1", at(2)) is False


def test_requests_come_oldest_first(store: SqliteStore) -> None:
    store.add_request(request("z"))
    store.add_request(request("a", OTHER, kind="retry"))

    assert [asked.id for asked in store.pending_requests()] == ["z", "a"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("identifier", "nonsense"),
        ("requested_at", "yesterday"),
        ("requested_at", "2026-01-02T03:04:05"),
        ("payload", "[1]"),
        ("kind", "dance"),
    ],
)
def test_a_row_that_is_no_request_holds_up_nobody_elses(store: SqliteStore, path: str, column: str, value: str) -> None:
    row = {
        "id": "bad",
        "identifier": "a/b",
        "kind": "deploy",
        "requested_by": "",
        "requested_at": "2026-01-02T03:04:05Z",
        "payload": "{}",
    } | {column: value}
    with closed(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            f"INSERT INTO tb_requests ({', '.join(row)}) VALUES (?, ?, ?, ?, ?, ?)",
            tuple(row.values()),
        )
    store.add_request(request("good"))

    assert [asked.id for asked in store.pending_requests()] == ["good"]


def test_the_same_request_is_not_recorded_twice(store: SqliteStore) -> None:
    store.add_request(request())

    with pytest.raises(StoreError) as refusal:
        store.add_request(request())

    assert refusal.value.code == "store_refused"


def test_an_unknown_request_has_no_state(store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="no request x"):
        store.request_state("x")


@pytest.mark.parametrize("scope", ["my_api/*", "*/*"])
def test_a_request_may_be_about_more_than_one_target(store: SqliteStore, scope: str) -> None:
    asked = request(scope=Scope.parse(scope), kind="suspend", payload={"reason": "freeze"})

    store.add_request(asked)
    assert list(store.pending_requests()) == [asked]

    assert store.take_request("r1", at(1))
    store.answer_request("r1", "done", "suspended", at(2))
    assert store.request_state("r1") == ("done", "suspended")


# --- status ----------------------------------------------------------------------------------


def test_since_moves_with_the_reason_and_not_with_its_words(store: SqliteStore) -> None:
    store.save_status([status()], at(0))
    store.save_status([status(reason_message="still nothing to do")], at(1))
    assert store.status_rows()[0]["since"] == "2026-01-01T12:00:00.000000Z"

    store.save_status([status(sync="pending", reason_code="head_moved")], at(2))

    assert store.status_rows()[0]["since"] == "2026-01-01T12:00:02.000000Z"


def test_a_status_that_is_kept_already_is_not_written(store: SqliteStore, path: str) -> None:
    store.save_status([status(), status(OTHER)], at(0))
    store.close()
    again = SqliteStore.open(path)

    again.save_status([status(), status(OTHER, health="stopped")], at(5))

    assert [row["updated_at"][17:19] for row in again.status_rows()] == ["00", "05"]
    again.close()
