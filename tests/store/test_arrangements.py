"""Suspensions, pins and trials, approvals, emergencies, repairs, the inventory, and what a removal leaves."""

from __future__ import annotations

import sqlite3
from contextlib import closing as closed
from dataclasses import replace
from typing import Any

import pytest

from fraisier.model.names import Scope, TargetId
from fraisier.model.selection import Branch, TagRange
from fraisier.model.state import REPAIRS_KEPT, Approval, OpenGate, Override, Recorded
from fraisier.store import SqliteStore, queries
from tests.support.stores import (
    API,
    OTHER,
    A,
    B,
    at,
    back_off,
    closing,
    deploy,
    emergency,
    entry,
    gate,
    healthy,
    open_attempt,
    pin,
    quarantine,
    remove,
    repair,
    status,
    suspension,
    wish,
)

SHOP = TargetId("shop", "production")
PLACES = (API, OTHER, SHOP)


def kinds(store: SqliteStore) -> list[str]:
    return [event.kind for event in store.events_after(0)]


# --- suspensions -----------------------------------------------------------------------------


def suspended(store: SqliteStore) -> list[TargetId]:
    return [target for target in PLACES if store.recorded(target).suspensions]


@pytest.mark.parametrize(
    ("scope", "covered"), [("my_api/production", [API]), ("my_api/*", [API, OTHER]), ("*/*", [API, OTHER, SHOP])]
)
def test_a_suspension_covers_its_scope_at_once(store: SqliteStore, scope: str, covered: list[TargetId]) -> None:
    assert suspended(store) == []  # asked once, so that a memory of it would show

    store.suspend(suspension(scope, stop=True))
    assert suspended(store) == covered

    store.resume(Scope.parse(scope), "ada", at(1))
    assert suspended(store) == []


def test_suspensions_come_narrowest_first_whatever_their_age_and_end(store: SqliteStore) -> None:
    narrow, of_fraise, wide = suspension(str(API), 2), suspension("my_api/*", 0, until=at(1)), suspension("*/*", 1)
    for each in (of_fraise, wide, narrow, suspension(str(OTHER), 3)):
        store.suspend(each)

    assert store.recorded(API).suspensions == (narrow, of_fraise, wide)
    assert store.recorded_all()[API].suspensions == (narrow, of_fraise, wide)
    assert store.recorded(SHOP).suspensions == (wide,)


def test_a_suspension_takes_the_place_of_the_one_before(store: SqliteStore) -> None:
    store.suspend(suspension(reason="freeze", until=at(60)))
    store.suspend(suspension(seconds=5, reason="audit", by="bob", stop=True))

    assert store.suspensions() == [suspension(seconds=5, reason="audit", by="bob", stop=True)]


ALL = (str(API), str(OTHER), "my_api/*", str(SHOP), "*/*")


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (str(API), [str(OTHER), "my_api/*", str(SHOP), "*/*"]),
        ("my_api/*", [str(SHOP), "*/*"]),
        ("*/*", []),
        ("shop/staging", list(ALL)),
    ],
)
def test_resuming_ends_what_is_within(store: SqliteStore, scope: str, left: list[str]) -> None:
    for number, each in enumerate(ALL):
        store.suspend(suspension(each, number))

    assert store.resume(Scope.parse(scope), "bob", at(9)) == len(ALL) - len(left)

    assert [str(each.scope) for each in store.suspensions()] == left


def test_resuming_nothing_is_not_an_event(store: SqliteStore) -> None:
    assert store.resume(Scope(), "bob", at(0)) == 0
    assert store.last_event_pk() == 0


def test_a_fraise_whose_name_begins_like_another_is_another(store: SqliteStore) -> None:
    store.suspend(suspension("my_api2/production"))

    assert store.resume(Scope("my_api"), "bob", at(1)) == 0
    assert suspended(store) == []


# --- pins and trials -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        pin(A),
        Override("try", Branch("feature/x"), "bob", at(1), "does it help?", at(7200)),
        Override("pin", TagRange("v1.*"), "bob", at(1)),
    ],
    ids=["commit", "branch on trial", "tags"],
)
def test_an_override_is_kept_as_it_was_made(store: SqliteStore, wanted: Override) -> None:
    store.override(API, pin(B))
    store.override(API, wanted)

    assert store.recorded(API).override == wanted
    assert store.recorded(OTHER).override is None


