"""`windows`: days, times, dates and zones, and what is refused of them."""

from __future__ import annotations

from datetime import date, time
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraisier.config import SourceFile, load
from fraisier.config.calendar import parse_dates, parse_days, parse_end, parse_start, parse_zone
from fraisier.config.declared import days_text
from fraisier.config.problems import Wrong
from fraisier.model.config import WEEKDAYS, Window
from fraisier.model.names import TargetId
from tests.support.configs import Machine, api, read, sentences

TARGET = TargetId("my_api", "production")
PARIS = ZoneInfo("Europe/Paris")
WORKDAYS = frozenset(WEEKDAYS[:5])

days = st.sampled_from(WEEKDAYS)
clock_times = st.times().map(lambda at: at.replace(second=0, microsecond=0))


def window(written: str) -> Window:
    loaded = read(f"windows: {{w: {{{written}}}}}\n" + api(environment="deploy: {windows: [w]}"))
    assert sentences(loaded) == []
    (found,) = loaded.config.targets[TARGET].windows
    return found


WINDOWS = {
    "of an office": (
        'days: mon-fri, from: "09:00", to: "18:00", timezone: Europe/Paris',
        Window("w", days=WORKDAYS, start=time(9), end=time(18), zone=PARIS),
    ),
    "over midnight": (
        'days: [mon, tue-thu], from: "22:00", to: "06:00", timezone: UTC',
        Window("w", days=frozenset(WEEKDAYS[:4]), start=time(22), end=time(6)),
    ),
    "without times is the whole day": (
        "kind: deny, days: fri, timezone: Europe/Paris",
        Window("w", "deny", frozenset({"fri"}), zone=PARIS),
    ),
    "on dates": (
        'kind: deny, dates: ["2026-12-24..2027-01-02", 2027-05-01]',
        Window(
            "w",
            "deny",
            dates=((date(2026, 12, 24), date(2027, 1, 2)), (date(2027, 5, 1), date(2027, 5, 1))),
        ),
    ),
    "times that YAML takes for numbers": ("from: 22:00, to: 23:30", Window("w", start=time(22), end=time(23, 30))),
    "unquoted midnight": ("from: 22:00, to: 24:00", Window("w", start=time(22))),
    "from alone": ("from: 22:00", Window("w", start=time(22))),
    "to alone": ("to: 06:00", Window("w", end=time(6))),
    "one digit of an hour": ('from: 9:00, to: "8:30"', Window("w", start=time(9), end=time(8, 30))),
    "nothing said is always": ("", Window("w")),
    "the whole day written out": ('days: daily, from: "00:00", to: "24:00", timezone: UTC', Window("w")),
}


@pytest.mark.parametrize(("written", "expected"), WINDOWS.values(), ids=WINDOWS)
def test_a_window(written, expected):
    assert window(written) == expected


REFUSED = {
    "a day by its whole name": ("days: monday", "days: is no day of the week; did you mean mon?"),
    "a word": ("days: sometimes", "days: is no day of the week; such as mon, mon-fri or weekend"),
    "a range of words": ("days: weekdays-sun", "days: must be a range from one day to another; such as mon-fri"),
    "one of several": ("days: [mon, tues]", "days[1]: is no day of the week; did you mean tue?"),
    "no days": ("days: []", "days: must not be empty"),
    "days as a number": (
        "days: 5",
        ('days: must be a range of days, or a list of them, got 5; YAML reads 5 as a number: write "5", in quotes'),
    ),
    "an hour": ("from: 9", "from: must be a time of day; such as 09:00"),
    "a time of 25 hours": ('from: "25:00"', "from: must be a time of day, such as 09:00"),
    "seconds": ('to: "18:00:00"', "to: must be a time of day, such as 18:00"),
    "sexagesimal seconds": ("to: 18:00:00", "to: must be a time of day; such as 09:00"),
    "a start at the end of the day": ("from: 24:00", "from: must be a time of day; such as 09:00"),
    "no time at all": (
        'from: "09:00", to: 9:00',
        "to: ends when it begins, and is empty; leave out from and to for the whole day",
    ),
    "midnight to midnight": (
        'to: "00:00"',
        "to: ends when it begins, and is empty; leave out from and to for the whole day",
    ),
    "a misspelt zone": (
        "timezone: Europe/Pariss",
        "timezone: is no time zone of the IANA database; did you mean Europe/Paris?",
    ),
    "a zone in another case": (
        "timezone: europe/paris",
        "timezone: is no time zone of the IANA database; did you mean Europe/Paris?",
    ),
    "a time scale that is no zone": (
        "timezone: right/UTC",
        "timezone: is no time zone of the IANA database; such as Europe/Paris",
    ),
    "a date that is none": ("dates: [2026-02-30]", "dates[0]: is no day of the calendar"),
    "a date in other words": (
        "dates: [24.12.2026]",
        "dates[0]: must be a date or a span of dates; such as 2026-12-24 or 2026-12-24..2027-01-02",
    ),
    "an open span": (
        "dates: [2026-12-24..]",
        "dates[0]: must be a date or a span of dates; such as 2026-12-24 or 2026-12-24..2027-01-02",
    ),
    "a backward span": (
        "dates: [2027-01-02..2026-12-24]",
        "dates[0]: ends before it begins; such as 2026-12-24..2027-01-02",
    ),
    "a span without the days": (
        "dates: [2026-12-24..2026-12-25], days: mon-wed",
        "dates: holds none of the days: it would never begin; leave out days, or mend the dates",
    ),
    "kind": ("kind: dny", "kind: 'dny' is not one of allow, deny; did you mean deny?"),
    "unknown key": ("form: '09:00'", "form: unknown key; did you mean from?"),
}


