"""Tells when the configuration was edited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from watchfiles import Change, awatch

SETTLE_MS = 50
"""Editors write in several moves; changes that close together are one."""


def fingerprint(path: Path) -> object:
    """Changes when the file behind `path`, or one of the files in the folder, was changed or replaced."""
    files = sorted(path.glob("*.y*ml")) if path.is_dir() else [path]
    found = []
    for file in files:
        with suppress(OSError):
            stat = file.stat()
            found.append((file.name, stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


async def watch_configuration(path: Path, changed: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Calls `changed` after each edit until `stop` is set.

    Watches the folder, not the file: editors and `mv` replace files, and a symbolic link may be
    pointed elsewhere.
    """
    folder = path if path.is_dir() else path.parent
    name = None if path.is_dir() else path.name

    def concerns(change: Change, edited: str) -> bool:
        del change
        file = Path(edited)
        return file.name == name if name is not None else file.suffix in (".yaml", ".yml")

    async for _ in awatch(
        folder, watch_filter=concerns, stop_event=stop, debounce=SETTLE_MS, step=10, recursive=False, rust_timeout=5000
    ):
        await changed()
