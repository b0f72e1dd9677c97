"""Whose folders `app_path` is made of, and what is kept in `.fraisier` out of everybody's reach.

A release may belong to the service's user, who can rewrite all of it at any time. What root acts
on is therefore kept in `.fraisier`, and the folders on the way there must belong to nobody who
could swap them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from ..model.errors import ConfigFault, RevisionFault
from . import files
from .beneath import FILE, FOLDER, Astray, open_folder

NOTES = ".fraisier"

_KEPT = "kept"
_LARGEST_KEPT = 1 << 20
_NOT_A_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}


def check_notes(app_path: str) -> os.stat_result | None:
    """Where `app_path` belongs to the service's user, that user could put notes of its own in our place
    and have root start what it likes. None when there is no such folder yet.

    Raises `ConfigFault`.
    """
    path = f"{app_path}/{NOTES}"
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise ConfigFault(
            f"{path} is not a folder of ours with mode 0700",
            code="notes_not_ours",
            hint="look who made it; when it may go, remove it and deploy again",
        )
    return found


def check_folders(app_path: str) -> None:
    """That nobody but root and us can swap `app_path`, `releases` or `.fraisier` under our hands, as far
    as they are there. Raises `ConfigFault`; a change goes on only after that.
    """
    for path in (app_path, f"{app_path}/releases"):
        _check_ours(path)
    check_notes(app_path)


def _check_ours(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    me = os.geteuid()
    if me and found.st_uid == me:  # no user of less power than ours is kept away here, and our umask may be 002
        return
    others_write = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
    if stat.S_ISDIR(found.st_mode) and found.st_uid in (0, me) and not others_write:
        return
    if not stat.S_ISLNK(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    raise _not_ours(path, found)


def _not_ours(path: str, found: os.stat_result) -> ConfigFault:
    what = "is a link" if stat.S_ISLNK(found.st_mode) else f"has mode {stat.S_IMODE(found.st_mode):04o}"
    owner = "root" if os.geteuid() == 0 else "<the user Fraisier runs as>"
    mend = f"chown {owner} {path}; chmod go-w {path}; what the service writes belongs into shared/"
    return ConfigFault(
        f"{path} belongs to user {found.st_uid} and {what}: others than Fraisier could swap what is in it",
        code="app_path_not_ours",
        hint=f"make it a folder; {mend}" if stat.S_ISLNK(found.st_mode) else mend,
    )


def make_notes(app_path: str) -> None:
    """`.fraisier` is there and ours. Raises `ConfigFault`, `OSError`."""
    _check_ours(app_path)
    path = f"{app_path}/{NOTES}"
    if not os.path.lexists(path):
        os.mkdir(path, 0o700)
    check_notes(app_path)


# -- files of releases that are kept ------------------------------------------------------------


def keep(app_path: str, release: str, tree: str, names: Iterable[str]) -> None:
    """Copies these files of `tree`, while it is still nobody's but ours, to where only we can write.

    Replaces what was kept of that release. Raises `RevisionFault` for what is no regular file in it
    of at most 1 MiB; a link is none, since it could lead to any file.
    """
    remove_kept(app_path, release)
    for name in names:
        content = _content(tree, name)
        path = _kept(app_path, release, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        files.write_durably(path, content)


def read_kept(app_path: str, release: str, name: str) -> bytes:
    """Raises `RevisionFault` when it was not kept, `ConfigFault` where others may have written it."""
    check_folders(app_path)
    if ".." in name.split("/"):
        raise _missing(name)
    content = files.read_bytes(_kept(app_path, release, name))
    if content is None:
        raise _missing(name)
    return content


def remove_kept(app_path: str, release: str) -> None:
    files.remove_tree(f"{app_path}/{NOTES}/{_KEPT}/{release}")


def _kept(app_path: str, release: str, name: str) -> str:
    return f"{app_path}/{NOTES}/{_KEPT}/{release}/{name}"


def _content(tree: str, name: str) -> bytes:
    try:
        handle = _open_beneath(tree, name)
    except OSError as error:
        if error.errno in _NOT_A_FILE:
            raise _missing(name) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _missing(name)
        with open(handle, "rb", closefd=False) as file:
            content = file.read(_LARGEST_KEPT + 1)
    finally:
        os.close(handle)
    if len(content) > _LARGEST_KEPT:
        raise RevisionFault(
            f"{name} is larger than 1 MiB", code="unit_file_too_large", hint="correct unit_file, or make it smaller"
        )
    return content


def _open_beneath(tree: str, name: str) -> int:
    """Part by part, so that no folder on the way is a link either. Raises `OSError`."""
    *folders, last = [part for part in name.split("/") if part not in ("", ".")] or [".."]
    if ".." in (*folders, last):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    root = os.open(tree, FOLDER)
    try:
        with open_folder(root, "/".join(folders)) as handle:
            return os.open(last, FILE, dir_fd=handle)
    except Astray:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None
    finally:
        os.close(root)


def _missing(name: str) -> RevisionFault:
    return RevisionFault(
        f"there is no file {name} in the release",
        code="unit_file_missing",
        hint="commit the unit file (not a link), or correct unit_file",
    )
