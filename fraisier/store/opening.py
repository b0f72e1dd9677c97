"""What is looked at before a file is used as a store."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from ..model.errors import StoreError
from . import migrate
from .connect import connect_observer, connect_writer
from .errors import RESTORE

QUICK_CHECK_BYTES = 50_000_000
"""Files up to this size are checked whenever they are opened for writing; larger ones by `SqliteStore.check()`."""


def prepare(path: str, *, create: bool) -> None:
    """The file is there, whole, and has the schema of this program."""
    if not os.path.exists(path):
        if not create:
            raise missing(path)
        migrate.create(path, migrate.shipped())
    migrate.upgrade(path, migrate.shipped())
    if os.stat(path).st_size <= QUICK_CHECK_BYTES:
        with closing(connect_writer(path)) as connection:
            quick_check(connection, path)


def check_readable(path: str) -> None:
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


def quick_check(connection: sqlite3.Connection, path: str) -> None:
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


def unreadable(path: str, error: OSError) -> StoreError:
    code = "disk_full" if error.errno == 28 else "store_unreadable"
    return StoreError(
        f"{path} cannot be opened: {error.strerror}",
        code=code,
        hint="Its folder must exist, have space, and be readable and writable for this user.",
    )
