"""`shared:` entries of a release: links to what outlives it in `app_path/shared`.

The release's tree comes from a repository and `shared/` belongs to the service's user, so neither
is trusted: every folder on the way is opened without following links.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..model.errors import ConfigFault

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Own = Callable[[int], None]
"""Gives what was made, by its file descriptor, to the service's user."""


def link_shared(shared: str, release: str, entry: str, own: Own) -> None:
    """Replaces `entry` of the release by a link to `shared/<entry>`, made first where it is missing.

    A file of that name in the release seeds it. What looks like a file (`.env`, `local.toml`) is
    never made as a folder: the link waits for somebody to put it there.
    """
    parts = _parts(entry)
    with _descend(release, parts[:-1], entry, own) as inside:
        with _descend(shared, parts[:-1], entry, own) as outside:
            if _mode(outside, parts[-1]) is None:
                _seed(inside, outside, parts[-1], own)
        _remove(inside, parts[-1])
        # Relative, so that a copied or moved app_path still holds together; two up from releases/<name>.
        target = "/".join([*[".."] * (len(parts) + 1), "shared", *parts])
        os.symlink(target, parts[-1], dir_fd=inside)


def _parts(entry: str) -> Sequence[str]:
    parts = entry.rstrip("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise ConfigFault(
            f"shared: {entry!r} is not a path below the release",
            code="shared_path",
            hint="write it relative to the repository's root, without . and ..",
        )
    return parts


@contextmanager
def _descend(root: str, parts: Sequence[str], entry: str, own: Own) -> Iterator[int]:
    """The folder that holds the entry, as a file descriptor; made where it is missing."""
    handle = os.open(root, _FOLDER)
    try:
        for part in parts:
            handle = _step(handle, part, entry, own)
        yield handle
    finally:
        os.close(handle)


def _step(handle: int, part: str, entry: str, own: Own) -> int:
    """Closes `handle` only when the step succeeded, so that its holder always has one to close."""
    try:
        os.mkdir(part, 0o755, dir_fd=handle)
        made = True
    except FileExistsError:
        made = False
    try:
        inner = os.open(part, _FOLDER, dir_fd=handle)
    except OSError as error:
        raise ConfigFault(
            f"shared: {part!r} on the way to {entry!r} is not a folder: {error.strerror}",
            code="shared_path",
            hint="links are not followed; share the folder that the link points at",
        ) from error
    os.close(handle)
    if made:
        own(inner)
    return inner


def _mode(folder: int, name: str) -> int | None:
    """None when it is not there."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _seed(inside: int, outside: int, name: str, own: Own) -> None:
    mode = _mode(inside, name)
    if mode is not None and stat.S_ISREG(mode):
        _copy(inside, outside, name, mode, own)
    elif "." not in name:
        os.mkdir(name, 0o755, dir_fd=outside)
        made = os.open(name, _FOLDER, dir_fd=outside)
        try:
            own(made)
        finally:
            os.close(made)


def _copy(inside: int, outside: int, name: str, mode: int, own: Own) -> None:
    """Complete or not there at all: the name appears by a rename."""
    fresh = f".{name}.new"
    _remove(outside, fresh)
    with (
        open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=inside), "rb") as source,
        open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777, dir_fd=outside), "wb") as copy,
    ):
        shutil.copyfileobj(source, copy)
        copy.flush()
        own(copy.fileno())
        os.fsync(copy.fileno())
    os.rename(fresh, name, src_dir_fd=outside, dst_dir_fd=outside)


def _remove(folder: int, name: str) -> None:
    mode = _mode(folder, name)
    if mode is None:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)
