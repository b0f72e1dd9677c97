"""`app_path`: releases, the `current` link, `shared/`, and our own notes in `.fraisier/`.

    releases/<name>/            code, and nothing that says it is complete: code could forge that
    current -> releases/<name>  only ever swapped by a rename
    shared/                     what outlives releases
    .fraisier/                  mode 0700, ours
        seals/<name>.json       the release of that name is complete
        files/<name>.json       which files the commit brought, and how they were when it was sealed
        stamp.json              what the service was last started with
        runtime/<digest>.json   how services ran, for returning to; mode 0600
        kept/<name>/            files of the release as the commit has them, whatever its user does

Everything is written beside its place, synced and renamed into it: a `kill -9` or a power cut at any
point leaves the old or the new, and leftovers (`.new-*`, `.old-*`) that the next change removes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

from ..model.errors import ConfigFault, Transient
from ..model.ports import Runtime
from ..model.state import Inspection, Layout, ReleaseMark, Stamp, Unknown
from . import files, notes, release_removal
from .inspections import Inspections
from .layouts import Layouts, read_current, read_seal, render_seal
from .notes import check_notes
from .release_files import list_files, note_files, parse_listing, render_listing, render_notes
from .release_paths import Paths
from .runtime_notes import parse_runtime, render_runtime
from .shared import link_shared, mend_shared
from .users import User, find_user

_LEAST_BYTES = 16 << 20
_LEAST_FILES = 256


class FileReleases:
    """Safe from any thread as long as one thread at a time changes one `app_path` (law 7)."""

    def __init__(self) -> None:
        self._layouts = Layouts()
        self._inspections = Inspections()

    # -- looking ------------------------------------------------------------------------------

    def layout(self, app_path: str) -> Layout | Unknown:
        return self._layouts.read(app_path)

    def inspect(self, app_path: str, release: str, shared: Iterable[str]) -> Inspection | Unknown:
        return self._inspections.inspect(app_path, release, shared)

    def path(self, app_path: str, release: str) -> str:
        return Paths(app_path).release(release)

    def has_space(self, app_path: str) -> bool:
        try:
            room = os.statvfs(_existing(app_path))
        except OSError:
            return True
        # Some file systems (btrfs) count no inodes and say 0 of 0.
        return room.f_bavail * room.f_frsize >= _LEAST_BYTES and (not room.f_files or room.f_favail >= _LEAST_FILES)

    def runtime(self, app_path: str, digest: str) -> Runtime:
        path = Paths(app_path).runtime(digest)
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

    # -- making releases ----------------------------------------------------------------------

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
        paths, entries = Paths(app_path), tuple(shared)
        final = paths.release(release)
        user = find_user(run_as)
        with self._changing(paths):
            if _sealed(paths, release) is not None:
                return
            # First the seal of a release that vanished: what takes its name is not complete yet.
            files.unlink_durably(paths.seal(release))
            fresh = f"{paths.releases}/.new-{release}-{uuid4().hex[:8]}"
            try:
                os.mkdir(fresh, 0o755)
                fill(fresh)
                # Before anybody else can write there, and before links and the build make it more than the commit.
                notes.keep(app_path, release, fresh, keep)
                listing = list_files(fresh, {entry.rstrip("/") for entry in entries})
                files.write_for_sync(paths.files_of(release), render_listing(listing))
                _furnish(paths, fresh, entries, user)
                _replace(fresh, final, paths.releases)
            except BaseException:
                files.remove_tree(fresh)
                raise

    def seal(self, app_path: str, release: str, mark: ReleaseMark) -> None:
        """One that is sealed already is left as it is: how its files were noted, and whether they changed."""
        paths = Paths(app_path)
        with self._changing(paths):
            sealed = _sealed(paths, release)
            if sealed is not None and (sealed.sha, sealed.build_digest) == (mark.sha, mark.build_digest):
                return
            _note_files(paths, release)
            # All of what git, the build and we wrote has to be on disk before anything says so.
            for place in {os.stat(path).st_dev: path for path in (paths.notes, paths.release(release))}.values():
                files.sync_file_system(place)
            files.write_durably(paths.seal(release), render_seal(mark))

    def condemn(self, app_path: str, release: str) -> None:
        paths = Paths(app_path)
        with self._changing(paths):
            sealed = _sealed(paths, release)
            if sealed is not None and not sealed.is_changed:
                files.write_durably(paths.seal(release), render_seal(replace(sealed, is_changed=True)))

    def share(self, app_path: str, release: str, shared: Iterable[str], run_as: str | None) -> None:
        paths, user = Paths(app_path), find_user(run_as)
        with self._changing(paths):
            for entry in shared:
                _make_shared(paths)
                mend_shared(paths.shared, paths.release(release), entry, user)

    def activate(self, app_path: str, release: str) -> None:
        paths = Paths(app_path)
        with self._changing(paths):
            _check_usable(paths, release)
            if os.path.lexists(paths.current) and not os.path.islink(paths.current):
                raise ConfigFault(
                    f"{paths.current} exists and is not a link",
                    code="current_not_a_link",
                    hint="move it away: Fraisier points `current` at releases and never replaces anything else",
                )
            if read_current(paths.current) == release:
                return
            fresh = f"{paths.notes}/.current.new"
            if os.path.lexists(fresh):
                os.unlink(fresh)
            os.symlink(f"releases/{release}", fresh)
            os.rename(fresh, paths.current)
            files.sync_folder(app_path)

    # -- notes --------------------------------------------------------------------------------

    def stamp(self, app_path: str, stamp: Stamp | None) -> None:
        paths = Paths(app_path)
        with self._changing(paths):
            if stamp is None:
                files.unlink_durably(paths.stamp)
                return
            document = {"release": stamp.release, "runtime_digest": stamp.runtime_digest}
            files.write_durably(paths.stamp, json.dumps(document).encode())

    def keep_runtime(self, runtime: Runtime) -> None:
        paths = Paths(runtime.app_path)
        with self._changing(paths):
            files.write_durably(paths.runtime(runtime.digest), render_runtime(runtime))

    # -- removing -----------------------------------------------------------------------------

    def remove(self, app_path: str, releases: Iterable[str], runtimes: Iterable[str] = ()) -> None:
        paths = Paths(app_path)
        with self._changing(paths):
            current = read_current(paths.current)
            for release in releases:
                if release != current:
                    release_removal.remove_release(paths, release)
            for digest in runtimes:
                files.unlink_durably(paths.runtime(digest))

    def remove_app(self, app_path: str) -> None:
        """May be cut off anywhere and done again. Raises `ConfigFault` where what is there may not be ours."""
        with files.disk_errors(f"removing {app_path}"):
            try:
                release_removal.remove_app(app_path)
            finally:
                self._forget(app_path)

    @contextmanager
    def _changing(self, paths: Paths) -> Iterator[None]:
        """Our folders are there and ours, leftovers are gone, and what fails is told."""
        with files.disk_errors(f"changing {paths.app}"):
            _make_folders(paths)
            try:
                yield
            finally:
                self._layouts.forget(paths.app)

    def _forget(self, app_path: str) -> None:
        self._layouts.forget(app_path)
        self._inspections.forget(app_path)


def _existing(path: str) -> str:
    """The nearest folder on the way to `path` that is there."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _make_folders(paths: Paths) -> None:
    notes.check_folders(paths.app)
    for folder in (paths.app, paths.releases):  # each by itself: only the last one gets this mode, whatever our umask
        os.makedirs(folder, mode=0o755, exist_ok=True)
    notes.make_notes(paths.app)
    notes.check_folders(paths.app)
    for folder in (paths.seals, paths.files, paths.runtimes):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    release_removal.remove_leftovers(paths.releases)