def test_an_override_ends_once(store: SqliteStore) -> None:
    store.override(API, pin())

    assert [store.end_override(API, "bob", at(1)), store.end_override(API, "bob", at(2))] == [True, False]

    assert store.recorded(API).override is None
    assert kinds(store) == ["pinned", "unpinned"]


def test_a_proof_remembers_that_a_person_chose_it(store: SqliteStore) -> None:
    chosen = healthy(A, 1, is_chosen=True)
    store.close_attempt(open_attempt(store), closing(proven=chosen))
    assert store.recorded(API).healthy == (chosen,)

    repeated = replace(chosen, is_chosen=False, at=at(20))
    store.close_attempt(open_attempt(store, seconds=10), closing(seconds=20, proven=repeated))
    assert store.recorded(API).healthy == (repeated,)


# --- approvals and emergencies ---------------------------------------------------------------


def test_the_newest_approval_counts(store: SqliteStore) -> None:
    store.approve(API, Approval("h1", "ada", at(0)))
    store.approve(API, Approval("h2", "bob", at(1)))

    assert store.recorded(API).approval == Approval("h2", "bob", at(1))


@pytest.mark.parametrize(
    ("outcome", "sha", "retried", "over"),
    [
        ("converged", A, False, True),
        ("failed", A, False, True),
        ("rolled_back", A, False, True),
        ("failed", A, True, False),
        ("interrupted", A, False, False),
        ("interrupted", A, True, False),
        ("superseded", A, False, False),
        ("converged", B, False, False),
    ],
)
def test_an_emergency_is_over_when_its_revision_was_tried(
    store: SqliteStore, outcome: str, sha: str, retried: bool, over: bool
) -> None:
    store.allow_emergency(API, emergency(A))
    store.allow_emergency(OTHER, emergency(A))

    store.close_attempt(open_attempt(store, sha=sha), closing(outcome, retried=retried))

    assert store.recorded(API).emergency == (None if over else emergency(A))
    assert store.recorded(OTHER).emergency == emergency(A)


def test_a_proof_ends_the_accepted_rewinds(store: SqliteStore) -> None:
    store.accept_rewind(API, A, "ada", at(0))
    store.accept_rewind(OTHER, A, "ada", at(0))

    deploy(store, A, 10)

    assert (store.recorded(API).rewinds, store.recorded(OTHER).rewinds) == (frozenset(), {A})


# --- repairs ---------------------------------------------------------------------------------


def test_repairs_are_remembered_newest_first(store: SqliteStore) -> None:
    repair(store, 0)
    repair(store, 10)
    repair(store, 5, OTHER)

    assert store.recorded(API).repairs == (at(11), at(1))


def test_a_repair_that_fails_does_not_count_and_ends_nothing(store: SqliteStore) -> None:
    repair(store, 0)

    store.close_attempt(open_attempt(store, seconds=10, action="repair"), closing("failed", 11))
    store.close_attempt(open_attempt(store, sha=B, seconds=20), closing("rolled_back", 21, proven=healthy(A, 21)))

    assert store.recorded(API).repairs == (at(1),)


def test_anything_else_that_converges_begins_anew(store: SqliteStore) -> None:
    repair(store, 0)
    repair(store, 0, OTHER)

    deploy(store, B, 10)

    assert (store.recorded(API).repairs, store.recorded(OTHER).repairs) == ((), (at(1),))


def test_a_lift_forgets_repairs_without_counting_them(store: SqliteStore) -> None:
    repair(store, 0)

    assert store.lift(API, "ada", at(5)) == 0
    assert store.recorded(API).repairs == ()
    assert store.lift(API, "ada", at(6)) == 0

    assert kinds(store).count("lifted") == 1


def test_lifting_a_revision_that_is_not_kept_out_is_not_an_event(store: SqliteStore) -> None:
    repair(store, 0)

    assert store.lift(API, "ada", at(5), sha=B) == 0

    assert store.recorded(API).repairs == (at(1),)


