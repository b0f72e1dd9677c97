"""`app_path`: releases, the `current` link, `shared/`, and our own notes in `.fraisier/`.

    releases/<name>/            code, and nothing that says it is complete: code could forge that
    current -> releases/<name>  only ever swapped by a rename
    shared/                     what outlives releases
    .fraisier/                  mode 0700, ours
        seals/<name>.json       the release of that name is complete
        stamp.json              what the service was last started with
        runtime/<digest>.json   how services ran, for returning to; mode 0600
        kept/<name>/            files of the release as the commit has them, whatever its user does

Everything is written beside its place, synced and renamed into it: a `kill -9` or a power cut at any
point leaves the old or the new, and leftovers (`.new-*`, `.old-*`) that the next change removes.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from ..model.errors import ConfigFault, Transient
from ..model.ports import Runtime
from ..model.state import Layout, ReleaseMark, Stamp, Unknown
from . import files, notes
from .notes import NOTES, check_notes
from .runtime_notes import parse_runtime, render_runtime
from .shared import link_shared
from .users import User, find_user

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_LEFTOVER = (".new-", ".old-")
_LEAST_BYTES = 16 << 20
_LEAST_FILES = 256

_SETTLED_NS = 50_000_000
"""A folder's time stamp tells two changes apart only when the kernel's clock has ticked between them
(up to 10 ms), so what changed within the last 50 ms is read again at the next look."""

_Key = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class _Paths:
    app: str

    @property
    def releases(self) -> str:
        return f"{self.app}/releases"

    @property
    def current(self) -> str:
        return f"{self.app}/current"

    @property
    def shared(self) -> str:
        return f"{self.app}/shared"

    @property
    def notes(self) -> str:
        return f"{self.app}/{NOTES}"

    @property
    def seals(self) -> str:
        return f"{self.app}/{NOTES}/seals"

    @property
    def stamp(self) -> str:
        return f"{self.app}/{NOTES}/stamp.json"

    @property
    def runtimes(self) -> str:
        return f"{self.app}/{NOTES}/runtime"

    def release(self, name: str) -> str:
        return f"{self.releases}/{_checked(name)}"

    def seal(self, name: str) -> str:
        return f"{self.seals}/{_checked(name)}.json"

    def runtime(self, digest: str) -> str:
        return f"{self.runtimes}/{_checked(digest)}.json"


class FileReleases:
    """Safe from any thread as long as one thread at a time changes one `app_path` (law 7)."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[_Key, Layout]] = {}

    # -- looking ------------------------------------------------------------------------------

    def layout(self, app_path: str) -> Layout | Unknown:
        """Costs five stat calls and a readlink while nothing changes."""
        try:
            key, newest = _key(app_path)
            seen = self._seen.get(app_path)
            if seen is not None and seen[0] == key:
                layout = seen[1]
            else:
                layout = _read(_Paths(app_path))
                self._keep(app_path, key, newest, layout)
            current = _current(f"{app_path}/current")
        except ConfigFault as fault:
            return Unknown(fault.code, str(fault), hint=fault.hint)
        except OSError as error:
            return Unknown("app_path_unreadable", f"{app_path}: {error}", hint="make it readable for the daemon's user")
        return layout if layout.current == current else _with_current(layout, current)

    def _keep(self, app_path: str, key: _Key, newest: int, layout: Layout) -> None:
        if abs(time.time_ns() - newest) > _SETTLED_NS:
            self._seen[app_path] = (key, layout)

    def path(self, app_path: str, release: str) -> str:
        return _Paths(app_path).release(release)

    def has_space(self, app_path: str) -> bool:
        try:
            room = os.statvfs(_existing(app_path))
        except OSError:
            return True
        # Some file systems (btrfs) count no inodes and say 0 of 0.
        return room.f_bavail * room.f_frsize >= _LEAST_BYTES and (not room.f_files or room.f_favail >= _LEAST_FILES)

    def runtime(self, app_path: str, digest: str) -> Runtime:
        path = _Paths(app_path).runtime(digest)
        with files.disk_errors("reading a runtime description"):
            check_notes(app_path)
            data = files.read_bytes(path)
        if data is None:
            raise Transient(f"{path} is not there", code="runtime_missing", hint="deploy again: it is written then")
        try:
            return parse_runtime(data)
        except (ValueError, KeyError, TypeError) as error:
            raise Transient(
                f"{path} cannot be read: {error}", code="runtime_unreadable", hint="remove it and deploy again"
            ) from error

    # -- changing -----------------------------------------------------------------------------

    def create(
        self,
        app_path: str,
        release: str,
        fill: Callable[[str], None],
        *,
        shared: Iterable[str] = (),
        run_as: str | None = None,
        keep: Iterable[str] = (),
    ) -> None:
        paths = _Paths(app_path)
        final = paths.release(release)
        user = find_user(run_as)
        with self._changing(paths):
            if os.path.exists(paths.seal(release)) and os.path.isdir(final):
                return
            # First the seal of a release that vanished: what takes its name is not complete yet.
            files.unlink_durably(paths.seal(release))
            fresh = f"{paths.releases}/.new-{release}-{uuid4().hex[:8]}"
            try:
                os.mkdir(fresh, 0o755)
                fill(fresh)
                notes.keep(app_path, release, fresh, keep)  # before anybody else can write there
                self._furnish(paths, fresh, shared, user)
                _replace(fresh, final, paths.releases)
            except BaseException:
                files.remove_tree(fresh)
                raise

    @staticmethod
    def _furnish(paths: _Paths, fresh: str, shared: Iterable[str], user: User) -> None:
        def own(handle: int) -> None:
            if not user.is_me:
                os.fchown(handle, user.uid, user.gid)

        for entry in shared:
            if not os.path.isdir(paths.shared):
                os.mkdir(paths.shared, 0o755)
            link_shared(paths.shared, fresh, entry, own)
        if not user.is_me:
            _give_tree(fresh, user)

    def seal(self, app_path: str, release: str, mark: ReleaseMark) -> None:
        paths = _Paths(app_path)
        document = {"sha": mark.sha, "build_digest": mark.build_digest, "sealed_at": mark.sealed_at.isoformat()}
        with self._changing(paths):
            # All of what git and the build wrote has to be on disk before anything says so.
            files.sync_file_system(paths.release(release))
            files.write_durably(paths.seal(release), json.dumps(document).encode())

    def activate(self, app_path: str, release: str) -> None:
        paths = _Paths(app_path)
        with self._changing(paths):
            if not (os.path.exists(paths.seal(release)) and os.path.isdir(paths.release(release))):
                raise Transient(f"{paths.release(release)} is not complete", code="release_not_sealed")
            if os.path.lexists(paths.current) and not os.path.islink(paths.current):
                raise ConfigFault(
                    f"{paths.current} exists and is not a link",
                    code="current_not_a_link",
                    hint="move it away: Fraisier points `current` at releases and never replaces anything else",
                )
            if _current(paths.current) == release:
                return
            fresh = f"{paths.notes}/.current.new"
            if os.path.lexists(fresh):
                os.unlink(fresh)
            os.symlink(f"releases/{release}", fresh)
            os.rename(fresh, paths.current)
            files.sync_folder(app_path)

    def stamp(self, app_path: str, stamp: Stamp | None) -> None:
        paths = _Paths(app_path)
        with self._changing(paths):
            if stamp is None:
                files.unlink_durably(paths.stamp)
                return
            document = {"release": stamp.release, "runtime_digest": stamp.runtime_digest}
            files.write_durably(paths.stamp, json.dumps(document).encode())

    def keep_runtime(self, runtime: Runtime) -> None:
        paths = _Paths(runtime.app_path)
        with self._changing(paths):
            files.write_durably(paths.runtime(runtime.digest), render_runtime(runtime))

    def remove(self, app_path: str, releases: Iterable[str], runtimes: Iterable[str] = ()) -> None:
        paths = _Paths(app_path)
        with self._changing(paths):
            current = _current(paths.current)
            for release in releases:
                if release != current:
                    _remove_release(paths, release)
            for digest in runtimes:
                files.unlink_durably(paths.runtime(digest))

    @contextmanager
    def _changing(self, paths: _Paths) -> Iterator[None]:
        """Our folders are there and ours, leftovers are gone, and what fails is told."""
        with files.disk_errors(f"changing {paths.app}"):
            _make_folders(paths)
            try:
                yield
            finally:
                self._seen.pop(paths.app, None)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a release or a digest")
    return name