@pytest.mark.parametrize(("written", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_in_a_window_is_told_at_its_place_though_nothing_uses_it(written, expected):
    loaded = read(f"windows:\n  w: {{{written}}}\n" + api())

    (problem,) = loaded.problems
    assert (problem.line, str(problem).partition(" windows.w.")[2]) == (2, expected)
    assert loaded.config is None


def test_of_a_broken_window_it_is_not_said_that_there_is_none():
    loaded = read("windows: {w: 5}\n" + api(environment="deploy: {windows: [w]}"))

    assert [problem.path for problem in loaded.problems] == ["windows.w"]


def test_windows_of_several_files_are_one_set():
    loaded = load(
        [
            SourceFile("a.yaml", "windows: {a: {days: mon}}\n" + api(environment="deploy: {windows: [a, b]}")),
            SourceFile("b.yaml", "windows: {b: {days: tue}}\n"),
        ],
        Machine(),
    )

    assert sentences(loaded) == []
    assert [found.name for found in loaded.config.targets[TARGET].windows] == ["a", "b"]


@settings(deadline=None)
@given(days, days)
def test_a_range_of_days_begins_and_ends_with_its_days_and_goes_around_the_week(first, last):
    found = parse_days(f"{first}-{last}")

    ahead = (WEEKDAYS.index(last) - WEEKDAYS.index(first)) % 7
    assert {first, last} <= found
    assert len(found) == ahead + 1
    assert found == parse_days(f" {first.upper()} - {last} ")


@settings(deadline=None)
@given(st.sets(days, min_size=1))
def test_days_as_they_are_shown_are_the_same_days(some):
    assert frozenset().union(*(parse_days(part) for part in days_text(some).split(","))) == some


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("daily", set(WEEKDAYS)),
        ("weekdays", set(WEEKDAYS[:5])),
        ("weekend", {"sat", "sun"}),
        ("sat-mon", {"sat", "sun", "mon"}),
        ("fri-fri", {"fri"}),
    ],
)
def test_days_in_words(text, expected):
    assert parse_days(text) == expected


@settings(deadline=None)
@given(clock_times)
def test_a_time_of_day_is_read_as_it_is_shown(at):
    assert parse_start(f"{at:%H:%M}") == parse_end(f"{at:%H:%M}") == at


@settings(deadline=None)
@given(clock_times, clock_times)
def test_a_window_is_read_with_any_two_times_in_quotes_or_without(start, end):
    quoted, bare = f'from: "{start:%H:%M}", to: "{end:%H:%M}"', f"from: {start:%H:%M}, to: {end:%H:%M}"
    if start == end:
        assert read(f"windows: {{w: {{{bare}}}}}\n").config is None
    else:
        assert window(quoted) == window(bare) == Window("w", start=start, end=end)


@settings(deadline=None)
@given(st.dates(), st.dates())
def test_a_span_of_dates_is_read_where_it_is_one(first, last):
    if last < first:
        with pytest.raises(Wrong):
            parse_dates(f"{first}..{last}")
    else:
        assert parse_dates(f"{first}..{last}") == (first, last)
        assert parse_dates(f"{first}") == (first, first)


@settings(deadline=None)
@given(st.text(max_size=12) | st.text(alphabet="0123456789:.-montue ", max_size=24))
def test_any_text_is_read_or_refused(text):
    for parse in (parse_days, parse_start, parse_end, parse_dates, parse_zone):
        try:
            parse(text)
        except Wrong as wrong:
            assert wrong.message


def test_every_zone_of_this_machine_is_one():
    zones = available_timezones() - {"localtime"}

    assert {parse_zone(name).key for name in zones} == zones


@pytest.mark.parametrize("text", ["", ".", "/etc/passwd", "../zoneinfo/UTC", "Europe", "localtime", "zone.tab", "a\0b"])
def test_what_is_no_zone_is_refused(text):
    with pytest.raises(Wrong):
        parse_zone(text)
