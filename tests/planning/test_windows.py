"""Windows against a minute-by-minute oracle, on the days on which clocks change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fraisier.model.config import WEEKDAYS, Weekday, Window
from fraisier.planning.windows import HORIZON, Closed, closed, words
from tests.support.profiles import examples

PARIS, HAVANA, APIA = ZoneInfo("Europe/Paris"), ZoneInfo("America/Havana"), ZoneInfo("Pacific/Apia")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
AHEAD = 3 * DAY

DAYS = [
    ("Europe/Paris", date(2026, 3, 29)),
    ("Europe/Paris", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # by half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Africa/Cairo", date(2026, 4, 24)),  # from midnight to one
    ("Africa/Cairo", date(2026, 10, 30)),
    ("America/Havana", date(2026, 3, 8)),  # from midnight to one
    ("America/Havana", date(2026, 11, 1)),
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that was not
    ("Pacific/Apia", date(2011, 9, 24)),
    ("Asia/Kathmandu", date(2026, 5, 1)),
    ("UTC", date(2027, 1, 1)),
]


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _days(*days: Weekday) -> frozenset[Weekday]:
    return frozenset(days)


# The oracle: the wall, minute by minute, from two days before one of DAYS to seven days after


@cache
def _walls(zone: str, day: date) -> list[datetime]:
    first = datetime.combine(day, time(0), UTC) - 2 * DAY
    return [(first + n * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for n in range(9 * 24 * 60)]


def _holds(window: Window, wall: datetime) -> bool:
    for day in (wall.date(), wall.date() - DAY):
        begins = datetime.combine(day, window.start)
        ends = datetime.combine(day, window.end or time(0))
        if ends <= begins or window.end is None:
            ends += DAY
        dated = not window.dates or any(a <= day <= b for a, b in window.dates)
        if begins <= wall < ends and WEEKDAYS[day.weekday()] in window.days and dated:
            return True
    return False


def _open(windows: Sequence[Window], day: date, minute: int) -> bool:
    inside = [(w.kind, _holds(w, _walls(str(w.zone), day)[minute])) for w in windows]
    allows = [held for kind, held in inside if kind == "allow"]
    return not any(held for kind, held in inside if kind == "deny") and (not allows or any(allows))


@st.composite
def _windows(draw: st.DrawFn, zone: str, day: date) -> tuple[Window, ...]:
    minutes = st.one_of(st.integers(0, 4 * 60), st.integers(0, 24 * 60 - 1)).map(lambda n: time(n // 60, n % 60))
    span = st.tuples(st.integers(-2, 3), st.integers(0, 2)).map(lambda n: (day + n[0] * DAY, day + (n[0] + n[1]) * DAY))
    one = st.builds(
        Window,
        name=st.sampled_from(["a", "b", "c"]),
        kind=st.sampled_from(["allow", "deny"]),
        days=st.one_of(st.just(frozenset(WEEKDAYS)), st.frozensets(st.sampled_from(WEEKDAYS), min_size=1)),
        start=st.one_of(st.just(time(0)), minutes),
        end=st.one_of(st.none(), minutes),
        zone=st.sampled_from([zone, zone, "UTC"]).map(ZoneInfo),
        dates=st.one_of(st.just(()), st.lists(span, min_size=1, max_size=2).map(tuple)),
    )
    return tuple(draw(st.lists(one, min_size=1, max_size=3)))


@given(st.data(), st.sampled_from(DAYS), st.integers(0, 4 * 24 * 60), st.integers(0, 59_999_999))
@examples(250, 4000)
def test_it_is_what_the_clock_on_the_wall_says(
    data: st.DataObject, case: tuple[str, date], minute: int, micros: int
) -> None:
    zone, day = case
    windows = data.draw(_windows(zone, day))
    first = datetime.combine(day, time(0), UTC) - 2 * DAY
    now = first + minute * MINUTE + timedelta(microseconds=micros)

    found = closed(windows, now)

    assert (found is None) == _open(windows, day, minute)
    if found is None:
        return
    ahead = range(minute + 1, minute + 1 + AHEAD // MINUTE)
    expected = next((first + m * MINUTE for m in ahead if _open(windows, day, m)), None)
    if expected is not None:
        assert found.until == expected
    else:
        assert found.until is None or found.until > first + ahead[-1] * MINUTE
    active = [w for w in windows if w.kind == "deny" and _holds(w, _walls(str(w.zone), day)[minute])]
    assert found.names == tuple(w.name for w in active or windows if w.kind == ("deny" if active else "allow"))
    assert (found.window is None) == (not active)
    if found.window is not None:
        lasts = {id(w): next((m for m in ahead if _open([w], day, m)), ahead.stop) for w in active}
        assert any(w == found.window and lasts[id(w)] == max(lasts.values()) for w in active)
    assert words(found, now).startswith(found.window.name if found.window else "outside of ")


@given(st.data(), st.sampled_from(DAYS), st.integers(0, 4 * 24 * 60))
@examples(60)
def test_until_is_open_and_the_second_before_is_not(data: st.DataObject, case: tuple[str, date], minute: int) -> None:
    zone, day = case
    windows = data.draw(_windows(zone, day))
    found = closed(windows, datetime.combine(day, time(0), UTC) + minute * MINUTE)

    if found is not None and found.until is not None:
        assert closed(windows, found.until) is None
        before = closed(windows, found.until - timedelta(seconds=1))
        assert before is not None
        assert before.until == found.until


# What Argo CD's windows mean, made strict

OFFICE = Window("office", days=_days("mon", "tue", "wed", "thu", "fri"), start=time(9), end=time(18), zone=PARIS)
FREEZE = Window("friday_freeze", "deny", days=_days("fri"), zone=PARIS)
THURSDAY, FRIDAY = _utc("2026-11-26 12:00"), _utc("2026-11-27 12:00")


def test_without_windows_it_is_open() -> None:
    assert closed((), FRIDAY) is None


def test_an_active_deny_closes_whatever_is_allowed_and_until_is_when_both_agree() -> None:
    assert closed((OFFICE, FREEZE), THURSDAY) is None
    assert closed((OFFICE, FREEZE), FRIDAY) == Closed(FREEZE, ("friday_freeze",), _utc("2026-11-30 08:00"))
    assert closed((FREEZE,), FRIDAY) == Closed(FREEZE, ("friday_freeze",), _utc("2026-11-27 23:00"))


def test_outside_of_every_allow_it_is_closed_and_any_one_of_them_opens() -> None:
    lunch = Window("lunch", start=time(12), end=time(13))
    evening = _utc("2026-11-27 20:00")

    assert closed((OFFICE, lunch), evening) == Closed(
        None, ("office", "lunch"), _utc("2026-11-28 12:00"), (OFFICE, lunch)
    )
    assert closed((OFFICE, lunch), _utc("2026-11-28 12:00")) is None


def test_of_several_denies_it_is_the_one_that_ends_last() -> None:
    noon = Window("noon", "deny", start=time(12), end=time(13))
    ever = Window("ever", "deny")

    assert closed((noon, FREEZE), FRIDAY) == Closed(FREEZE, ("noon", "friday_freeze"), _utc("2026-11-27 23:00"))
    assert closed((ever, noon, FREEZE), FRIDAY) == Closed(ever, ("ever", "noon", "friday_freeze"), None)


def test_over_midnight_the_small_hours_belong_to_the_day_before() -> None:
    night = Window("night", "deny", days=_days("fri"), start=time(22), end=time(6), zone=PARIS)

    assert closed((night,), _utc("2026-11-27 02:00")) is None
    assert closed((night,), _utc("2026-11-28 02:00")) == Closed(night, ("night",), _utc("2026-11-28 05:00"))
    last = Window("last", "deny", start=time(22), end=time(6), dates=((date(2026, 11, 20), date(2026, 11, 27)),))
    assert closed((last,), _utc("2026-11-28 05:59")) is not None
    assert closed((last,), _utc("2026-11-28 22:00")) is None


def test_from_an_hour_to_the_same_hour_is_a_whole_day() -> None:
    shift = Window("shift", "deny", days=_days("fri"), start=time(9), end=time(9))

    assert closed((shift,), _utc("2026-11-27 08:59")) is None
    assert closed((shift,), _utc("2026-11-27 09:00")) == Closed(shift, ("shift",), _utc("2026-11-28 09:00"))


# The days on which clocks change


def test_an_hour_that_the_wall_skips_is_in_no_window() -> None:
    skipped = Window("skipped", start=time(2), end=time(3), zone=PARIS, dates=((date(2026, 3, 29),) * 2,))

    assert closed((skipped,), _utc("2026-03-28 12:00")) == Closed(None, ("skipped",), None, (skipped,))


def test_a_window_may_end_where_the_wall_jumps_over_its_end() -> None:
    half = Window("half", "deny", start=time(1), end=time(2, 30), zone=PARIS)

    assert closed((half,), _utc("2026-03-29 00:10")) == Closed(half, ("half",), _utc("2026-03-29 01:00"))


def test_an_hour_that_the_wall_shows_twice_is_in_the_window_both_times() -> None:
    quarter = Window("quarter", start=time(2, 15), end=time(2, 30), zone=PARIS)

    assert [closed((quarter,), _utc(f"2026-10-25 {at}")) is None for at in ("00:14", "00:15", "00:29", "00:30")] == [
        False,
        True,
        True,
        False,
    ]
    between = closed((quarter,), _utc("2026-10-25 00:30"))
    assert between is not None
    assert between.until == _utc("2026-10-25 01:15")


def test_a_day_that_begins_at_one_begins_where_it_begins() -> None:
    saturday = Window("saturday", "deny", days=_days("sat"), zone=HAVANA)

    assert closed((saturday,), _utc("2026-03-08 04:59")) == Closed(saturday, ("saturday",), _utc("2026-03-08 05:00"))


def test_a_day_that_was_not_has_no_window() -> None:
    friday = Window("friday", zone=APIA, dates=((date(2011, 12, 30),) * 2,))
    weekend = Window("weekend", days=_days("sat"), zone=APIA)

    assert closed((friday,), _utc("2011-12-29 12:00")) == Closed(None, ("friday",), None, (friday,))
    assert closed((weekend,), _utc("2011-12-30 09:59")) == Closed(
        None, ("weekend",), _utc("2011-12-30 10:00"), (weekend,)
    )


# How far ahead


def test_an_opening_is_found_within_the_horizon_and_not_beyond() -> None:
    now = _utc("2026-11-27 00:00")
    last = (now + HORIZON).date()

    def until(day: date) -> datetime | None:
        found = closed((Window("launch", dates=((day, day),)),), now)
        assert found is not None
        return found.until

    assert until(last - DAY) == now + HORIZON - DAY
    assert until(last) is None
    assert until(date(2025, 1, 1)) is None


def test_windows_that_never_agree_never_open() -> None:
    day = Window("day", "deny", start=time(8), end=time(19), zone=PARIS)
    ten = Window("ten", start=time(9), end=time(10), zone=PARIS)

    found = closed((day, ten), FRIDAY)

    assert found is not None
    assert found.until is None


# For people

CHRISTMAS = Window("launch", zone=PARIS, dates=((date(2026, 12, 20), date(2027, 1, 3)), (date(2027, 4, 1),) * 2))


@pytest.mark.parametrize(
    ("windows", "sentence"),
    [
        ((FREEZE,), "friday_freeze (Europe/Paris) forbids deployments until Sat 2026-11-28 00:00 CET"),
        (
            (FREEZE, Window("noon", "deny", start=time(12), end=time(14))),
            "friday_freeze (Europe/Paris) and noon forbid deployments until Sat 2026-11-28 00:00 CET",
        ),
        (
            (Window("ever", "deny"),),
            "ever (UTC) forbids deployments, and none may begin before Sat 2028-01-01",
        ),
        (
            (Window("night", start=time(22), zone=ZoneInfo("Asia/Kathmandu")),),
            "outside of night (daily 22:00-24:00 Asia/Kathmandu) until Fri 2026-11-27 22:00 +0545",
        ),
        (
            (OFFICE, Window("rest", days=_days("sat", "sun", "wed"), zone=HAVANA)),
            (
                "outside of office (mon-fri 09:00-18:00 Europe/Paris) and rest (wed,sat-sun America/Havana)"
                " until Sat 2026-11-28 00:00 CST"
            ),
        ),
        (
            (CHRISTMAS,),
            "outside of launch (2026-12-20 to 2027-01-03, 2027-04-01 Europe/Paris) until Sun 2026-12-20 00:00 CET",
        ),
    ],
)
def test_words(windows: tuple[Window, ...], sentence: str) -> None:
    now = FRIDAY if windows[0].name != "office" else _utc("2026-11-27 20:00")
    found = closed(windows, now)

    assert found is not None
    assert words(found, now) == sentence


def test_words_of_the_office_on_a_friday_evening() -> None:
    evening = _utc("2026-11-27 20:00")
    found = closed((OFFICE,), evening)

    assert found is not None
    assert (
        words(found, evening) == "outside of office (mon-fri 09:00-18:00 Europe/Paris) until Mon 2026-11-30 09:00 CET"
    )
