"""Looks into the release that is current: files of the commit, and links to what is shared."""

from __future__ import annotations

from collections.abc import Iterable

from ..model.errors import ConfigFault
from ..model.state import Difference, Inspection, Unknown
from . import files
from .notes import check_notes
from .release_files import Remembered, differences, parse_notes
from .release_paths import Paths
from .shared import shared_difference


class Inspections:
    """Remembers of each `app_path` which files were found to be as noted, although they were touched."""

    def __init__(self) -> None:
        self._remembered: dict[str, tuple[str, Remembered]] = {}

    def inspect(self, app_path: str, release: str, shared: Iterable[str]) -> Inspection | Unknown:
        """At most `MOST_DIFFERENCES` files. A release that was sealed by a version of Fraisier that noted
        no files has none that differ.
        """
        paths = Paths(app_path)
        try:
            check_notes(app_path)
            links = (shared_difference(paths.release(release), entry) for entry in shared)
            return Inspection(
                release,
                self._files(paths, release),
                tuple(sorted((link for link in links if link is not None), key=lambda link: link.path)),
            )
        except ConfigFault as fault:
            return Unknown(fault.code, str(fault), hint=fault.hint)
        except OSError as error:
            return Unknown(
                "release_unreadable",
                f"{paths.release(release)}: {error}",
                hint="make it readable for the daemon's user",
            )
        except (ValueError, TypeError, AttributeError) as error:
            return Unknown(
                "files_unreadable",
                f"{paths.files_of(release)} is damaged: {error}",
                hint="remove it: the files of this release are then not compared any more",
            )

    def _files(self, paths: Paths, release: str) -> tuple[Difference, ...]:
        data = files.read_bytes(paths.files_of(release))
        if data is None:
            return ()
        of, remembered = self._remembered.get(paths.app, (release, {}))
        found, fresh = differences(paths.release(release), parse_notes(data), remembered if of == release else {})
        self._remembered[paths.app] = (release, fresh)
        return found

    def forget(self, app_path: str) -> None:
        self._remembered.pop(app_path, None)