def _sealed(paths: Paths, release: str) -> ReleaseMark | None:
    """What the seal says of a release that is there."""
    return read_seal(paths.seal(release)) if os.path.isdir(paths.release(release)) else None


def _check_usable(paths: Paths, release: str) -> None:
    sealed = _sealed(paths, release)
    if sealed is None:
        raise Transient(f"{paths.release(release)} is not complete", code="release_not_sealed")
    if sealed.is_changed:
        raise Transient(
            f"{paths.release(release)}: files of it were changed since it was made",
            code="release_changed",
            hint="it is made again by itself",
        )


def _make_shared(paths: Paths) -> None:
    if not os.path.isdir(paths.shared):
        os.mkdir(paths.shared, 0o755)


def _furnish(paths: Paths, fresh: str, shared: Iterable[str], user: User) -> None:
    for entry in shared:
        _make_shared(paths)
        link_shared(paths.shared, fresh, entry, user)
    if not user.is_me:
        _give_tree(fresh, user)


def _note_files(paths: Paths, release: str) -> None:
    """How the build left what the commit brought; nothing for a release whose files nobody listed."""
    listing = parse_listing(files.read_bytes(paths.files_of(release)) or b"{}")
    if listing is not None:
        files.write_for_sync(paths.files_of(release), render_notes(note_files(paths.release(release), listing)))


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
    release_removal.remove_leftovers(folder)


def _give_tree(root: str, user: User) -> None:
    """By file descriptors and without following links: a link in a repository may point at anything.

    Each folder after all that is in it: its new owner could swap what is still to be given.
    """
    for _, folders, names, handle in os.fwalk(root, topdown=False):
        for name in (*folders, *names):
            os.chown(name, user.uid, user.gid, dir_fd=handle, follow_symlinks=False)
    os.chown(root, user.uid, user.gid, follow_symlinks=False)
