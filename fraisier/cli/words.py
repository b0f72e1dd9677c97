"""Moments and spans as people say them, and as they write them."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

import click

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def span(seconds: float) -> str:
    """`0.3 s`, `12 s`, `4 min`, `6 d`: one unit, the largest that fits."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def age(moment: str | datetime | None, now: datetime) -> str:
    """`4 min ago`; `never` where there is none."""
    if moment is None:
        return "never"
    passed = now - _aware(moment)
    return "just now" if passed < timedelta(seconds=1) else f"{span(passed.total_seconds())} ago"


def clock(moment: str | datetime, now: datetime) -> str:
    """By the clock on the wall here: `14:02`, with the date in front when that is not today's."""
    local = _aware(moment).astimezone()
    return f"{local:%H:%M}" if local.date() == now.astimezone().date() else f"{local:%Y-%m-%d %H:%M}"


def parse_moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _aware(moment: str | datetime) -> datetime:
    return parse_moment(moment) if isinstance(moment, str) else moment


# --- as people write them --------------------------------------------------------------------

MOMENTS = "2026-11-30T09:00+01:00, '2026-11-30 09:00' or 09:00 in local time, 2026-11-30, or 2h ('2h ago')"
_AGO = re.compile(r"((?:[0-9]+(?:ms|s|m|h|d|w))+)(?:\s+ago)?", re.IGNORECASE)
_PART = re.compile(r"([0-9]+)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def past_moment(text: str, option: str, now: datetime, *, is_end: bool = False) -> datetime:
    """The moment that a person means, aware; a date alone is its beginning, or with `is_end` its end.

    Raises `click.UsageError` naming `option`.
    """
    try:
        moment = _parsed(" ".join(text.split()), option, now, is_end=is_end)
        moment.timestamp()  # the calendar has moments that no clock has
    except (ValueError, OverflowError):
        raise click.UsageError(f"{option}: {text!r} is no moment; such as {MOMENTS}") from None
    return moment


def _parsed(text: str, option: str, now: datetime, *, is_end: bool) -> datetime:
    from .standing_verbs import instant

    if text.lower() == "now":
        return now
    if ago := _AGO.fullmatch(text):
        return now - timedelta(seconds=sum(int(n) * _SECONDS[unit] for n, unit in _PART.findall(ago[1].lower())))
    if re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", text):
        today = now.astimezone().date()
        return datetime.combine(today, time.fromisoformat(text.rjust(len("09:00"), "0"))).astimezone()
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        day = date.fromisoformat(text)
        return datetime.combine(day, time.max if is_end else time.min).astimezone()
    try:
        return instant(text, option)
    except click.UsageError:
        raise ValueError(text) from None
