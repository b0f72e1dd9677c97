"""Deployments, attempts and what a closing leaves behind."""

from __future__ import annotations

import pytest

from fraisier.model.errors import AttemptOpen, StoreError
from fraisier.model.state import HEALTHY_KEPT, Recorded
from fraisier.store import SqliteStore
from tests.support.stores import (
    API,
    OTHER,
    A,
    B,
    at,
    back_off,
    closing,
    deploy,
    gate,
    healthy,
    open_attempt,
    quarantine,
    request,
)


def test_a_target_without_a_past_is_recorded_as_nothing(store: SqliteStore) -> None:
    assert store.recorded(API) == Recorded()
    assert store.recorded_all() == {}


def test_an_open_attempt_is_what_was_asked_for(store: SqliteStore) -> None:
    attempt = open_attempt(store)

    assert attempt.number == 1
    assert list(store.open_attempts()) == [attempt]
    assert store.recorded(API).attempted == A


def test_a_second_open_attempt_is_refused_and_leaves_no_deployment(store: SqliteStore) -> None:
    first = open_attempt(store)

    with pytest.raises(AttemptOpen, match="my_api/production") as refusal:
        open_attempt(store, sha=B)

    assert refusal.value.code == "attempt_open"
    assert [row["id"] for row in store.history_rows()] == [first.deployment_id]
    assert store.recorded(API).attempted == A


def test_attempts_at_two_targets_are_open_side_by_side(store: SqliteStore) -> None:
    open_attempt(store, API)
    open_attempt(store, OTHER)

    assert [attempt.target for attempt in store.open_attempts()] == [API, OTHER]


def test_a_closed_attempt_makes_room_for_the_next(store: SqliteStore) -> None:
    store.close_attempt(open_attempt(store), closing("failed"))

    assert open_attempt(store, sha=B).number == 1
    assert len(store.open_attempts()) == 1


def test_an_attempt_closes_once(store: SqliteStore) -> None:
    attempt = open_attempt(store)
    store.close_attempt(attempt, closing("failed"))

    with pytest.raises(StoreError) as refusal:
        store.close_attempt(attempt, closing("converged"))

    assert refusal.value.code == "attempt_closed"
    assert store.history_rows()[0]["outcome"] == "failed"


def test_a_wish_that_is_tried_again_joins_its_deployment(store: SqliteStore) -> None:
    first = open_attempt(store)
    store.close_attempt(first, closing("interrupted", retried=True))

    second = open_attempt(store, seconds=5)

    assert (second.deployment_id, second.number) == (first.deployment_id, 2)
    assert store.history_rows()[0] | {} == store.history_rows()[0] | {
        "attempts": 2,
        "status": "running",
        "outcome": None,
        "finished_at": None,
    }


@pytest.mark.parametrize(
    ("retried", "changes"),
    [
        (False, {}),
        (True, {"sha": B}),
        (True, {"action": "repair"}),
        (True, {"config_digest": "c2"}),
    ],
    ids=["not retried", "other revision", "other action", "other configuration"],
)
def test_another_wish_is_another_deployment(store: SqliteStore, retried: bool, changes: dict[str, str]) -> None:
    first = open_attempt(store)
    store.close_attempt(first, closing("failed", retried=retried))

    second = open_attempt(store, **changes)

    assert (second.deployment_id != first.deployment_id, second.number) == (True, 1)


def test_only_the_newest_deployment_is_joined(store: SqliteStore) -> None:
    first = open_attempt(store, sha=A)
    store.close_attempt(first, closing("failed", retried=True))
    store.close_attempt(open_attempt(store, sha=B), closing("failed"))

    assert open_attempt(store, sha=A).deployment_id != first.deployment_id


def test_proof_advances_healthy_newest_first(store: SqliteStore) -> None:
    deploy(store, A)
    deploy(store, B, 20)
    deploy(store, A, 40)

    assert store.recorded(API).healthy == (healthy(A, 50), healthy(B, 30))


def test_the_clock_does_not_decide_which_proof_is_newest(store: SqliteStore) -> None:
    deploy(store, A, 1000)
    deploy(store, B, 0)

    assert [revision.sha for revision in store.recorded(API).healthy] == [B, A]


def test_as_many_healthy_revisions_are_kept_as_the_model_says(store: SqliteStore) -> None:
    shas = [f"{number:040x}" for number in range(HEALTHY_KEPT + 3)]

    [deploy(store, sha, number) for number, sha in enumerate(shas)]

    assert [revision.sha for revision in store.recorded(API).healthy] == shas[: -HEALTHY_KEPT - 1 : -1]


