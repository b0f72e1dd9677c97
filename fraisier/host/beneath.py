"""Opens what lies below a folder that others may write in: part by part, following no link."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""`O_NONBLOCK`: a pipe that took the file's place is opened at once, and then found to be no file."""


class Astray(Exception):
    """A part of the way is no folder: nothing is there (`is_missing`), or something else."""

    def __init__(self, path: str, *, is_missing: bool) -> None:
        super().__init__(path)
        self.path = path
        """Below the root, up to that part."""
        self.is_missing = is_missing


@contextmanager
def open_folder(root: int, path: str) -> Iterator[int]:
    """`path` below the open folder `root`; empty for that itself. Raises `Astray`, `OSError`."""
    handle = os.open(".", FOLDER, dir_fd=root)
    try:
        parts = path.split("/") if path else []
        for depth, part in enumerate(parts, 1):
            inner = _open(handle, part, "/".join(parts[:depth]))
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _open(handle: int, part: str, path: str) -> int:
    try:
        return os.open(part, FOLDER, dir_fd=handle)
    except FileNotFoundError:
        raise Astray(path, is_missing=True) from None
    except NotADirectoryError:
        raise Astray(path, is_missing=False) from None


def mode_of(folder: int, name: str) -> int | None:
    """None when it is not there."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
