"""The units and drop-ins that Fraisier keeps for services, on disk: compared, written, removed.

Of a folder of drop-ins only the file with our name is ours; others in it are their author's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from ..model.errors import ConfigFault, RevisionFault
from ..model.ports import Runtime, UnitFile
from ..model.state import Difference
from ..services import units
from . import files, notes
from .output import masked

Wanted = Mapping[str, bytes | None]
"""By path, what each file that Fraisier keeps for a service has to hold; None: it must not be there."""


class SystemdUnits:
    def __init__(self, folder: str, *, user: bool) -> None:
        self._folder = folder
        self._user = user
        self._rendered: dict[str, tuple[Runtime, Wanted]] = {}

    def differences(self, runtime: Runtime, release: str) -> tuple[Difference, ...]:
        """Costs reading one file or two."""
        try:
            wanted = self._wanted(runtime, release)
        except (OSError, ConfigFault, RevisionFault):  # whoever installs it is told why
            return (_difference(self.path(runtime), b"what it should be cannot be read"),)
        found = [_difference(path, content) for path, content in wanted.items() if not _is_as(path, content)]
        return tuple(found)

    def files(self, runtime: Runtime, release: str, kept: Mapping[str, bytes] | None) -> tuple[UnitFile, ...]:
        """Without the secrets of the environment, should somebody have written them there. Raises `OSError`,
        and `RevisionFault` where the unit file is neither in `kept` nor with the release.
        """
        unit_file = runtime.service.unit_file
        if kept is not None and unit_file is not None and unit_file in kept:
            wanted: Wanted = {self.path(runtime): kept[unit_file], **self._rendered_for(runtime)}
        else:
            wanted = self._wanted(runtime, release)
        pairs = [(path, content, files.read_bytes(path)) for path, content in wanted.items()]
        return tuple(
            UnitFile(path, _text(runtime, desired), _text(runtime, observed))
            for path, desired, observed in pairs
            if desired is not None or observed is not None
        )

    def write(self, runtime: Runtime, release: str) -> bool:
        """Whether anything was to be written or removed. Raises `OSError`, `RevisionFault`, `ConfigFault`."""
        wanted = self._wanted(runtime, release)
        changed = [path for path, content in wanted.items() if not _is_as(path, content)]
        for path in changed:
            _put(path, wanted[path])
        return bool(changed)

    def remove(self, runtime: Runtime) -> None:
        """All that `write` ever wrote for it. Raises `OSError`."""
        drop_in = self._drop_in(runtime)
        _put(drop_in, None)
        with suppress(OSError):  # somebody else's drop-ins, or never there
            os.rmdir(os.path.dirname(drop_in))
        if is_kept(runtime) and not self._has_other_instances(runtime):
            _put(self.path(runtime), None)
        self._rendered.pop(runtime.identifier, None)

    def path(self, runtime: Runtime) -> str:
        """An instance (`api@1.service`) is made from its template's file (`api@.service`)."""
        name, at, rest = runtime.service.unit.partition("@")
        file = f"{name}@.{rest.rpartition('.')[2]}" if at else runtime.service.unit
        return f"{self._folder}/{file}"

    def _has_other_instances(self, runtime: Runtime) -> bool:
        """Whether more is enabled from the same template: its file is then theirs too."""
        name, at, rest = runtime.service.unit.partition("@")
        if not at:
            return False
        suffix = rest.rpartition(".")[2]
        links = Path(self._folder).glob("*.*/*")
        instances = {link.name for link in links if link.parent.suffix in {".wants", ".requires", ".upholds"}}
        mine = {runtime.service.unit, f"{name}@.{suffix}"}
        return any(one.startswith(f"{name}@") and one.endswith(f".{suffix}") for one in instances - mine)

    def _drop_in(self, runtime: Runtime) -> str:
        return f"{self._folder}/{runtime.service.unit}.d/{units.DROP_IN}"

    def _wanted(self, runtime: Runtime, release: str) -> Wanted:
        unit_file = runtime.service.unit_file
        if unit_file is not None:
            kept = notes.read_kept(runtime.app_path, os.path.basename(release), unit_file)
            return {self.path(runtime): kept, **self._rendered_for(runtime)}
        return self._rendered_for(runtime)

    def _rendered_for(self, runtime: Runtime) -> Wanted:
        """Kept from one look to the next: a runtime's text does not change."""
        seen = self._rendered.get(runtime.identifier)
        if seen is not None and (seen[0] is runtime or seen[0] == runtime):
            return seen[1]
        rendered = self._render(runtime)
        self._rendered[runtime.identifier] = (runtime, rendered)
        return rendered

    def _render(self, runtime: Runtime) -> Wanted:
        written, drop_in = runtime.service.written, self._drop_in(runtime)
        if written is not None:
            text = units.render_unit(runtime, written, user_manager=self._user)
            return {self.path(runtime): text.encode(), drop_in: None}
        return {drop_in: units.render_drop_in(runtime).encode() if runtime.env else None}


def is_kept(runtime: Runtime) -> bool:
    """Whether the unit itself is Fraisier's: written by it, or installed from the repository."""
    return runtime.service.written is not None or runtime.service.unit_file is not None


def _is_as(path: str, content: bytes | None) -> bool:
    try:
        return files.read_bytes(path) == content
    except OSError:
        return False


def _difference(path: str, wanted: bytes | None) -> Difference:
    found: Literal["missing", "changed"] = "changed" if os.path.exists(path) else "missing"
    return Difference(path, "unexpected" if wanted is None else found)


def _text(runtime: Runtime, content: bytes | None) -> str | None:
    return None if content is None else masked(content.decode(errors="replace"), runtime.env.values())


def _put(path: str, content: bytes | None) -> None:
    if content is None:
        files.unlink_durably(path)
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    files.write_durably(path, content, 0o644)
