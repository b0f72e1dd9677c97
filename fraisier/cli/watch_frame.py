"""A scene as the lines of a screen, trouble first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from ..model.names import short
from .status_text import HEALTH, SYNC, because, sync_word
from .watch_events import Line
from .watch_events import lines as event_lines
from .watch_scene import Scene, Work
from .words import plural

Row = Mapping[str, Any]

LEAST_JOURNAL = 4
ROOM_FOR_REASONS = 44
"""Below this width reasons stand on a line of their own."""
_FOOTER = "q ends"


def frame(scene: Scene, now: datetime, width: int, height: int | None = None) -> list[Text]:
    """At most `height` lines of at most `width` cells; without a height as many as there are."""
    head = [*_header(scene, now), Text()]
    work = [_work_line(work, now) for work in scene.work]
    journal = [_journal_line(line, now) for line in event_lines(scene)]
    if height is None:
        body = [
            *_targets(scene.rows, now, width, None),
            *_section("RUNNING", work),
            *_section("JOURNAL", journal[-10:]),
        ]
        return [_fitted(line, width) for line in [*head, *body]]
    room = height - len(head) - 1
    body = _body(scene.rows, work, journal, now, width, room)
    padding = [Text() for _ in range(room - len(body))]
    shown = [*head, *body, *padding, Text(_FOOTER, style="quiet")]
    return [_fitted(line, width) for line in shown[:height]]


def _body(
    rows: Sequence[Row], work: list[Text], journal: list[Text], now: datetime, width: int, room: int
) -> list[Text]:
    """Work before the targets that nothing is wrong with, targets before a long journal."""
    running = _section("RUNNING", _up_to(work, room // 4)) if room >= 8 else []
    left = room - len(running)
    least = min(len(journal), LEAST_JOURNAL) + 2 if journal and left >= 12 else 0
    targets = _targets(rows, now, width, left - least)
    rest = left - len(targets) - 2
    return [*targets, *running, *(_section("JOURNAL", journal[-rest:]) if rest > 0 else ())]


def _section(title: str, shown: Sequence[Text]) -> list[Text]:
    return [Text(), Text(title, style="quiet"), *shown] if shown else []


def _up_to(shown: list[Text], count: int) -> list[Text]:
    if len(shown) <= count:
        return shown
    return [*shown[: count - 1], Text(f"and {len(shown) - count + 1} more", style="quiet")]


def _fitted(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line


def _header(scene: Scene, now: datetime) -> list[Text]:
    title = Text.assemble((scene.server, "name"), (f"  {now.astimezone():%H:%M:%S}  ", "quiet"))
    title.append(plural(len(scene.rows), "target"))
    counts = Counter(_word(row) for row in scene.rows)
    for number, (word, count) in enumerate(counts.items()):
        title.append(": " if number == 0 else ", ")
        title.append(f"{count} {word.replace('_', ' ')}", style=SYNC.get(word, "warn"))
    return [title, Text(scene.problem, style="warn")] if scene.problem else [title]


# --- targets ---------------------------------------------------------------------------------


def _word(row: Row) -> str:
    """For counting: of what is in sync, what people arranged is worth a word of its own."""
    word = sync_word(row)
    if word != "in_sync":
        return word
    if row["suspended"]:
        return "suspended"
    return {"pin": "pinned", "try": "tried"}[row["override"]["kind"]] if row["override"] else word


def _targets(rows: Sequence[Row], now: datetime, width: int, room: int | None) -> list[Text]:
    """As many as there is room for, and a word about the others."""
    names = min(max((len(row["identifier"]) for row in rows), default=6), max(20, width // 3))
    heading = Text(f"{'TARGET':<{names}}  {'SYNC':<8}  {'HEALTH':<11}  {'RUNS':<7}", style="quiet")
    shown, rest = [heading], list(rows)
    while rest:
        added = _target(rest[0], now, names, width)
        last = 0 if len(rest) == 1 else 1  # the line for the others
        if room is not None and len(shown) + len(added) + last > room:
            break
        shown += added
        del rest[0]
    return [*shown, _others(rest)] if rest else shown


def _target(row: Row, now: datetime, names: int, width: int) -> list[Text]:
    word, why = sync_word(row), because(row, now)
    identifier = row["identifier"]
    line = Text()
    line.append(identifier if len(identifier) <= names else "…" + identifier[-(names - 1) :], style="name")
    line.pad_right(names + 2 - line.cell_len)
    line.append(f"{word.replace('_', ' '):<10}", style=SYNC.get(word, ""))
    line.append(f"{row['health']:<13}", style=HEALTH.get(row["health"], ""))
    line.append(f"{short(row['running'] or row['healthy']):<7}", style="sha")
    if not why:
        return [line]
    if width - line.cell_len - 2 < min(len(why), ROOM_FOR_REASONS):
        return [line, Text(f"    {why}", style="quiet")]
    return [line.append(f"  {why}")]


def _others(rest: Sequence[Row]) -> Text:
    """`and 12 more in sync`"""
    counts = Counter(_word(row).replace("_", " ") for row in rest)
    if len(counts) == 1:
        (word,) = counts
        return Text(f"and {len(rest)} more {word}", style="quiet")
    each = ", ".join(f"{count} {word}" for word, count in counts.items())
    return Text(f"and {len(rest)} more: {each}", style="quiet")


# --- work and the journal --------------------------------------------------------------------


def _work_line(work: Work, now: datetime) -> Text:
    tries = f", try {work.number}" if work.number > 1 else ""
    to = f" to {short(work.to_revision)}" if work.to_revision else ""
    line = Text.assemble((work.identifier, "name"), f"  {work.action.replace('_', ' ')}{to}{tries}")
    line.append(f"  {_elapsed(work.started_at, now)}", style="quiet")
    if work.step and work.step_started_at is not None:
        line.append(f"  {work.step}", style="busy")
        line.append(f"  {_elapsed(work.step_started_at, now)}", style="quiet")
    return line


def _elapsed(since: datetime, now: datetime) -> str:
    """`0:04`, `1:02:03`."""
    minutes, seconds = divmod(max(0, int((now - since).total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _journal_line(line: Line, now: datetime) -> Text:
    at, today = line.at.astimezone(), now.astimezone().date()
    shown = Text()
    shown.append(f"{at:%H:%M:%S}  " if at.date() == today else f"{at:%Y-%m-%d %H:%M}  ", style="quiet")
    shown.append(f"{line.identifier}  ", style="name")
    shown.append(f"{line.sign} ", style=line.style)
    return shown.append(line.text)
