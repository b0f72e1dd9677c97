"""Small files that survive a power cut, and how a disk's errors are told."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from ..model.errors import ConfigFault, Transient
from .mounts import mounted_below

FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_UNUSABLE = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}


def write_durably(path: str, data: bytes, mode: int = 0o600) -> None:
    """Replaces `path` in one step: after a crash it holds the old bytes or the new ones, never a part.

    The temporary name is fixed, so that a crash leaves at most one leftover and the next write takes it.
    """
    _replace(path, data, mode, is_synced=True)
    sync_folder(os.path.dirname(path))


def write_for_sync(path: str, data: bytes, mode: int = 0o600) -> None:
    """As `write_durably`, as far as a `kill -9` goes; a power cut it survives from the next `sync_file_system` on."""
    _replace(path, data, mode, is_synced=False)


def _replace(path: str, data: bytes, mode: int, *, is_synced: bool) -> None:
    folder, name = os.path.split(path)
    fresh = os.path.join(folder, f".{name}.new")
    with _without(fresh):
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(data)
            file.flush()
            if is_synced:
                os.fsync(handle)
        os.rename(fresh, path)


@contextmanager
def _without(leftover: str) -> Iterator[None]:
    """Removes a leftover before and, when the block fails, after."""
    _unlink_if_there(leftover)
    try:
        yield
    except BaseException:
        _unlink_if_there(leftover)
        raise


def _unlink_if_there(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def unlink_durably(path: str) -> bool:
    """Whether there was something to remove."""
    removed = _unlink_if_there(path)
    if removed:
        sync_folder(os.path.dirname(path))
    return removed


def sync_folder(folder: str) -> None:
    """Makes renames and removals in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file_system(path: str) -> None:
    """Everything written so far to the file system of `path` is on disk when this returns (syncfs(2)).

    For trees that other programs wrote: a release of ten thousand files costs one call, not ten thousand.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(handle)


def exchange(one: str, other: str) -> bool:
    """Swaps two names in one step (renameat2(2)); False where kernel or file system cannot. Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    swapped: int = libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _RENAME_EXCHANGE)
    number = ctypes.get_errno()
    if swapped != 0 and number not in _NO_EXCHANGE:
        raise OSError(number, os.strerror(number), one, None, other)
    return swapped == 0


_HERE = -100  # AT_FDCWD
_RENAME_EXCHANGE = 2
_NO_EXCHANGE = {errno.EINVAL, errno.ENOSYS}


def read_bytes(path: str) -> bytes | None:
    """None when it is not there."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def remove_tree(path: str) -> None:
    """Removes a directory, a link or a file, never following links; nothing to do when it is not there.

    Directories that a build made read-only (Go's module cache) are opened up first when need be. Raises
    `OSError` (EBUSY), having removed nothing, where something is mounted in it: that is not ours.
    """
    place = mounted_below(path)
    if place is not None:
        raise OSError(errno.EBUSY, "something is mounted there, and left alone", place)
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except PermissionError:
        _open_up(path)
        shutil.rmtree(path)


def _open_up(path: str) -> None:
    os.chmod(path, 0o700)
    for folder, children, _, _ in os.fwalk(path):
        for child in children:
            name = os.path.join(folder, child)
            if not os.path.islink(name):
                os.chmod(name, 0o700)


def shown(path: str | bytes) -> str:
    """A path for people, the journal and the terminal: what is no text in it, or cannot be seen, is escaped."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turns an `OSError` into what must happen next: `what` says what was being done, and where."""
    try:
        yield
    except OSError as error:
        raise as_fault(what, error) from error


def as_fault(what: str, error: OSError) -> Transient | ConfigFault:
    reason = error.strerror or str(error)
    where = f" ({shown(error.filename)})" if isinstance(error.filename, str | bytes) else ""
    message = f"{what}: {reason}{where}"
    if error.errno in FULL:
        return Transient(message, code="disk_full", hint="free space on that file system; it is tried again by itself")
    if error.errno in _DENIED:  # mended on the machine, without a change of the configuration
        who = "make it writable for the user Fraisier runs as (under systemd also: ReadWritePaths=), or name another"
        return Transient(message, code="path_denied", hint=f"{who}; it is tried again by itself")
    if error.errno in _UNUSABLE:
        return ConfigFault(message, code="path_unusable", hint="name a path that can be a folder")
    return Transient(message, code="disk_failed", hint="look at the kernel's log (dmesg); it is tried again by itself")
