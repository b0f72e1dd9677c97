"""Reads what lies under `app_path`, and again only when something of it changed."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import replace
from datetime import datetime

from ..model.errors import ConfigFault
from ..model.state import Layout, ReleaseMark, Stamp, Unknown
from . import files
from .notes import NOTES, check_notes
from .release_paths import NAME, SETTLED_NS, Paths

_Key = tuple[tuple[int, int, int] | None, ...]


class Layouts:
    """Safe from any thread."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[_Key, Layout]] = {}

    def read(self, app_path: str) -> Layout | Unknown:
        """Costs five stat calls and a readlink while nothing changes."""
        try:
            key, newest = _key(app_path)
            seen = self._seen.get(app_path)
            if seen is not None and seen[0] == key:
                layout = seen[1]
            else:
                layout = _read(Paths(app_path))
                self._keep(app_path, key, newest, layout)
            current = read_current(f"{app_path}/current")
        except ConfigFault as fault:
            return Unknown(fault.code, str(fault), hint=fault.hint)
        except OSError as error:
            return Unknown("app_path_unreadable", f"{app_path}: {error}", hint="make it readable for the daemon's user")
        return layout if layout.current == current else replace(layout, current=current)

    def _keep(self, app_path: str, key: _Key, newest: int, layout: Layout) -> None:
        if abs(time.time_ns() - newest) > SETTLED_NS:
            self._seen[app_path] = (key, layout)

    def forget(self, app_path: str) -> None:
        self._seen.pop(app_path, None)


def read_seal(path: str) -> ReleaseMark | None:
    """None also for one that is damaged: the release is then made again, which heals it."""
    try:
        document = json.loads(files.read_bytes(path) or b"")
        sealed_at = datetime.fromisoformat(document["sealed_at"])
        return ReleaseMark(
            document["sha"], document["build_digest"], sealed_at, is_changed=bool(document.get("is_changed"))
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def render_seal(mark: ReleaseMark) -> bytes:
    document = {"sha": mark.sha, "build_digest": mark.build_digest, "sealed_at": mark.sealed_at.isoformat()}
    return json.dumps(document | ({"is_changed": True} if mark.is_changed else {})).encode()


def read_current(link: str) -> str | None:
    """The release that the link points at; None where it is none or leads elsewhere. Raises `OSError`."""
    try:
        target = os.readlink(link)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EINVAL, errno.ENOTDIR}:  # not there, or not a link
            return None
        raise
    folder, _, name = target.rpartition("/")
    return name if folder == "releases" and NAME.fullmatch(name) else None


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


def _read(paths: Paths) -> Layout:
    there = _names(paths.releases)
    sealed = _documents(paths.seals) & there
    marks = {name: read_seal(paths.seal(name)) for name in sorted(sealed)}
    return Layout(
        releases={name: mark for name, mark in marks.items() if mark is not None},
        stamp=_read_stamp(paths.stamp),
        runtimes=frozenset(_documents(paths.runtimes)),
    )


def _documents(folder: str) -> set[str]:
    stems = {name.removesuffix(".json") for name in _names(folder) if name.endswith(".json")}
    return {stem for stem in stems if NAME.fullmatch(stem)}


def _names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()


def _read_stamp(path: str) -> Stamp | None:
    """None also for one that is damaged: nobody knows what runs then, and it is started again."""
    try:
        document = json.loads(files.read_bytes(path) or b"")
        return Stamp(document["release"], document["runtime_digest"])
    except (ValueError, KeyError, TypeError):
        return None
