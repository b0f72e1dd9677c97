"""The store on SQLite: `Store` of fraisier.model, on one file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Literal, Self

from ..model.errors import StoreError
from ..model.names import Scope, TargetId
from ..model.records import Attempt, Closing, Request, RequestState, Status, Wish
from ..model.selection import Pick, Selection
from ..model.state import Approval, Emergency, OpenGate, Override, Quarantine, Recorded, Suspension
from . import arrangements, journal, observations, requests, standing
from .connect import connect_writer
from .errors import translate
from .journal import Entry
from .opening import check_readable, prepare, quick_check, unreadable
from .readers import Readers, observer, reader
from .reading import Reading
from .rebuild import rebuild
from .recorded import RecordedCache
from .values import moment
from .writer import Writer

Mode = Literal["read", "write", "create"]


class SqliteStore(Reading):
    """Safe from any thread, and beside other processes on the same file.

    Writes of the log are on disk when the call returns; that a step has finished, and notes, are so
    with the next one of them, at the latest before the next step begins. Heads and statuses, which
    the next cycle observes again, are written without waiting for the disk.
    """

    def __init__(self, path: str, writer: Writer | None, readers: Readers) -> None:
        super().__init__(readers)
        self.path = path
        self._writer = writer
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
                check_readable(name)
                return cls(name, None, Readers(name, partial(observer, name)))
            prepare(name, create=create)
            return cls(name, Writer(connect_writer(name), name), Readers(name, partial(reader, name)))
        except sqlite3.Error as error:
            raise translate(error, name) from error
        except OSError as error:
            raise unreadable(name, error) from error

    def close(self) -> None:
        if self._writer:
            self._writer.close()
        self._readers.close()

    def check(self) -> None:
        """Reads the whole file; raises `StoreError` `store_corrupt`. For a start after an unclean end."""
        with self._readers.lend() as lent:
            quick_check(lent.connection, self.path)

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
        """Every target that has a past of its own; one that is not in it may be covered by a wider suspension."""
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
        if closing.removed:
            with self._statuses_lock:
                self._known_statuses().pop(attempt.target, None)

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

    # -- what people arrange

    def suspend(self, suspension: Suspension) -> None:
        self._write.run(lambda connection: arrangements.suspend(connection, suspension))

    def resume(self, scope: Scope, by: str, at: datetime) -> int:
        return self._write.run(lambda connection: arrangements.resume(connection, scope, by, at))

    def override(self, target: TargetId, override: Override) -> None:
        self._write.run(lambda connection: arrangements.override(connection, target, override))

    def end_override(self, target: TargetId, by: str, at: datetime) -> bool:
        return self._write.run(lambda connection: arrangements.end_override(connection, target, by, at))

    def approve(self, target: TargetId, approval: Approval) -> None:
        self._write.run(lambda connection: arrangements.approve(connection, target, approval))

    def allow_emergency(self, target: TargetId, emergency: Emergency) -> None:
        self._write.run(lambda connection: arrangements.allow_emergency(connection, target, emergency))

    # -- heads last seen

    def save_heads(
        self, remote: str, heads: Mapping[Selection, Pick], asked: Collection[Selection], at: datetime
    ) -> None:
        work = partial(observations.save_heads, remote=remote, heads=heads, asked=asked, at=at)
        self._write.run(work, durable=False)

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

    def take_request(self, request_id: str, at: datetime) -> bool:
        return self._write.run(lambda connection: requests.take(connection, request_id, at))

    def answer_request(self, request_id: str, state: RequestState, message: str, at: datetime) -> None:
        self._write.run(lambda connection: requests.answer(connection, request_id, state, message, at))
