"""Opening connections: one kind for writing, one for reading beside it, one that leaves no trace."""

from __future__ import annotations

import os
import sqlite3
from urllib.parse import quote

from .errors import translate

BUSY_TIMEOUT = 10.0
"""Seconds that a write waits for the writer of another process."""


def _open(path: str, options: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"file:{quote(os.path.abspath(path))}?{options}",
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,  # transactions begin and end where we say
            check_same_thread=False,  # handed from thread to thread, used by one at a time
            cached_statements=256,
        )
    except sqlite3.Error as error:
        raise translate(error, path) from error
    connection.row_factory = sqlite3.Row
    # No temporary files: a hardened unit may have no folder for them, and SQLite then says "disk I/O error".
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def connect_writer(path: str) -> sqlite3.Connection:
    """For an existing file in WAL mode."""
    connection = _open(path, "mode=rw")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    # A burst of writes may let the log grow; this gives the space back at the next checkpoint.
    connection.execute("PRAGMA journal_size_limit = 67108864")
    return connection


def connect_reader(path: str) -> sqlite3.Connection:
    """Reads beside the writer of the same process."""
    connection = _open(path, "mode=rw")
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA cache_size = -1024")
    return connection


def connect_observer(path: str) -> tuple[sqlite3.Connection, bool]:
    """Reads without writing a byte; True when what it sees is frozen.

    See Note [Reading without a trace].
    """
    if os.path.exists(path + "-shm"):
        return _open(path, "mode=ro&readonly_shm=1"), False
    if not _size(path + "-wal"):
        return _open(path, "mode=ro&immutable=1"), True
    return _open(path, "mode=ro"), False


# Note [Reading without a trace]
# ------------------------------
# SQLite creates `-wal` and `-shm` beside a WAL database even for a connection with mode=ro
# (https://sqlite.org/wal.html#read_only_databases). `plan` writes nothing, so:
#
# - `-shm` exists: somebody has the database open, or died with it open. `readonly_shm=1` maps it
#   read-only, and rebuilds the index of a dead writer's log in memory.
# - neither exists: nobody has it open and the file is whole. `immutable=1` reads it as it stands. A
#   daemon that starts later is not seen by such a connection, so readers ask `fingerprint` before
#   every use and open anew when it moved.
# - a log without its index: the files were copied by hand. Nothing but recovery can read them, and
#   that makes the `-shm` file.


def fingerprint(path: str) -> tuple[int, int, int, bool]:
    """Changes when a database that nobody had open is opened or was changed since."""
    stat = os.stat(path)
    return stat.st_ino, stat.st_mtime_ns, stat.st_size, os.path.exists(path + "-shm")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
