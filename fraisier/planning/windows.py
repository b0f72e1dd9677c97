"""When deployments may begin: a deny that is active closes, and so does being outside of every allow.

Note [Walls and offsets]. A window is about the clock on the wall, `until` is about instants. Between
two changes of a zone's offset the wall is UTC plus a constant, so there each day of a window is one
plain span of UTC, cut off where the offset changes. That is the whole treatment of summer time: an
hour that the wall skips gives no span, one that it shows twice gives two, and the cuts are the
instants at which the wall jumps into a window or out of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ..model.config import WEEKDAYS, Window

HORIZON = timedelta(days=400)
"""How far ahead the next opening is looked for: everything yearly is within it."""

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_MIDNIGHT = time(0, 0)
_Span = tuple[datetime, datetime]
"""From the first to before the second instant, both naive UTC."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Why no deployment may begin now, and when one may.

    `window` is the active deny that ends last, None when it is only outside of the allow windows.
    `names` are those of all active denies, or of all allow windows. `until` is the first instant
    (aware UTC) at which it is open, None when there is none within `HORIZON`.
    """

    window: Window | None
    names: tuple[str, ...]
    until: datetime | None
    allowed: tuple[Window, ...] = ()
    """What it is outside of, when `window` is None."""


def closed(windows: Sequence[Window], now: datetime) -> Closed | None:
    """None when a deployment may begin at `now` (aware)."""
    denies = tuple(w for w in windows if w.kind == "deny")
    allows = tuple(w for w in windows if w.kind == "allow")
    active = tuple(w for w in denies if _inside(w, now))
    if not active and (not allows or any(_inside(w, now) for w in allows)):
        return None
    until = _opening(denies, allows, now)
    if not active:
        return Closed(None, _names(allows), until, allows)
    return Closed(_last(active, now), _names(active), until)


def words(closed: Closed, now: datetime) -> str:
    """One sentence, without a full stop, in the local time of the window it is about."""
    if closed.window is None:
        subject = "outside of " + " and ".join(f"{w.name} ({_described(w)})" for w in closed.allowed)
    else:
        others = [name for name in closed.names if name != closed.window.name]
        subject = " and ".join((f"{closed.window.name} ({closed.window.zone})", *others))
        subject += " forbid deployments" if others else " forbids deployments"
    zone = _zone(closed)
    if closed.until is None:
        return f"{subject}, and none may begin before {_dated((now + HORIZON).astimezone(zone))}"
    opening = closed.until.astimezone(zone)
    return f"{subject} until {_dated(opening)} {opening:%H:%M %Z}"


def _names(windows: Sequence[Window]) -> tuple[str, ...]:
    return tuple(w.name for w in windows)


def _last(active: Sequence[Window], now: datetime) -> Window:
    if len(active) == 1:
        return active[0]
    never = datetime.max.replace(tzinfo=UTC)
    return max(active, key=lambda w: _opening((w,), (), now) or never)


# Inside or not, by the wall


def _fits(window: Window, day: date) -> bool:
    """Whether the window begins on this day."""
    return WEEKDAYS[day.weekday()] in window.days and (
        not window.dates or any(first <= day <= last for first, last in window.dates)
    )


def _ends_next_day(window: Window) -> bool:
    return window.end is None or window.end <= window.start


def _inside(window: Window, now: datetime) -> bool:
    wall = now.astimezone(window.zone)
    day, clock, end = wall.date(), wall.time(), window.end or _MIDNIGHT
    if not _ends_next_day(window):
        return window.start <= clock < end and _fits(window, day)
    return (clock >= window.start and _fits(window, day)) or (clock < end and _fits(window, day - _DAY))


# The next opening, by spans of UTC; see Note [Walls and offsets]


def _opening(denies: Sequence[Window], allows: Sequence[Window], now: datetime) -> datetime | None:
    """The first instant from `now` on that is in no deny and, if there are any, in some allow."""
    moment = now.astimezone(UTC).replace(tzinfo=None)
    limit = moment + HORIZON
    closing = [_Ahead(w, moment, limit) for w in denies]
    opening = [_Ahead(w, moment, limit) for w in allows]
    while moment < limit:
        free = max((ahead.leaves(moment) for ahead in closing), default=moment)
        entered = min((ahead.enters(free) for ahead in opening), default=free)
        if entered == moment:
            return moment.replace(tzinfo=UTC)
        moment = entered
    return None


class _Ahead:
    """What is to come of one window; asked about moments that never go back, it reads no further than it must."""

    def __init__(self, window: Window, since: datetime, limit: datetime) -> None:
        self._limit = limit
        self._spans = _spans(window, since.replace(microsecond=0), limit)
        self._span = next(self._spans, None)

    def leaves(self, moment: datetime) -> datetime:
        """When the span that holds `moment` is over; `moment` when none does."""
        span = self._after(moment)
        return span[1] if span is not None and span[0] <= moment else moment

    def enters(self, moment: datetime) -> datetime:
        """`moment` when a span holds it, else when the next begins, which may be never: the limit."""
        span = self._after(moment)
        return self._limit if span is None else max(span[0], moment)

    def _after(self, moment: datetime) -> _Span | None:
        while self._span is not None and self._span[1] <= moment:
            self._span = next(self._spans, None)
        return self._span


def _spans(window: Window, since: datetime, limit: datetime) -> Iterator[_Span]:
    """In order and without overlap; two may touch."""
    over, end = _DAY if _ends_next_day(window) else timedelta(0), window.end or _MIDNIGHT
    for begins, ends, offset in _offsets(window.zone, since, limit):
        day, last = (begins + offset).date() - _DAY, (ends + offset).date()
        while day <= last:
            if _fits(window, day):
                opens = max(begins, datetime.combine(day, window.start) - offset)
                closes = min(ends, datetime.combine(day, end) + over - offset)
                if opens < closes:
                    yield opens, closes
            day += _DAY


def _offsets(zone: ZoneInfo, since: datetime, limit: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Stretches of one offset, none much longer than a week: most openings are near, and what lies behind
    them is not looked at. `since` is a whole second, as changes are. No zone changes twice in a day.
    """
    begins, probe, offset = since, since, _offset(zone, since)
    while probe < limit:
        after = min(probe + _DAY, limit)
        changed = _offset(zone, after)
        if changed != offset:
            change = _change(zone, probe, after, offset)
            yield begins, change, offset
            begins, offset = change, changed
        elif after - begins >= _WEEK:
            yield begins, after, offset
            begins = after
        probe = after
    yield begins, limit, offset