def _existing(path: str) -> str:
    """The nearest folder on the way to `path` that is there."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _make_folders(paths: _Paths) -> None:
    notes.check_folders(paths.app)
    for folder in (paths.app, paths.releases):  # each by itself: only the last one gets this mode, whatever our umask
        os.makedirs(folder, mode=0o755, exist_ok=True)
    notes.make_notes(paths.app)
    notes.check_folders(paths.app)
    os.makedirs(paths.seals, mode=0o700, exist_ok=True)
    os.makedirs(paths.runtimes, mode=0o700, exist_ok=True)
    _remove_leftovers(paths.releases)


def _remove_leftovers(folder: str) -> None:
    for name in os.listdir(folder):
        if name.startswith(_LEFTOVER):
            files.remove_tree(f"{folder}/{name}")


def _replace(fresh: str, final: str, folder: str) -> None:
    """Swapped with whatever has the name: it is not sealed, but `current` may point at it all the same,
    when somebody removed the seal of what runs.
    """
    if not os.path.lexists(final):
        os.rename(fresh, final)
    elif not files.exchange(fresh, final):
        os.rename(final, f"{folder}/.old-{uuid4().hex[:8]}")
        os.rename(fresh, final)
    files.sync_folder(folder)
    _remove_leftovers(folder)


def _remove_release(paths: _Paths, release: str) -> None:
    """The seal goes first: never a sealed release that is half removed."""
    files.unlink_durably(paths.seal(release))
    notes.remove_kept(paths.app, release)
    path = paths.release(release)
    if os.path.lexists(path):
        old = f"{paths.releases}/.old-{uuid4().hex[:8]}"
        os.rename(path, old)
        files.remove_tree(old)


def _give_tree(root: str, user: User) -> None:
    """By file descriptors and without following links: a link in a repository may point at anything.

    Each folder after all that is in it: its new owner could swap what is still to be given.
    """
    for _, folders, names, handle in os.fwalk(root, topdown=False):
        for name in (*folders, *names):
            os.chown(name, user.uid, user.gid, dir_fd=handle, follow_symlinks=False)
    os.chown(root, user.uid, user.gid, follow_symlinks=False)


# -- reading ----------------------------------------------------------------------------------


def _key(app_path: str) -> tuple[_Key, int]:
    """What changes whenever something that a layout is read from changes, and the youngest time in it."""
    notes = check_notes(app_path)
    key = (
        _identity(f"{app_path}/releases"),
        notes and _identified(notes),
        _identity(f"{app_path}/{NOTES}/seals"),
        _identity(f"{app_path}/{NOTES}/runtime"),
        _identity(f"{app_path}/{NOTES}/stamp.json"),
    )
    return key, max((found[1] for found in key if found), default=0)


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        return _identified(os.lstat(path))
    except FileNotFoundError:
        return None


def _identified(found: os.stat_result) -> tuple[int, int, int]:
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _read(paths: _Paths) -> Layout:
    there = _names(paths.releases)
    sealed = _documents(paths.seals) & there
    marks = {name: _read_seal(paths.seal(name)) for name in sorted(sealed)}
    return Layout(
        releases={name: mark for name, mark in marks.items() if mark is not None},
        stamp=_read_stamp(paths.stamp),
        runtimes=frozenset(_documents(paths.runtimes)),
    )


def _documents(folder: str) -> set[str]:
    stems = {name.removesuffix(".json") for name in _names(folder) if name.endswith(".json")}
    return {stem for stem in stems if _NAME.fullmatch(stem)}


def _names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()


def _read_seal(path: str) -> ReleaseMark | None:
    """None also for one that is damaged: the release is then made again, which heals it."""
    try:
        document = json.loads(files.read_bytes(path) or b"")
        return ReleaseMark(document["sha"], document["build_digest"], datetime.fromisoformat(document["sealed_at"]))
    except (ValueError, KeyError, TypeError):
        return None


def _read_stamp(path: str) -> Stamp | None:
    """None also for one that is damaged: nobody knows what runs then, and it is started again."""
    try:
        document = json.loads(files.read_bytes(path) or b"")
        return Stamp(document["release"], document["runtime_digest"])
    except (ValueError, KeyError, TypeError):
        return None


def _current(link: str) -> str | None:
    try:
        target = os.readlink(link)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EINVAL, errno.ENOTDIR}:  # not there, or not a link
            return None
        raise
    folder, _, name = target.rpartition("/")
    return name if folder == "releases" and _NAME.fullmatch(name) else None


def _with_current(layout: Layout, current: str | None) -> Layout:
    return Layout(layout.releases, current, layout.stamp, layout.runtimes)
