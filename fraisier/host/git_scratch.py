"""Where those who may leave no trace write all the same."""

from __future__ import annotations

import threading
import weakref
from tempfile import mkdtemp

from . import files


class Scratch:
    """A temporary folder, mode 0700: made when somebody first needs it, removed when the process ends."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._path: str | None = None

    @property
    def is_made(self) -> bool:
        return self._path is not None

    def path(self) -> str:
        with self._guard:
            if self._path is None:
                with files.disk_errors("making a temporary folder"):
                    self._path = mkdtemp(prefix="fraisier-")
                weakref.finalize(self, files.remove_tree, self._path)
            return self._path
