"""The store on SQLite: `Store` of fraisier.model, on one file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any, Literal, Self

from ..model.errors import StoreError
from ..model.names import TargetId
from ..model.records import Attempt, Closing, Event, Request, RequestState, Status, Wish
from ..model.state import Head, OpenGate, Quarantine, Recorded
from . import journal, migrate, observations, queries, requests, standing
from .connect import connect_observer, connect_writer
from .errors import RESTORE, translate
from .journal import Entry
from .readers import Readers, observer, reader
from .rebuild import rebuild
from .recorded import RecordedCache
from .values import moment
from .writer import Writer

Mode = Literal["read", "write", "create"]

QUICK_CHECK_BYTES = 50_000_000
"""Files up to this size are checked whenever they are opened for writing; larger ones by `check()`."""


class SqliteStore:
    """Safe from any thread, and beside other processes on the same file.

    Writes of the log are on disk when the call returns; that a step has finished, and notes, are so
    with the next one of them, at the latest before the next step begins. Heads and statuses, which
    the next cycle observes again, are written without waiting for the disk.
    """

    def __init__(self, path: str, writer: Writer | None, readers: Readers) -> None:
        self.path = path
        self._writer = writer
        self._readers = readers
        self._recorded = RecordedCache(self._readers)
        self._statuses: dict[TargetId, Status] | None = None
        self._statuses_lock = threading.Lock()

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = False, read_only: bool = False) -> Self:
        """Opens the file at `path`, brought to the schema of this program.

        `create` makes it where there is none. `read_only` writes nothing at all, not even beside the
        file, and so refuses a file of an older program. Raises `StoreError`: `store_missing`,
        `store_newer`, `store_older`, `store_corrupt`, `store_foreign`, `store_unreadable`,
        `store_read_only`, `disk_full`, `store_busy`.
        """
        name = os.path.abspath(path)
        try:
            if read_only:
                _check_readable(name)
                return cls(name, None, Readers(name, partial(observer, name)))
            _prepare(name, create=create)
            return cls(name, Writer(connect_writer(name), name), Readers(name, partial(reader, name)))
        except sqlite3.Error as error:
            raise translate(error, name) from error
        except OSError as error:
            raise _unreadable(name, error) from error

    def close(self) -> None:
        if self._writer:
            self._writer.close()
        self._readers.close()

    def check(self) -> None:
        """Reads the whole file; raises `StoreError` `store_corrupt`. For a start after an unclean end."""
        with self._readers.lend() as lent:
            _quick_check(lent.connection, self.path)

    def rebuild_projections(self) -> None:
        """Makes every projection that follows from the log anew; they are equal before and after."""
        self._write.run(rebuild)

    @property
    def _write(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"{self.path} was opened for reading only", code="store_read_only")
        return self._writer

    # -- what the planner needs

    def recorded(self, target: TargetId) -> Recorded:
        return self._recorded.one(target)

    def recorded_all(self) -> Mapping[TargetId, Recorded]:
        """Every target that has any past; a target that is not in it has `Recorded()`."""
        return self._recorded.all()

    # -- attempts and their journal

    def open_attempt(self, wish: Wish, *, at: datetime, deadline_at: datetime) -> Attempt:
        return self._write.run(lambda connection: journal.open_attempt(connection, wish, at, deadline_at))

    def step_started(self, attempt: Attempt, position: int, kind: str, summary: str, at: datetime) -> None:
        entry = Entry("step_started", attempt.target, at, attempt, step=kind, position=position, message=summary)
        self._event(entry)

    def step_finished(self, attempt: Attempt, position: int, kind: str, at: datetime) -> None:
        self._event(Entry("step_finished", attempt.target, at, attempt, step=kind, position=position), durable=False)

    def step_failed(self, attempt: Attempt, position: int, kind: str, message: str, at: datetime) -> None:
        self._event(Entry("step_failed", attempt.target, at, attempt, step=kind, position=position, message=message))

    def note(self, attempt: Attempt, message: str, at: datetime) -> None:
        self._event(Entry("note", attempt.target, at, attempt, message=message), durable=False)

    def gate_opened(self, attempt: Attempt, gate: OpenGate, at: datetime) -> None:
        data = {
            "release": gate.release,
            "runtime_digest": gate.runtime_digest,
            "deadline_at": moment(gate.deadline_at),
        }
        self._event(Entry("gate_opened", attempt.target, at, attempt, data=data))

    def _event(self, entry: Entry, *, durable: bool = True) -> None:
        self._write.run(lambda connection: journal.write(connection, entry), durable=durable)

    def close_attempt(self, attempt: Attempt, closing: Closing) -> None:
        """Raises `StoreError` `attempt_closed` when it is closed already."""
        self._write.run(lambda connection: journal.close_attempt(connection, attempt, closing))

    def open_attempts(self) -> Sequence[Attempt]:
        with self._readers.lend() as lent:
            return journal.open_attempts(lent.connection)

    # -- standing facts about a target

    def quarantine(self, target: TargetId, entry: Quarantine, attempt: Attempt | None = None) -> None:
        self._write.run(lambda connection: standing.quarantine(connection, target, entry, attempt))

    def lift(self, target: TargetId, by: str, at: datetime, *, sha: str | None = None) -> int:
        """Counts quarantines and back-off alike. With `sha`, quarantines of every revision end too."""
        return self._write.run(lambda connection: standing.lift(connection, target, by, at, sha))

    def accept_rewind(self, target: TargetId, sha: str, by: str, at: datetime) -> None:
        self._write.run(lambda connection: standing.accept_rewind(connection, target, sha, by, at))

    def force(self, target: TargetId, by: str, at: datetime) -> None:
        self._write.run(lambda connection: standing.force(connection, target, by, at))

    # -- heads last seen

    def save_heads(self, remote: str, heads: Mapping[str, str], asked: Collection[str], at: datetime) -> None:
        work = partial(observations.save_heads, remote=remote, heads=heads, asked=asked, at=at)
        self._write.run(work, durable=False)

    def heads(self, remote: str) -> Mapping[str, Head]:
        with self._readers.lend() as lent:
            return observations.load_heads(lent.connection, remote)

    # -- status

    def save_status(self, statuses: Sequence[Status], at: datetime) -> None:
        """Compares with what this object last wrote: only the holder of the daemon's lock calls it."""
        with self._statuses_lock:
            known = self._known_statuses()
            changed = [status for status in statuses if known.get(status.id) != status]
            if changed:
                self._write.run(partial(observations.save_statuses, statuses=changed, at=at), durable=False)
                known.update({status.id: status for status in changed})

    def _known_statuses(self) -> dict[TargetId, Status]:
        if self._statuses is None:
            with self._readers.lend() as lent:
                self._statuses = observations.load_statuses(lent.connection)
        return self._statuses

    # -- requests

    def add_request(self, request: Request) -> None:
        self._write.run(lambda connection: requests.add(connection, request))

    def pending_requests(self) -> Sequence[Request]:
        """Oldest first."""
        with self._readers.lend() as lent:
            return requests.in_state(lent.connection, "pending")

    def taken_requests(self) -> Sequence[Request]:
        """Taken and never answered, oldest first: after a crash, what the next start has to see to."""
        with self._readers.lend() as lent:
            return requests.in_state(lent.connection, "taken")

    def take_request(self, request_id: str, at: datetime) -> bool:
        return self._write.run(lambda connection: requests.take(connection, request_id, at))

    def answer_request(self, request_id: str, state: RequestState, message: str, at: datetime) -> None:
        self._write.run(lambda connection: requests.answer(connection, request_id, state, message, at))

    def request_state(self, request_id: str) -> tuple[RequestState, str]:
        """Raises `StoreError` `unknown_request`."""
        with self._readers.lend() as lent:
            return requests.state_of(lent.connection, request_id)

    # -- reading

    def status_rows(self, identifiers: Collection[str] | None = None) -> Sequence[Mapping[str, Any]]:
        with self._readers.lend() as lent:
            return queries.status_rows(lent.connection, identifiers)

    def history_rows(
        self, identifiers: Collection[str] | None = None, *, limit: int = 20, before: str | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """`before`: the `id` of the last row of the page before. Raises `StoreError` `unknown_deployment`."""
        with self._readers.snapshot() as connection:
            return queries.history_rows(connection, identifiers, limit, before)

    def stats_rows(self, identifiers: Collection[str] | None = None) -> Sequence[Mapping[str, Any]]:
        """`data` of `v_deployment_stats`."""
        with self._readers.lend() as lent:
            return queries.stats_rows(lent.connection, identifiers)

    def quarantine_rows(self, identifiers: Collection[str] | None = None) -> Sequence[Mapping[str, Any]]:
        """`data` of `v_quarantine`."""
        with self._readers.lend() as lent:
            return queries.quarantine_rows(lent.connection, identifiers)

    def events_after(self, pk: int, *, identifier: str | None = None, limit: int = 500) -> Sequence[Event]:
        with self._readers.lend() as lent:
            return queries.events_after(lent.connection, pk, identifier, limit)

    def last_event_pk(self) -> int:
        with self._readers.lend() as lent:
            return queries.last_event_pk(lent.connection)

    def attempts_of(self, deployment_id: str) -> Sequence[Mapping[str, Any]]:
        with self._readers.snapshot() as connection:
            return queries.attempts_of(connection, deployment_id)


def _prepare(path: str, *, create: bool) -> None:
    """The file is there, whole, and has the schema of this program."""
    if not os.path.exists(path):
        if not create:
            raise missing(path)
        migrate.create(path, migrate.shipped())
    migrate.upgrade(path, migrate.shipped())
    if os.stat(path).st_size <= QUICK_CHECK_BYTES:
        with closing(connect_writer(path)) as connection:
            _quick_check(connection, path)


def _check_readable(path: str) -> None:
    if not os.path.exists(path):
        raise missing(path)
    connection, _ = connect_observer(path)
    with closing(connection):
        migrations = migrate.shipped()
        version = migrate.check_version(connection, path, migrations)
    if version < len(migrations):
        raise StoreError(
            f"{path} has schema {version}, and this program reads {len(migrations)}",
            code="store_older",
            hint="Restart the daemon with this program: it brings the file up to date and keeps a copy of it.",
        )


def _quick_check(connection: sqlite3.Connection, path: str) -> None:
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise StoreError(
            f"the database {path} is corrupt: {answer}", code="store_corrupt", hint=RESTORE.format(path=path)
        )


def missing(path: str) -> StoreError:
    return StoreError(
        f"there is no store at {path}",
        code="store_missing",
        hint="The first `fraisier daemon` or `fraisier deploy` makes it; or name another with --state.",
    )


def _unreadable(path: str, error: OSError) -> StoreError:
    code = "disk_full" if error.errno == 28 else "store_unreadable"
    return StoreError(
        f"{path} cannot be opened: {error.strerror}",
        code=code,
        hint="Its folder must exist, have space, and be readable and writable for this user.",
    )