def test_a_closing_sets_the_back_off_it_asks_for(store: SqliteStore) -> None:
    store.close_attempt(open_attempt(store), closing("failed", back_off=back_off(failures=2), retried=True))

    assert store.recorded(API).back_off == back_off(failures=2)


def test_a_return_to_healthy_may_ask_for_a_back_off(store: SqliteStore) -> None:
    attempt = open_attempt(store, sha=B)

    store.close_attempt(attempt, closing("rolled_back", back_off=back_off(B), proven=healthy(A)))

    assert store.recorded(API).back_off == back_off(B)


@pytest.mark.parametrize(
    ("outcome", "proven", "stays"),
    [
        ("converged", None, False),
        ("rolled_back", None, False),
        ("failed", healthy(), False),
        ("failed", None, True),
        ("interrupted", None, True),
        ("superseded", None, True),
    ],
)
def test_success_ends_the_back_off(store: SqliteStore, outcome: str, proven: object, stays: bool) -> None:
    store.close_attempt(open_attempt(store), closing("failed", back_off=back_off(), retried=True))

    store.close_attempt(open_attempt(store), closing(outcome, proven=proven))

    assert (store.recorded(API).back_off is not None) == stays


@pytest.mark.parametrize(
    ("outcome", "stays"),
    [("converged", False), ("failed", False), ("rolled_back", False), ("superseded", False), ("interrupted", True)],
)
def test_an_interruption_keeps_the_gate_and_the_force(store: SqliteStore, outcome: str, stays: bool) -> None:
    store.force(API, "ada", at(0))
    attempt = open_attempt(store)
    store.gate_opened(attempt, gate(), at(1))
    assert store.recorded(API).gate == gate()

    store.close_attempt(attempt, closing(outcome))

    assert (store.recorded(API).gate, store.recorded(API).forced) == ((gate(), True) if stays else (None, False))


def test_one_closing_is_one_transaction(store: SqliteStore) -> None:
    store.add_request(request())
    attempt = open_attempt(store, request_id="r1")
    naive = healthy().at.replace(tzinfo=None)

    with pytest.raises(ValueError, match="no time zone"):
        store.close_attempt(attempt, closing(back_off=back_off(), proven=healthy(at=naive)))

    assert list(store.open_attempts()) == [attempt]
    assert store.request_state("r1") == ("pending", "")


def test_an_attempt_for_an_unknown_request_is_refused(store: SqliteStore) -> None:
    with pytest.raises(StoreError) as refusal:
        open_attempt(store, request_id="nobody asked")

    assert refusal.value.code == "unknown_request"
    assert store.history_rows() == []


def test_attempts_tell_their_steps_as_far_as_they_went(store: SqliteStore) -> None:
    attempt = open_attempt(store)
    store.step_started(attempt, 0, "fetch", "fetch main", at(1))
    store.step_finished(attempt, 0, "fetch", at(2))
    store.step_started(attempt, 1, "build", "run make", at(3))
    store.step_failed(attempt, 1, "build", "make: exit 2", at(4))
    store.close_attempt(attempt, closing("failed", 5, error_code="build_failed", message="make: exit 2"))

    (told,) = store.attempts_of(attempt.deployment_id)

    assert (told["outcome"], told["error_code"], told["message"]) == ("failed", "build_failed", "make: exit 2")
    assert [(s["kind"], s["summary"], s["status"], s["message"]) for s in told["steps"]] == [
        ("fetch", "fetch main", "finished", ""),
        ("build", "run make", "failed", "make: exit 2"),
    ]


def test_events_come_in_order_and_by_target(store: SqliteStore) -> None:
    start = store.last_event_pk()
    attempt = open_attempt(store)
    store.note(attempt, "waiting for the port", at(1))
    store.quarantine(OTHER, quarantine())

    events = store.events_after(start, identifier=str(API))

    assert [event.kind for event in events] == ["attempt_opened", "note"]
    assert (events[1].attempt_id, events[1].deployment_id) == (attempt.id, attempt.deployment_id)
    assert (events[1].message, events[1].at) == ("waiting for the port", at(1))
    assert [event.kind for event in store.events_after(events[0].pk)] == ["note", "quarantined"]
    assert store.last_event_pk() == events[0].pk + 2


def test_events_come_in_pages(store: SqliteStore) -> None:
    attempt = open_attempt(store)
    [store.note(attempt, str(number), at(number)) for number in range(5)]

    page = store.events_after(store.events_after(0)[0].pk, limit=2)

    assert [event.message for event in page] == ["0", "1"]