def test_as_many_repairs_are_kept_as_the_model_says(store: SqliteStore) -> None:
    [repair(store, number * 10) for number in range(REPAIRS_KEPT + 2)]

    kept = store.recorded(API).repairs

    assert (len(kept), kept[0], kept[-1]) == (REPAIRS_KEPT, at((REPAIRS_KEPT + 1) * 10 + 1), at(21))


# --- inventory -------------------------------------------------------------------------------


def test_what_an_attempt_makes_is_written_before_it_is_made(store: SqliteStore) -> None:
    made = entry(depends_on=(SHOP, OTHER))

    open_attempt(store, inventory=made)

    assert store.inventory() == [made]
    assert kinds(store) == ["attempt_opened", "inventoried"]


def test_the_inventory_changes_only_with_what_it_says(store: SqliteStore) -> None:
    for number, made in enumerate([entry(), entry(seconds=10), entry(seconds=20, runtime_digest="r2")]):
        attempt = open_attempt(store, seconds=number * 10, inventory=made)
        store.close_attempt(attempt, closing("failed", number * 10 + 1))

    assert store.inventory() == [entry(seconds=20, runtime_digest="r2")]
    assert kinds(store).count("inventoried") == 2


def test_an_attempt_that_is_refused_makes_nothing(store: SqliteStore) -> None:
    open_attempt(store)

    with pytest.raises(Exception, match="open already"):
        open_attempt(store, sha=B, inventory=entry())

    assert store.inventory() == []


def test_the_inventory_is_by_name(store: SqliteStore) -> None:
    for target in (SHOP, OTHER, API):
        open_attempt(store, target, inventory=entry(target))

    assert [made.id for made in store.inventory()] == [API, OTHER, SHOP]


# --- removal ---------------------------------------------------------------------------------


def full_of_past(store: SqliteStore, target: TargetId) -> None:
    """Everything that may be kept of a target."""
    store.close_attempt(open_attempt(store, target, inventory=entry(target)), closing(proven=healthy(A, 1)))
    repair(store, 10, target)
    store.quarantine(target, quarantine(B, 20))
    store.override(target, pin())
    store.approve(target, Approval("h", "ada", at(0)))
    store.allow_emergency(target, emergency(B))
    store.accept_rewind(target, B, "ada", at(20))
    store.suspend(suspension(str(target), 20))
    store.gate_opened(
        attempt := open_attempt(store, target, B, 30), gate(), at(31)
    )  # which an interruption leaves behind
    store.close_attempt(attempt, closing("interrupted", 32, back_off=back_off(B)))
    store.save_status([status(target)], at(40))


def test_nothing_of_a_removed_target_is_left_but_its_log(store: SqliteStore) -> None:
    full_of_past(store, API)
    full_of_past(store, OTHER)
    others = store.recorded(OTHER)
    history = len(store.history_rows([str(API)]))

    remove(store, 50)

    assert store.recorded(API) == Recorded(
        quarantines=(quarantine(B, 20),), suspensions=(suspension(seconds=20),), attempted=None
    )
    assert [made.id for made in store.inventory()] == [OTHER]
    assert [row["identifier"] for row in store.status_rows()] == [str(OTHER)]
    assert store.declared_when_healthy(API) is None
    assert (store.recorded(OTHER), len(store.history_rows([str(API)]))) == (others, history + 1)
    assert kinds(store)[-1] == "removed"


def test_a_target_that_comes_back_has_its_status_again(store: SqliteStore) -> None:
    full_of_past(store, API)
    remove(store, 50)

    store.save_status([status(API)], at(60))

    assert [row["updated_at"] for row in store.status_rows()] == ["2026-01-01T12:01:00.000000Z"]
    assert store.status_rows()[0]["healthy"] is None
    store.rebuild_projections()
    assert len(store.status_rows()) == 1


def test_a_removal_that_failed_leaves_everything(store: SqliteStore) -> None:
    full_of_past(store, API)

    store.close_attempt(open_attempt(store, API, None, 50, action="remove"), closing("failed", 51))

    assert [made.id for made in store.inventory()] == [API]
    assert store.recorded(API).override == pin()


