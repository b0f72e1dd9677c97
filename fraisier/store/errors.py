"""What SQLite complains about, as errors that people can act on."""

from __future__ import annotations

import sqlite3

from ..model.errors import StoreError

RESTORE = (
    "Stop the daemon, move {path}, {path}-wal and {path}-shm aside, and put a backup in place as {path} "
    "(docs/store.md, Restore). With no backup, start without the file: history is lost, deployments are not touched."
)

_BY_CODE = {
    sqlite3.SQLITE_CORRUPT: ("store_corrupt", "the database {path} is corrupt: {error}", RESTORE),
    sqlite3.SQLITE_NOTADB: ("store_corrupt", "{path} is not a database: {error}", RESTORE),
    sqlite3.SQLITE_FULL: (
        "disk_full",
        "no space left for {path}",
        "Free space on its file system; nothing was recorded and the same thing is tried again.",
    ),
    sqlite3.SQLITE_READONLY: (
        "store_read_only",
        "{path} cannot be written: {error}",
        "Run as the user that owns the file, or look whether its file system is mounted read-only.",
    ),
    sqlite3.SQLITE_BUSY: (
        "store_busy",
        "{path} is kept locked by another process",
        "Look who has it open (fuser {path}); a long transaction in an sqlite3 shell does this.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "store_unreadable",
        "{path} cannot be opened",
        "Its folder must exist, and both must be readable and writable for this user.",
    ),
    sqlite3.SQLITE_PERM: (
        "store_unreadable",
        "{path} cannot be opened: {error}",
        "Run as the user that owns the file.",
    ),
    sqlite3.SQLITE_IOERR: (
        "store_io",
        "the disk under {path} fails: {error}",
        "Look at the kernel's log (journalctl -k) and at the free space; nothing was recorded.",
    ),
    sqlite3.SQLITE_CONSTRAINT: (
        "store_refused",
        "the database refused a row: {error}",
        "This is a rule of the store, not a fault of the disk; please report it with the command that led here.",
    ),
}
_BY_CODE[sqlite3.SQLITE_LOCKED] = _BY_CODE[sqlite3.SQLITE_BUSY]
_OTHER = ("store_failed", "the database {path} failed: {error}", "Please report it with the command that led here.")


def primary_code(error: sqlite3.Error) -> int:
    """The result code without its extension; -1 for errors that Python itself raises."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code


def translate(error: sqlite3.Error, path: str) -> StoreError:
    """A `StoreError` with a code, a sentence and a hint for whatever SQLite raised."""
    code, message, hint = _BY_CODE.get(primary_code(error), _OTHER)
    return StoreError(message.format(path=path, error=error), code=code, hint=hint.format(path=path))
