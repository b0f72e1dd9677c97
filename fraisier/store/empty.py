"""A store that does not exist yet, for those who only read."""

from __future__ import annotations

import os
import sqlite3

from ..model.records import Store
from . import migrate
from .opening import missing
from .readers import Reader, Readers
from .sqlite import Mode, SqliteStore
from .writer import Writer


class EmptyStore(SqliteStore):
    """Answers as a store in which nothing was ever recorded; refuses to be written to with `store_missing`.

    The answers come from the real queries on the real schema, in memory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        name = os.path.abspath(path)
        super().__init__(name, None, Readers(name, _in_memory))

    @property
    def _write(self) -> Writer:
        raise missing(self.path)


def _in_memory() -> Reader:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    migrate.fill(connection, migrate.shipped())
    return Reader(connection)


def open_store(path: str | os.PathLike[str], mode: Mode) -> Store:
    """The store at `path`.

    `read` writes nothing, on no account; `write` writes to an existing file; `create` makes one. Where
    there is none and none is made, it is an `EmptyStore`. Raises `StoreError` as `SqliteStore.open`.
    """
    if mode != "create" and not os.path.lexists(path):
        return EmptyStore(path)
    return SqliteStore.open(path, create=mode == "create", read_only=mode == "read")
