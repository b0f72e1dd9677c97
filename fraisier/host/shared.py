"""`shared:` entries of a release: links to what outlives it in `app_path/shared`.

The release's tree comes from a repository and `shared/` belongs to the service's user, so neither
is trusted: every folder on the way is opened without following links.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..model.errors import ConfigFault
from ..model.state import Difference
from .beneath import FOLDER, Astray, mode_of, open_folder
from .users import User


def link_shared(shared: str, release: str, entry: str, user: User) -> None:
    """Replaces `entry` of a release that nobody has used yet by a link to `shared/<entry>`, made first where
    it is missing.

    A file of that name in the release seeds it. What looks like a file (`.env`, `local.toml`) is
    never made as a folder: the link waits for somebody to put it there.
    """
    parts = _parts(entry)
    with _descend(release, parts[:-1], entry, user) as inside:
        with _descend(shared, parts[:-1], entry, user) as outside:
            if mode_of(outside, parts[-1]) is None:
                _seed(inside, outside, parts[-1], user)
        _remove(inside, parts[-1])
        _link(inside, parts, user)


def mend_shared(shared: str, release: str, entry: str, user: User) -> None:
    """As `link_shared` for a release that is in use, where the link is not as it should be: what somebody
    put there meanwhile gives way only when nothing is lost with it.

    Raises `ConfigFault` where something would be.
    """
    parts = _parts(entry)
    with _descend(release, parts[:-1], entry, user) as inside:
        if _target_of(inside, parts[-1]) == _target(parts):
            return
        _check_empty(inside, parts[-1], f"{release}/{entry}")
        with _descend(shared, parts[:-1], entry, user) as outside:
            if mode_of(outside, parts[-1]) is None:
                _seed(inside, outside, parts[-1], user)
        _remove_empty(inside, parts[-1], f"{release}/{entry}")
        _link(inside, parts, user)


def shared_difference(release: str, entry: str) -> Difference | None:
    """Whether `entry` of the release is the link that `link_shared` makes. Raises `ConfigFault`, `OSError`."""
    parts = _parts(entry)
    try:
        root = os.open(release, FOLDER)
    except FileNotFoundError:
        return Difference(entry, "missing")
    try:
        with open_folder(root, "/".join(parts[:-1])) as inside:
            is_there = mode_of(inside, parts[-1]) is not None
            is_right = _target_of(inside, parts[-1]) == _target(parts)
    except Astray as astray:
        is_there, is_right = not astray.is_missing, False
    finally:
        os.close(root)
    return None if is_right else Difference(entry, "changed" if is_there else "missing")


def _target(parts: Sequence[str]) -> str:
    """Relative, so that a copied or moved app_path still holds together; two up from releases/<name>."""
    return "/".join([*[".."] * (len(parts) + 1), "shared", *parts])


def _link(inside: int, parts: Sequence[str], user: User) -> None:
    os.symlink(_target(parts), parts[-1], dir_fd=inside)
    if not user.is_me:
        os.chown(parts[-1], user.uid, user.gid, dir_fd=inside, follow_symlinks=False)


def _target_of(folder: int, name: str) -> str | None:
    """None for what is no link, or not there."""
    try:
        return os.readlink(name, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


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
def _descend(root: str, parts: Sequence[str], entry: str, user: User) -> Iterator[int]:
    """The folder that holds the entry, as a file descriptor; made where it is missing."""
    handle = os.open(root, FOLDER)
    try:
        for part in parts:
            handle = _step(handle, part, entry, user)
        yield handle
    finally:
        os.close(handle)


def _step(handle: int, part: str, entry: str, user: User) -> int:
    """Closes `handle` only when the step succeeded, so that its holder always has one to close."""
    try:
        os.mkdir(part, 0o755, dir_fd=handle)
        made = True
    except FileExistsError:
        made = False
    try:
        inner = os.open(part, FOLDER, dir_fd=handle)
    except OSError as error:
        raise ConfigFault(
            f"shared: {part!r} on the way to {entry!r} is not a folder: {error.strerror}",
            code="shared_path",
            hint="links are not followed; share the folder that the link points at",
        ) from error
    os.close(handle)
    if made:
        _own(inner, user)
    return inner


def _own(handle: int, user: User) -> None:
    if not user.is_me:
        os.fchown(handle, user.uid, user.gid)


def _seed(inside: int, outside: int, name: str, user: User) -> None:
    mode = mode_of(inside, name)
    if mode is not None and stat.S_ISREG(mode):
        _copy(inside, outside, name, mode, user)
    elif "." not in name:
        os.mkdir(name, 0o755, dir_fd=outside)
        made = os.open(name, FOLDER, dir_fd=outside)
        try:
            _own(made, user)
        finally:
            os.close(made)


def _copy(inside: int, outside: int, name: str, mode: int, user: User) -> None:
    """Complete or not there at all: the name appears by a rename."""
    fresh = f".{name}.new"
    _remove(outside, fresh)
    with (
        open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=inside), "rb") as source,
        open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777, dir_fd=outside), "wb") as copy,
    ):
        shutil.copyfileobj(source, copy)
        copy.flush()
        _own(copy.fileno(), user)
        os.fsync(copy.fileno())
    os.rename(fresh, name, src_dir_fd=outside, dst_dir_fd=outside)


def _remove(folder: int, name: str) -> None:
    mode = mode_of(folder, name)
    if mode is None:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


def _check_empty(folder: int, name: str, path: str) -> None:
    """Before anything is done for a link that cannot take its place. Raises `ConfigFault`."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        inner = os.open(name, FOLDER, dir_fd=folder)
        try:
            is_empty = not os.listdir(inner)
        finally:
            os.close(inner)
    else:
        is_empty = stat.S_ISLNK(found.st_mode) or (stat.S_ISREG(found.st_mode) and not found.st_size)
    if not is_empty:
        raise _occupied(path)


def _remove_empty(folder: int, name: str, path: str) -> None:
    """Looks again: it may have been filled since."""
    _check_empty(folder, name, path)
    mode = mode_of(folder, name)
    if mode is None:
        return
    try:
        (os.rmdir if stat.S_ISDIR(mode) else os.unlink)(name, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise _occupied(path) from error
        raise


def _occupied(path: str) -> ConfigFault:
    return ConfigFault(
        f"{path} is in the place of a link to what is shared, and not empty",
        code="shared_occupied",
        hint="move what is worth keeping into shared/ and the rest away; the link is then made by itself",
    )
