"""`fraisier watch` where nobody sees a screen: one line for each change."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from ..model.names import short
from .status_text import because, sync_word
from .watch_events import lines as event_lines
from .watch_scene import Poller, Scene

Row = Mapping[str, Any]


def follow(poller: Poller, interval: float) -> None:
    """First all targets as they are, then what changes; until the reader has gone, or Ctrl-C."""
    scene, told = poller.scene, dict[str, object]()
    _print(list(changes(scene, told, poller.now)))
    while not _is_unread(interval):
        before, scene = scene, poller.poll()
        if scene is not before:
            _print([*_events(scene, before.last_pk), *changes(scene, told, poller.now)])


def _print(shown: list[str]) -> None:
    if shown:
        click.echo("\n".join(shown))
        sys.stdout.flush()


def _events(scene: Scene, after: int) -> Iterator[str]:
    for line in event_lines(scene, after):
        yield f"{_moment(line.at)}  {line.identifier}  {line.sign} {line.text}"


def changes(scene: Scene, told: dict[str, object], now: datetime) -> Iterator[str]:
    """Of targets that are not as in `told`, which is brought up to date; all where nothing was told yet."""
    for row in scene.rows:
        if told.get(row["identifier"]) != _telling(row):
            told[row["identifier"]] = _telling(row)
            yield _status(row, now)
    for name in told.keys() - {row["identifier"] for row in scene.rows}:
        del told[name]
        yield f"{_moment(now)}  {name}  gone"


def _telling(row: Row) -> object:
    """What makes a line; ages do not."""
    named = ("health", "running", "reason", "held_by", "suspended", "override")
    return sync_word(row), [row[name] for name in named]


def _status(row: Row, now: datetime) -> str:
    word = sync_word(row).replace("_", " ")
    parts = [_moment(now), row["identifier"], word, row["health"], short(row["running"] or row["healthy"])]
    return "  ".join([*parts, because(row, now)]).rstrip()


def _moment(moment: datetime) -> str:
    return moment.astimezone().isoformat(timespec="seconds")


def _is_unread(seconds: float) -> bool:
    """Waits; true as soon as nobody reads the output any more."""
    waiting = select.poll()
    waiting.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in waiting.poll(seconds * 1000))
