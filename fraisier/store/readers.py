"""Connections for reading, lent to one thread at a time.

A pool rather than one per thread: as many as ever read at the same moment, whatever threads come and
go, and all of them can be closed.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..model.errors import StoreError
from .connect import connect_observer, connect_reader, fingerprint
from .errors import translate


@dataclass(slots=True)
class Reader:
    connection: sqlite3.Connection
    frozen: tuple[int, int, int, bool] | None = None
    """Set for connections that see the file as it was; good as long as its fingerprint is this."""
    version: int = -1
    """`PRAGMA data_version` when last asked; changes when another connection has committed."""

    def moved(self) -> bool:
        """Whether anything was committed since this reader was last asked."""
        version: int = self.connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self.version:
            return False
        self.version = version
        return True


class Readers:
    def __init__(self, path: str, make: Callable[[], Reader]) -> None:
        self._path = path
        self._make = make
        self._idle: deque[Reader] = deque()
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[Reader]:
        """Errors of SQLite inside the block come out as `StoreError`."""
        if self._closed:
            raise StoreError(f"{self._path} is closed", code="store_closed")
        try:
            reader = self._take()
            try:
                yield reader
            finally:
                self._give_back(reader)
        except sqlite3.Error as error:
            raise translate(error, self._path) from error

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """As `lend`, and every query in the block sees the same moment."""
        with self.lend() as reader:
            reader.connection.execute("BEGIN")
            try:
                yield reader.connection
            finally:
                if reader.connection.in_transaction:
                    reader.connection.execute("COMMIT")

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().connection.close()

    def _take(self) -> Reader:
        try:
            reader = self._idle.pop()
        except IndexError:
            return self._make()
        if reader.frozen and reader.frozen != fingerprint(self._path):
            reader.connection.close()
            return self._make()
        return reader

    def _give_back(self, reader: Reader) -> None:
        if self._closed:
            reader.connection.close()
        else:
            self._idle.append(reader)


def reader(path: str) -> Reader:
    return Reader(connect_reader(path))


def observer(path: str) -> Reader:
    """Leaves no trace; see Note [Reading without a trace]."""
    before = fingerprint(path)
    connection, frozen = connect_observer(path)
    return Reader(connection, before if frozen else None)
