"""`windows`: the times that `deploy.windows` of the targets refer to by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from zoneinfo import ZoneInfo

from fraisier.model.config import WEEKDAYS, Weekday, Window

from .calendar import Span, parse_dates, parse_days, parse_end, parse_start, parse_zone
from .sentences import closest
from .view import View

_DEFINE = "define it under windows, at the top level"
_EVERY_DAY = frozenset(WEEKDAYS)


@dataclass(frozen=True, slots=True)
class Windows:
    """Every window that could be read."""

    view: View
    by_name: Mapping[str, Window]

    def named(self, item: View) -> Window | None:
        """None, reported, when the file has no window of that name; None when its own place says what is wrong."""
        if not self.view.is_written(item.value):
            item.problem(f"there is no window {item.value}", closest(item.value, self.by_name) or _DEFINE)
        return self.by_name.get(item.value)


def read_windows(view: View) -> Windows:
    """Whatever is wrong is reported."""
    return Windows(
        view, {name: window for name, entry in view.entries() if (window := _read_window(name, entry)) is not None}
    )


def _read_window(name: str, view: View) -> Window | None:
    """None when a part of it cannot be read; that is reported, and leaves the whole file unusable."""
    days, dates = _read_days(view.at("days")), _read_dates(view.at("dates"))
    start, end = view.at("from").as_written(parse_start) or time(0, 0), view.at("to").as_written(parse_end)
    zone = view.at("timezone").parsed(parse_zone) if view.is_written("timezone") else ZoneInfo("UTC")
    if end == start:
        view.at("to").problem("ends when it begins, and is empty", "leave out from and to for the whole day")
    if dates and not any(_meets(span, days) for span in dates):
        view.at("dates").problem("holds none of the days: it would never begin", "leave out days, or mend the dates")
    if zone is None:
        return None
    return Window(name, view.at("kind").value or "allow", days, start, end, zone, dates)


def _read_days(view: View) -> frozenset[Weekday]:
    """Every day where nothing is said or nothing could be read."""
    views = view.items() if isinstance(view.value, list) else [view]
    found = [days for each in views if (days := each.parsed(parse_days)) is not None]
    return frozenset[Weekday]().union(*found) or _EVERY_DAY


def _read_dates(view: View) -> tuple[Span, ...]:
    return tuple(span for item in view.items() if (span := item.parsed(parse_dates)) is not None)


def _meets(span: Span, days: frozenset[Weekday]) -> bool:
    first, last = span
    return any(
        WEEKDAYS[(first.weekday() + ahead) % 7] in days for ahead in range(min((last - first).days + 1, len(WEEKDAYS)))
    )
