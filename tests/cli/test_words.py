"""Moments as people write and read them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
import pytest

from fraisier.cli.words import clock, past_moment

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T09:00+02:00", datetime(2026, 11, 20, 7, 0, tzinfo=UTC)),
        ("2026-11-20T09:00Z", datetime(2026, 11, 20, 9, 0, tzinfo=UTC)),
        ("2026-11-20T09:00", datetime(2026, 11, 20, 8, 0, tzinfo=UTC)),
        ("2026-11-20 09:00:30", datetime(2026, 11, 20, 8, 0, 30, tzinfo=UTC)),
        ("2026-07-20 09:00", datetime(2026, 7, 20, 7, 0, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 19, 23, 0, tzinfo=UTC)),
        ("9:05", datetime(2026, 11, 24, 8, 5, tzinfo=UTC)),
        ("09:05", datetime(2026, 11, 24, 8, 5, tzinfo=UTC)),
        ("2h", NOW - timedelta(hours=2)),
        ("2h ago", NOW - timedelta(hours=2)),
        ("1d12h  AGO", NOW - timedelta(hours=36)),
        ("2w", NOW - timedelta(days=14)),
        ("now", NOW),
    ],
)
def test_a_moment_may_be_written_in_many_ways(text: str, moment: datetime):
    parsed = past_moment(text, "--at", NOW)

    assert parsed == moment
    assert parsed.tzinfo is not None


@pytest.mark.parametrize(
    "text",
    ["", "ago", "h", "2 hours", "-2h", "25:00", "2026-13-01", "2026-02-30", "0001-01-01", "99999999999d", "soon"],
)
def test_what_is_no_moment_is_refused_with_the_option_and_an_example(text: str):
    with pytest.raises(click.UsageError) as refused:
        past_moment(text, "--since", NOW)

    assert "--since" in refused.value.message
    assert "2h" in refused.value.message


def test_a_date_as_an_end_is_the_last_moment_of_that_day():
    end = past_moment("2026-11-20", "--until", NOW, is_end=True)

    assert end < datetime(2026, 11, 20, 23, 0, tzinfo=UTC) <= end + timedelta(microseconds=1)


def test_the_clock_names_the_day_unless_it_is_today_here():
    assert clock("2026-11-24T22:30:00Z", NOW) == "23:30"
    assert clock("2026-11-24T23:30:00Z", NOW) == "2026-11-25 00:30"
    assert clock("2026-11-23T22:30:00Z", NOW) == "2026-11-23 23:30"
