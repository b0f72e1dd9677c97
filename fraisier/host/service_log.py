"""What a service of the `process` manager writes: `.fraisier/service.log`, and `.1` from before."""

from __future__ import annotations

import os
from typing import BinaryIO

from . import files
from .notes import NOTES, make_notes
from .output import last_lines

_LIMIT = 10 << 20
_TAIL_BYTES = 64 << 10


def open_log(app_path: str) -> int:
    """For a service that is about to be started. Raises `OSError`, `ConfigFault`."""
    make_notes(app_path)
    rotate(app_path)
    return os.open(_path(app_path), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def rotate(app_path: str) -> None:
    """Copied and cut, since the service holds it open: a line written in between is lost, as with logrotate's
    copytruncate. At most the last ten mebibytes are kept, so that the disk is safe from a service gone mad.
    """
    path = _path(app_path)
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with os.fdopen(handle, "rb") as file:
        size = os.fstat(handle).st_size
        if size <= _LIMIT:
            return
        file.seek(size - _LIMIT)
        data = file.read(_LIMIT)
        os.ftruncate(handle, 0)
    files.write_durably(f"{path}.1", data)


def last_words(app_path: str, lines: int) -> str:
    """Raises `OSError`."""
    with open_for_reading(_path(app_path)) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        return last_lines(file.read(_TAIL_BYTES), lines, _TAIL_BYTES)


def remove_logs(app_path: str) -> None:
    for path in (_path(app_path), f"{_path(app_path)}.1"):
        files.unlink_durably(path)


def open_for_reading(path: str) -> BinaryIO:
    """Unless it is a link. Raises `OSError`."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _path(app_path: str) -> str:
    return f"{app_path}/{NOTES}/service.log"