def _change(zone: ZoneInfo, before: datetime, after: datetime, offset: timedelta) -> datetime:
    """The first second of (`before`, `after`] at which the offset is another, by bisection."""
    low, high = 0, -((before - after) // timedelta(seconds=1))
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, before + timedelta(seconds=middle)) == offset:
            low = middle
        else:
            high = middle
    return before + timedelta(seconds=high)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta(0)


# For people


def _zone(closed: Closed) -> ZoneInfo:
    """Of the deny, or of the allow window that opens next."""
    if closed.window is not None:
        return closed.window.zone
    until = closed.until
    opening = (w for w in closed.allowed if until is not None and _inside(w, until))
    return next(opening, closed.allowed[0]).zone


def _dated(moment: datetime) -> str:
    return f"{WEEKDAYS[moment.weekday()].capitalize()} {moment:%Y-%m-%d}"


def _described(window: Window) -> str:
    whole = window.start == _MIDNIGHT and (window.end or _MIDNIGHT) == _MIDNIGHT
    hours = "" if whole else f"{window.start:%H:%M}-{window.end.strftime('%H:%M') if window.end else '24:00'}"
    dates = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in window.dates)
    days = _weekdays(window)
    if len(window.days) == len(WEEKDAYS):
        days = "" if dates else "daily"
    return " ".join(part for part in (dates, days, hours, str(window.zone)) if part)


def _weekdays(window: Window) -> str:
    """`mon-fri`, `sat-sun`, `mon,wed-fri`."""
    runs: list[list[str]] = []
    for before, day in zip((None, *WEEKDAYS), WEEKDAYS, strict=False):
        if day in window.days and before in window.days:
            runs[-1].append(day)
        elif day in window.days:
            runs.append([day])
    return ",".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
