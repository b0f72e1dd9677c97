"""The one thread that writes.

Closures are queued by any thread and run in `BEGIN IMMEDIATE` transactions. Those that wait while a
commit is on its way to the disk share the next one (group commit): each runs in a savepoint of its
own, so that one that fails takes only its own changes back, and each caller returns when the shared
commit is on disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..model.errors import StoreError
from .errors import translate

T = TypeVar("T")
GROUP = 64
"""Closures in one commit at most, so that the first one does not wait for an endless stream."""


@dataclass(slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    durable: bool
    result: Any = None
    done: Future[Any] = field(default_factory=Future)


class Writer:
    """Owns `connection`, which nothing else may use."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._durable = True
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """The result of `work`, once its changes are committed.

        With `durable` they are on disk. Without, they survive the death of the process and not the
        loss of power: for observations that the next cycle makes again. Whatever `work` raises is
        raised here and nothing of it is kept; errors of SQLite come as `StoreError`.
        """
        job = _Job(work, durable)
        with self._wake:
            if self._closing:
                raise StoreError(f"{self._path} is closed", code="store_closed")
            self._jobs.append(job)
            self._wake.notify()
        try:
            result: T = job.done.result()
        except sqlite3.Error as error:
            raise translate(error, self._path) from error
        return result

    def close(self) -> None:
        """Returns when everything queued is committed and the connection is closed; may be called again."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _serve(self) -> None:
        while group := self._next_group():
            self._commit(group)
        self._connection.close()

    def _next_group(self) -> list[_Job]:
        with self._wake:
            while not self._jobs and not self._closing:
                self._wake.wait()
            return self._take_alike()

    def _take_alike(self) -> list[_Job]:
        """Those in front that want the same durability; none when the queue is empty."""
        group: list[_Job] = []
        while self._jobs and len(group) < GROUP and self._jobs[0].durable == (group or self._jobs)[0].durable:
            group.append(self._jobs.popleft())
        return group

    def _commit(self, group: list[_Job]) -> None:
        """Never raises: what goes wrong goes to the callers."""
        try:
            self._begin(group[0].durable)
            finished = [job for job in group if self._attempt(job)]
            self._connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - edge of the thread: every caller waits for an answer
            self._roll_back()
            for job in group:
                if not job.done.done():
                    job.done.set_exception(error)
            return
        for job in finished:
            job.done.set_result(job.result)

    def _begin(self, durable: bool) -> None:
        if durable != self._durable:
            # WAL with NORMAL does not wait for the disk at a commit; the next FULL one covers it too.
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        self._connection.execute("BEGIN IMMEDIATE")

    def _attempt(self, job: _Job) -> bool:
        self._connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(self._connection)
        except BaseException as error:
            # Full disks and failing ones end the whole transaction; then all its jobs have failed.
            if not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO job")
            self._connection.execute("RELEASE job")
            job.done.set_exception(error)
            return False
        self._connection.execute("RELEASE job")
        return True

    def _roll_back(self) -> None:
        # A disk that fails may fail this too; the callers learn of the first error, the next BEGIN of this one.
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
