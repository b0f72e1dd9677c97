"""Moments and spans as people say them."""

from __future__ import annotations

from datetime import datetime, timedelta

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
    when = parse_moment(moment) if isinstance(moment, str) else moment
    passed = now - when
    return "just now" if passed < timedelta(seconds=1) else f"{span(passed.total_seconds())} ago"


def parse_moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
