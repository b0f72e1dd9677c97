"""Statistics by target and window, and what something usually takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fraisier.model.errors import StoreError
from fraisier.model.records import STATS_WINDOWS
from fraisier.store import SqliteStore
from tests.support.stores import API, OTHER, T0, A, B, at, closing, deploy, healthy, open_attempt, remove


def ago(**much: float) -> float:
    """In the seconds that the helpers count from their own beginning of time."""
    return (datetime.now(UTC) - timedelta(**much) - T0).total_seconds()


def of(store: SqliteStore, window: str = "all", target: Any = API) -> Any:
    (row,) = store.stats_rows([str(target)], window)
    return row


def test_a_deployment_counts_by_how_it_ended_at_last(store: SqliteStore) -> None:
    store.close_attempt(open_attempt(store, sha=A), closing("failed", 10, retried=True))
    store.close_attempt(open_attempt(store, sha=A, seconds=40), closing("converged", 60))
    store.close_attempt(open_attempt(store, sha=B, seconds=100), closing("rolled_back", 110))
    store.close_attempt(open_attempt(store, sha=A, seconds=120, action="repair"), closing("converged", 130))
    open_attempt(store, sha=B, seconds=200)

    row = of(store)

    counts = ("deployments", "attempts", "running", "converged", "failed", "rolled_back", "interrupted", "superseded")
    assert [row[key] for key in counts] == [4, 5, 1, 2, 0, 1, 0, 0]
    assert (row["changes"], row["repairs"]) == (1, 1)
    assert row["success_rate"] == pytest.approx(2 / 3)
    assert row["average_duration_s"] == pytest.approx((30 + 10) / 2)
    assert row["longest_duration_s"] == pytest.approx(30)
    assert row["change_failure_rate"] == pytest.approx(1 / 2)
    assert row["average_time_to_restore_s"] == pytest.approx(20)
    assert row["failing_since"] is None
    assert (row["window"], row["since"]) == ("all", row["first_started_at"])


def test_a_target_that_never_finished_divides_by_nothing(store: SqliteStore) -> None:
    open_attempt(store)

    row = of(store)

    rates = ("success_rate", "average_duration_s", "longest_duration_s", "change_failure_rate", "average_lead_time_s")
    assert [row[key] for key in rates] == [None] * 5


def test_lead_time_is_from_the_commit_to_the_proof_of_it(store: SqliteStore) -> None:
    lead(store, A, seconds=100, committed=40)
    lead(store, B, seconds=200, committed=0)

    assert of(store)["average_lead_time_s"] == pytest.approx((70 + 210) / 2)
    assert [row["lead_time_s"] for row in store.history_rows()] == [210, 70]


def lead(store: SqliteStore, sha: str, seconds: float, committed: float | None, **changes: Any) -> None:
    """A deployment of ten seconds that is proven at its end."""
    end, ends = seconds + 10, dict(changes)
    proven = ends.pop("proven", healthy(sha, end))
    outcome = ends.pop("outcome", "converged")
    since = None if committed is None else at(committed)
    store.close_attempt(
        open_attempt(store, sha=sha, seconds=seconds, **ends),
        closing(outcome, end, proven=proven, committed_at=since),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"committed": None},
        {"committed": 0, "action": "repair"},
        {"committed": 0, "action": "reconfigure"},
        {"committed": 0, "outcome": "rolled_back", "proven": healthy(B, 110)},
    ],
    ids=["unknown commit", "repair", "reconfigure", "another revision proven"],
)
def test_what_brings_no_new_code_has_no_lead_time(store: SqliteStore, changes: dict[str, Any]) -> None:
    lead(store, A, seconds=100, **changes)

    assert of(store)["average_lead_time_s"] is None
    assert store.history_rows()[0]["lead_time_s"] is None


def test_a_commit_from_the_future_takes_no_time(store: SqliteStore) -> None:
    lead(store, A, seconds=0, committed=3600)

    assert of(store)["average_lead_time_s"] == 0


def test_a_target_that_is_removed_while_it_fails_is_not_restored(store: SqliteStore) -> None:
    store.close_attempt(open_attempt(store), closing("failed", 10))

    remove(store, 500)

    row = of(store)
    assert (row["average_time_to_restore_s"], row["failing_since"]) == (None, None)


# --- windows ---------------------------------------------------------------------------------


def test_each_window_counts_what_began_in_it(store: SqliteStore) -> None:
    for days in (200, 80, 20, 5, 0.2):
        deploy(store, A, ago(days=days))

    counted = {window: of(store, window)["deployments"] for window in STATS_WINDOWS}

    assert counted == {"24h": 1, "7d": 2, "30d": 3, "90d": 4, "all": 5}


def test_the_last_day_is_counted_to_the_moment(store: SqliteStore) -> None:
    deploy(store, A, ago(hours=24, minutes=2))
    deploy(store, B, ago(hours=23, minutes=58))

    row = of(store, "24h")

    assert (row["deployments"], row["converged"], row["longest_duration_s"]) == (1, 1, 10)
    assert abs(datetime.fromisoformat(row["since"]) - (datetime.now(UTC) - timedelta(days=1))) < timedelta(minutes=1)


def test_longer_windows_count_whole_days(store: SqliteStore) -> None:
    row_since = datetime.fromisoformat(of_nothing(store, "7d")["since"])

    assert (row_since.hour, row_since.minute, row_since.second) == (0, 0, 0)
    assert timedelta(days=7) <= datetime.now(UTC) - row_since < timedelta(days=8)


def of_nothing(store: SqliteStore, window: str) -> Any:
    deploy(store, A, ago(days=400))
    row = of(store, window)
    assert row["deployments"] == 0
    return row


def test_frequency_is_over_the_days_that_the_target_was_there(store: SqliteStore) -> None:
    for hours in (80, 60, 40, 20):
        deploy(store, A, ago(hours=hours))
    deploy(store, A, ago(days=900), OTHER)
    deploy(store, B, ago(days=3), OTHER)

    days = timedelta(hours=80) / timedelta(days=1)
    assert of(store, "30d")["deployments_per_day"] == pytest.approx(4 / days, rel=0.001)
    assert of(store, "all")["deployments_per_day"] == pytest.approx(4 / days, rel=0.001)
    assert 1 / 31 <= of(store, "30d", OTHER)["deployments_per_day"] <= 1 / 30
    assert of(store, "all", OTHER)["deployments_per_day"] == pytest.approx(2 / 900, rel=0.001)


def test_a_window_has_a_row_for_every_target_by_name(store: SqliteStore) -> None:
    deploy(store, A, 0, OTHER)
    deploy(store, A, 0, API)

    assert [row["identifier"] for row in store.stats_rows()] == [str(API), str(OTHER)]
    assert [row["window"] for row in store.stats_rows()] == ["30d", "30d"]
    assert [row["identifier"] for row in store.stats_rows([str(OTHER), "no/such"], "24h")] == [str(OTHER)]
    assert store.stats_rows([]) == []


def test_an_unknown_window_is_refused(store: SqliteStore) -> None:
    with pytest.raises(StoreError) as refusal:
        store.stats_rows(window="fortnight")

    assert refusal.value.code == "unknown_window"
    assert "30d" in refusal.value.hint


# --- what something usually takes ------------------------------------------------------------


def took(store: SqliteStore, seconds: float, start: float, outcome: str = "converged", **changes: Any) -> None:
    store.close_attempt(open_attempt(store, seconds=start, **changes), closing(outcome, start + seconds))


def test_what_is_usual_is_the_median_of_the_last_five_that_converged(store: SqliteStore) -> None:
    for number, seconds in enumerate([900, 800, 10, 50, 20, 40, 30]):
        took(store, seconds, number * 1000)
    took(store, 700, 8000, "failed")
    took(store, 3, 9000, action="repair")
    took(store, 5, 9000, target=OTHER)

    usual = store.typical_durations([str(API), "no/such"])

    assert usual == {str(API): {"deploy": 30, "repair": 3}}


def test_waits_between_attempts_are_not_what_it_takes(store: SqliteStore) -> None:
    store.close_attempt(open_attempt(store), closing("failed", 10, retried=True))
    store.close_attempt(open_attempt(store, seconds=1000), closing("converged", 1005))

    assert store.typical_durations([str(API)]) == {str(API): {"deploy": 15}}
