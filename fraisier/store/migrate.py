"""Bringing a database file to the schema of this program: numbered steps, forward only.

The number is `PRAGMA user_version`; `schema_migrations` says what was applied when. Each step is one
exclusive transaction, and before it a database that has data is copied to `<file>.before-<number>`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from .. import __version__
from ..model.errors import StoreError
from ..resources import resource
from .connect import BUSY_TIMEOUT, connect_reader
from .errors import translate
from .values import moment

APPLICATION_ID = 0x46524153
"""`FRAS` in the header of the file: tells our databases from other people's."""

MODE = 0o660
"""Of the file: the group may ask (insert requests), others may not read."""

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    program    TEXT NOT NULL,
    applied_at TEXT NOT NULL
) STRICT"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def shipped(folder: Path | None = None) -> tuple[Migration, ...]:
    """The migrations that travel with the program, in order, numbered from 1 without a gap."""
    folder = folder or resource("state", "sqlite")
    found = sorted(path for path in folder.iterdir() if re.fullmatch(r"\d{4}_\w+\.sql", path.name))
    migrations = tuple(Migration(int(path.name[:4]), path.stem, path.read_text("utf-8")) for path in found)
    assert [m.version for m in migrations] == list(range(1, len(migrations) + 1)), "migrations have a gap"
    return migrations


def create(path: str, migrations: tuple[Migration, ...]) -> None:
    """Makes an empty store at `path`, whole or not at all; leaves one that is already there.

    Raises `StoreError` `store_corrupt` when the log of a lost database lies there: SQLite would replay it
    into the new one.
    """
    with _creating(path):
        _refuse_old_log(path)
        _remove_drafts(path)
        _create(path, migrations)


@contextmanager
def _creating(path: str) -> Iterator[None]:
    """One creator per folder at a time, so that other drafts in it are leftovers (flock(2) of the folder)."""
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _refuse_old_log(path: str) -> None:
    left = [name for name in (f"{path}-wal", f"{path}-shm", f"{path}-journal") if os.path.exists(name)]
    # The database is looked for last: one that somebody else made just now has a log too.
    if left and not os.path.exists(path):
        raise StoreError(
            f"{path} is missing, but what belongs to it is there: {', '.join(left)}",
            code="store_corrupt",
            hint=f"Put the database back as {path}; or, when it is lost, move these aside and put a backup in its "
            "place or start without (docs/store.md, Restore).",
        )


def _remove_drafts(path: str) -> None:
    """What a creation that was cut off left; another user's is left alone."""
    folder, name = os.path.split(os.path.abspath(path))
    for found in os.listdir(folder):
        if re.fullmatch(re.escape(name) + r"\.new-[0-9a-f]+(-wal|-shm|-journal)?", found):
            with suppress(PermissionError):
                os.unlink(os.path.join(folder, found))


def _create(path: str, migrations: tuple[Migration, ...]) -> None:
    # Not the process id, which is the same at every start in a container.
    draft = f"{path}.new-{secrets.token_hex(4)}"
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, MODE))
    try:
        os.chmod(draft, MODE)  # whatever the umask
        with closing(_connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            fill(connection, migrations)
        with suppress(FileExistsError):
            os.link(draft, path)
        _sync_folder(path)
    finally:
        os.unlink(draft)


def fill(connection: sqlite3.Connection, migrations: tuple[Migration, ...]) -> None:
    """Gives an empty database the schema."""
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for migration in migrations:
        _apply(connection, migration)
    connection.execute("COMMIT")


def upgrade(path: str, migrations: tuple[Migration, ...]) -> None:
    """Applies what is missing to an existing file. Raises `StoreError` and changes nothing when it may not."""
    with closing(_connect(path)) as connection:
        while (version := check_version(connection, path, migrations)) < len(migrations):
            _upgrade_once(connection, path, migrations[version])


def check_version(connection: sqlite3.Connection, path: str, migrations: tuple[Migration, ...]) -> int:
    """The version of the file; refuses files of newer programs and of other programs."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        raise StoreError(
            f"{path} is a database, but not one of Fraisier's",
            code="store_foreign",
            hint="Name another file with --state, FRAISIER_STATE or server.state.",
        )
    if version > len(migrations):
        raise StoreError(
            f"{path} has schema {version}, and this program ({__version__}) knows up to {len(migrations)}",
            code="store_newer",
            hint=f"Install the newer program again, or go back to the copy {path}.before-{len(migrations) + 1:04d} "
            "(docs/store.md, Restore).",
        )
    return version


def _upgrade_once(connection: sqlite3.Connection, path: str, migration: Migration) -> None:
    connection.execute("BEGIN EXCLUSIVE")
    try:
        # Another process may have been faster; then there is nothing left to do here.
        if connection.execute("PRAGMA user_version").fetchone()[0] == migration.version - 1:
            _back_up(path, f"{path}.before-{migration.version:04d}")
            _apply(connection, migration)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    connection.execute(_TABLE)
    for statement in statements(migration.sql):
        connection.execute(statement)
    if broken := connection.execute("PRAGMA foreign_key_check").fetchone():
        raise StoreError(f"migration {migration.name} breaks a reference of {broken[0]}", code="store_migration")
    connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum, program, applied_at) VALUES (?, ?, ?, ?, ?)",
        (migration.version, migration.name, migration.checksum, __version__, moment(datetime.now(UTC))),
    )
    connection.execute(f"PRAGMA user_version = {migration.version}")


def statements(sql: str) -> Iterator[str]:
    """One by one: `executescript` would commit the transaction that a migration runs in."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _back_up(path: str, copy: str) -> None:
    """The state before the open transaction, complete under its final name or not there at all."""
    draft = f"{copy}.partial"
    Path(draft).unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, MODE & 0o640))
    with closing(connect_reader(path)) as source, closing(sqlite3.connect(draft)) as target:
        source.backup(target)
    os.replace(draft, copy)
    _sync_folder(copy)


def _connect(path: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
    except sqlite3.Error as error:
        raise translate(error, path) from error
    connection.execute("PRAGMA synchronous = FULL")
    # Off while the schema changes (https://sqlite.org/lang_altertable.html#otheralter); checked before each commit.
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def _sync_folder(path: str) -> None:
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
