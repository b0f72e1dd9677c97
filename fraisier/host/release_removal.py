"""Removes releases, and all that Fraisier made under an `app_path`.

Whatever is removed may be half removed by a `kill -9`; the order is such that the rest is still known
as ours, and never taken for something whole.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from uuid import uuid4

from ..model.errors import ConfigFault
from ..model.names import SHA
from . import files, notes
from .layouts import read_current
from .mounts import mounted_below
from .release_paths import NAME, Paths

LEFTOVER = (".new-", ".old-")
_RELEASE = re.compile(rf"{SHA.pattern}(?:\.[0-9a-f]{{8}}(?:\.[0-9]+)?)?")
"""As releases are named: after a commit, with the beginning of the build's digest where that name was taken."""
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST}


def remove_release(paths: Paths, release: str) -> None:
    """The seal goes first: never a sealed release that is half removed. One in which something is mounted is
    left as it is.
    """
    if mounted_below(paths.release(release)) is not None:
        return
    files.unlink_durably(paths.seal(release))
    notes.remove_kept(paths.app, release)
    path = paths.release(release)
    if os.path.lexists(path):
        old = f"{paths.releases}/.old-{uuid4().hex[:8]}"
        os.rename(path, old)
        files.remove_tree(old)
    files.remove_tree(paths.files_of(release))


def remove_leftovers(folder: str) -> None:
    for name in os.listdir(folder):
        if name.startswith(LEFTOVER):
            files.remove_tree(f"{folder}/{name}")


def remove_app(app_path: str) -> None:
    """The folder of our notes goes last: as long as it is there, there is something left to do, and
    without it nothing there is known to be ours.

    Raises `ConfigFault` where others than Fraisier could have put what is there; `OSError`.
    """
    paths = Paths(app_path)
    notes.check_folders(app_path)
    place = mounted_below(paths.releases)
    if place is not None:
        raise ConfigFault(
            f"{files.shown(place)} is mounted below {app_path}: nothing was removed",
            code="mounted",
            hint="unmount it, and ask again",
        )
    if os.path.lexists(paths.notes):
        if read_current(paths.current) is not None:
            os.unlink(paths.current)
        if os.path.isdir(paths.releases):
            _remove_releases(paths)
        files.remove_tree(paths.notes)
    _remove_folder(app_path)


def _remove_releases(paths: Paths) -> None:
    for name in sorted(os.listdir(paths.releases)):
        if _is_ours(paths, name):
            remove_release(paths, name)
    remove_leftovers(paths.releases)
    _remove_folder(paths.releases)


def _is_ours(paths: Paths, name: str) -> bool:
    """Whether we made it: it is noted, or named as we name releases, after a commit."""
    if not NAME.fullmatch(name):
        return False
    return bool(_RELEASE.fullmatch(name)) or os.path.exists(paths.seal(name)) or os.path.exists(paths.files_of(name))


def _remove_folder(path: str) -> None:
    """Only when nothing is in it."""
    try:
        with suppress(FileNotFoundError):
            os.rmdir(path)
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
