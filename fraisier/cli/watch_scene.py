"""What there is to watch, read from the store again and again, as seldom as does it justice."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..daemon.assembly import Assembly, assemble
from ..model.errors import FraisierError, Refused
from ..model.names import Scope, TargetId
from ..model.records import Attempt, Event, Store
from ..store import DaemonLock
from .options import Options
from .selection import select
from .status_rows import left, rows_of
from .status_text import sync_word
from .words import parse_moment

Row = Mapping[str, Any]
KEPT_EVENTS = 200


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt that is open."""

    identifier: str
    action: str
    to_revision: str | None
    number: int
    started_at: datetime
    step: str = ""
    """What it is at; empty between steps."""
    step_started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything as it is at one moment."""

    server: str
    rows: Sequence[Row] = ()
    """Trouble first."""
    work: Sequence[Work] = ()
    journal: Sequence[Event] = ()
    """The last events, oldest first."""
    starts: Mapping[tuple[str | None, int | None], Event] = field(default_factory=dict)
    """Of steps, by attempt and position: what an event that ends one has to be read with."""
    last_pk: int = 0
    problem: str = ""
    """Why what is shown may not be what is."""


class Poller:
    """Reads only. While nothing happens `poll` takes half a hundredth of the time, however many targets there are."""

    def __init__(self, options: Options, fraise: str | None, environment: str | None) -> None:
        self._options = options
        self._named = fraise, environment
        self._files: object = None
        self._events = deque[Event](maxlen=KEPT_EVENTS)
        self._starts: dict[tuple[str | None, int | None], Event] = {}
        self._looked_at = self._cost = 0.0
        self._files_seen_at = 0.0
        self._assembly, self._identifiers = self._open(())
        self.scene = self._first()

    @property
    def now(self) -> datetime:
        return self._assembly.host.clock.now()

    def poll(self) -> Scene:
        """The same object while nothing has changed."""
        try:
            self._follow_files()
            moved = self._assembly.store.last_event_pk() != self.scene.last_pk
            if self._is_due(moved=moved):
                self._look()
        except (FraisierError, OSError) as error:  # a daemon that is being updated comes back, and so does its store
            self.scene = replace(self.scene, problem=str(error).partition("\n")[0])
        return self.scene

    # -- the store and the configuration

    def _open(self, known: Collection[str]) -> tuple[Assembly, Sequence[str]]:
        options = self._options
        assembly = assemble(config=options.config, state=options.state, mode="read", tolerant=True)
        files = _fingerprint(assembly)
        try:
            known = [str(id) for id in select(_present(assembly), *self._named)]
        except Refused:
            if not known:  # else what is watched has gone, or cannot be read just now
                raise
        self._files = files
        return assembly, list(known)

    def _follow_files(self) -> None:
        """An edited configuration, and a store that was not there yet."""
        now = time.monotonic()
        if now - self._files_seen_at < 1:
            return
        self._files_seen_at = now
        if _fingerprint(self._assembly) == self._files:
            return
        before = self._assembly
        self._assembly, self._identifiers = self._open(self._identifiers)
        before.store.close()
        self._looked_at = 0.0

    # -- looking

    def _is_due(self, *, moved: bool) -> bool:
        """At once for an event; statuses that change without one are found within a second, or where there are
        so many targets that a look is dear, somewhat later.
        """
        passed = time.monotonic() - self._looked_at
        return passed >= (10 * self._cost if moved else max(1.0, 200 * self._cost))

    def _first(self) -> Scene:
        self.scene = Scene(self._assembly.config.server.name)
        self.scene = replace(self.scene, last_pk=max(0, self._assembly.store.last_event_pk() - KEPT_EVENTS))
        self._look()
        return self.scene

    def _look(self) -> None:
        began = time.monotonic()
        store, last_pk = self._assembly.store, self.scene.last_pk
        for event in _all_after(store, last_pk):
            last_pk = event.pk
            self._take(event)
        seen = Scene(
            server=self._assembly.config.server.name,
            rows=trouble_first(rows_of(self._assembly, self._identifiers)),
            work=tuple(_work(store, attempt) for attempt in self._open_attempts()),
            journal=tuple(self._events),
            starts=dict(self._starts),
            last_pk=last_pk,
            problem=_problem(self._assembly),
        )
        if seen != self.scene:
            self.scene = seen
        self._looked_at = time.monotonic()
        self._cost = self._looked_at - began

    def _open_attempts(self) -> Iterator[Attempt]:
        wanted = set(self._identifiers)
        return (attempt for attempt in self._assembly.store.open_attempts() if str(attempt.target) in wanted)

    def _take(self, event: Event) -> None:
        if not _concerns(event, self._identifiers):
            return
        if event.kind == "step_started":
            self._starts[event.attempt_id, event.position] = event
        elif event.kind == "attempt_closed":
            kept = {each.attempt_id for each in self._events}
            self._starts = {key: start for key, start in self._starts.items() if key[0] in kept}
        self._events.append(event)


def trouble_first(rows: Collection[Row]) -> Sequence[Row]:
    return sorted(rows, key=_rank)


def _rank(row: Row) -> tuple[int, str]:
    """Trouble first; what people arranged is none, and yet more worth a look than what simply runs."""
    arranged = bool(row["suspended"] or row["override"])
    word = sync_word(row)
    if row["health"] in ("degraded", "stopped") and not row["suspended"] and word != "left":
        return 0, row["identifier"]
    order = ("held", "drifted", "unknown", "left", "pending")
    return (order.index(word) + 1 if word in order else 6 if arranged else 7), row["identifier"]


def _present(assembly: Assembly) -> set[TargetId]:
    if assembly.loaded.config is None:
        return {TargetId.parse(row["identifier"]) for row in assembly.store.status_rows()}
    return {*assembly.config.targets, *assembly.loaded.held, *left(assembly)}


def _fingerprint(assembly: Assembly) -> object:
    """Changes when a file of the configuration is written, and when the store appears or is another one."""
    path, store = assembly.config_path, assembly.paths.store
    files = [path, *(sorted(path.iterdir()) if path.is_dir() else ())]
    return [_stat(file, lambda stat: (stat.st_ino, stat.st_mtime_ns, stat.st_size)) for file in files], _stat(
        store, lambda stat: stat.st_ino
    )


def _stat(path: Path, what: Callable[[Any], object]) -> object:
    try:
        return what(path.stat())
    except OSError:
        return None


def _problem(assembly: Assembly) -> str:
    if assembly.loaded.config is None:
        return f"The configuration cannot be used: {assembly.loaded.problems[0]}".partition("\n")[0]
    if DaemonLock(str(assembly.paths.store)).holder() is None:
        return "No daemon is running: this is what was seen last."
    return ""


def _all_after(store: Store, pk: int) -> Iterator[Event]:
    while events := store.events_after(pk):
        yield from events
        pk = events[-1].pk


def _concerns(event: Event, identifiers: Collection[str]) -> bool:
    if event.identifier in identifiers:
        return True
    scope = Scope.parse(event.identifier)
    return scope.target is None and any(scope.covers(TargetId.parse(name)) for name in identifiers)


def _work(store: Store, attempt: Attempt) -> Work:
    (row,) = store.history_rows([str(attempt.target)], limit=1)
    steps = store.attempts_of(attempt.deployment_id)[-1]["steps"]
    work = Work(str(attempt.target), row["action"], row["to_revision"], attempt.number, attempt.started_at)
    if not steps or steps[-1]["status"] != "running":
        return work
    return replace(
        work, step=" ".join(steps[-1]["summary"].split()), step_started_at=parse_moment(steps[-1]["started_at"])
    )
