"""Days, times of day, dates and time zones: text to what windows are made of. Each raises `Wrong`."""

from __future__ import annotations

import re
from datetime import date, time
from zoneinfo import ZoneInfo, available_timezones

from fraisier.model.config import WEEKDAYS, Weekday

from .problems import Wrong
from .sentences import closest

Span = tuple[date, date]

_WORDS: dict[str, tuple[Weekday, ...]] = {
    "daily": WEEKDAYS,
    "weekdays": WEEKDAYS[:5],
    "weekend": WEEKDAYS[5:],
    **{day: (day,) for day in WEEKDAYS},
}
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NOT_IANA = re.compile(r"(?:right|posix)/|localtime$|posixrules$")
"""What lies in the system's folder of time zones and is none: other time scales, and the machine's own choice."""


def parse_days(text: str) -> frozenset[Weekday]:
    """`fri`, `mon-fri`, `sat-mon` (over the end of the week), `daily`, `weekdays`, `weekend`."""
    first, dash, last = (part.strip() for part in text.lower().partition("-"))
    if not dash:
        return frozenset(_named(first))
    (begin,), (end,) = _one(first), _one(last)
    around = (*WEEKDAYS, *WEEKDAYS)
    start = around.index(begin)
    return frozenset(around[start : around.index(end, start) + 1])


def _named(word: str) -> tuple[Weekday, ...]:
    if word not in _WORDS:
        raise Wrong("is no day of the week", closest(word, _WORDS) or "such as mon, mon-fri or weekend")
    return _WORDS[word]


def _one(word: str) -> tuple[Weekday, ...]:
    if len(days := _named(word)) != 1:
        raise Wrong("must be a range from one day to another", "such as mon-fri")
    return days


def parse_start(text: str) -> time:
    """`09:00`."""
    if not (found := _TIME.fullmatch(text)):
        raise Wrong("must be a time of day", "such as 09:00")
    return time(int(found[1]), int(found[2]))


def parse_end(text: str) -> time | None:
    """As `parse_start`; None for `24:00`, midnight at the end of the day."""
    return None if text == "24:00" else parse_start(text)


def parse_dates(text: str) -> Span:
    """`2026-12-24`, or first and last day: `2026-12-24..2027-01-02`."""
    first, dots, last = (part.strip() for part in text.partition(".."))
    span = _date(first), _date(last if dots else first)
    if span[1] < span[0]:
        raise Wrong("ends before it begins", "such as 2026-12-24..2027-01-02")
    return span


def _date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise Wrong("must be a date or a span of dates", "such as 2026-12-24 or 2026-12-24..2027-01-02")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Wrong("is no day of the calendar") from None


def parse_zone(text: str) -> ZoneInfo:
    """A zone of the IANA database: the system's, or that of the package `tzdata`, which Fraisier depends on."""
    try:
        if not _NOT_IANA.match(text):
            return ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # whatever a name that is no zone finds: nothing, a folder, another file
        hint = closest(text, available_timezones())
    else:
        hint = ""
    raise Wrong("is no time zone of the IANA database", hint or "such as Europe/Paris")