# --- what was declared -----------------------------------------------------------------------


def declared(text: str) -> dict[str, Any]:
    return {"plan": {"steps": [], "declared": text}}


def test_what_was_declared_when_it_was_last_healthy(store: SqliteStore) -> None:
    assert store.declared_when_healthy(API) is None

    good = open_attempt(store, **declared("env: {LEVEL: info}"))
    store.close_attempt(good, closing(proven=healthy(A, 1)))
    bad = open_attempt(store, sha=B, seconds=10, **declared("env: {LEVEL: loud}"))
    store.close_attempt(bad, closing("rolled_back", 20, proven=healthy(A, 20)))
    open_attempt(store, sha=B, seconds=30, **declared("env: {LEVEL: quiet}"))

    assert store.declared_when_healthy(API) == "env: {LEVEL: info}"
    assert store.declared_when_healthy(OTHER) is None


def test_a_plan_of_an_older_program_declares_nothing(store: SqliteStore) -> None:
    deploy(store)

    assert store.declared_when_healthy(API) is None


# --- the memory of it ------------------------------------------------------------------------


def test_what_did_not_change_is_not_read_again(store: SqliteStore) -> None:
    full_of_past(store, API)
    full_of_past(store, SHOP)
    known = {target: store.recorded(target) for target in (API, SHOP)}

    store.save_status([status(API, sync="held")], at(60))
    store.suspend(suspension("my_api/*", 61))

    assert store.recorded(SHOP) is known[SHOP]
    assert store.recorded(API) is not known[API]
    assert store.recorded(API) is store.recorded(API)


def test_a_scope_that_another_process_suspends_is_seen(store: SqliteStore, path: str) -> None:
    assert suspended(store) == []

    with closed(SqliteStore.open(path)) as another:
        another.suspend(suspension("*/*"))
        another.override(SHOP, pin())

    assert suspended(store) == list(PLACES)
    assert store.recorded(SHOP).override == pin()


def test_no_arrangement_is_made_without_its_line_in_the_log(store: SqliteStore, path: str) -> None:
    full_of_past(store, API)
    store.resume(Scope(), "ada", at(60))
    store.end_override(API, "ada", at(61))

    with closed(sqlite3.connect(path)) as connection:
        counted = dict(connection.execute("SELECT kind, count(*) FROM tb_deployment_events GROUP BY kind"))

    for kind in ("suspended", "resumed", "pinned", "unpinned", "approved", "emergency", "inventoried"):
        assert counted[kind] == 1


def test_stopping_a_service_for_a_person_is_no_repair_of_drift(store: SqliteStore) -> None:
    stopped = {"steps": [], "reasons": [{"code": "stopped_by_person", "message": "ann stopped it"}]}
    attempt = store.open_attempt(wish(action="repair", plan=stopped), at=at(0), deadline_at=at(60))

    store.close_attempt(attempt, closing("converged", 1))

    assert store.recorded(API).repairs == ()


def test_what_was_cancelled_is_not_gone_on_with(store: SqliteStore) -> None:
    store.force(API, "ann", at(0))
    attempt = store.open_attempt(wish(), at=at(1), deadline_at=at(60))
    store.gate_opened(attempt, OpenGate("r", "r1", at(30)), at(2))

    store.close_attempt(attempt, closing("interrupted", 3, error_code="cancelled"))

    assert not store.recorded(API).forced
    assert store.recorded(API).gate is None


def test_what_was_arranged_is_read_by_time_and_costs_what_it_finds(store: SqliteStore) -> None:
    for number in range(20):
        deploy(store, f"{number:040x}", number * 10)
    store.suspend(suspension(seconds=25))
    store.resume(Scope.of(API), "ann", at(55))

    assert [event.kind for event in store.arranged(None, None)] == ["resumed", "suspended"]
    assert [event.kind for event in store.arranged(at(30), None)] == ["resumed"]
    assert [event.kind for event in store.arranged(None, at(30))] == ["suspended"]
    with closed(sqlite3.connect(store.path)) as connection:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {queries._ARRANGED}", ("", "~"))]
    assert "tb_deployment_events_arranged" in steps[0]
