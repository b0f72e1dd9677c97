"""When daemons of one store ended uncleanly, lately: a file of moments beside the store, outside of it,
since it may be the store that they crash on.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from .files import write_durably

KEPT = 100


class CrashNotes:
    """`path` holds one moment a line, oldest first. What cannot be read or written is as if there were none:
    this guards the daemon and must not be what ends it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, now: datetime) -> None:
        moments = [*self._read(), now][-KEPT:]
        self._write("".join(f"{moment.isoformat()}\n" for moment in moments))

    def count(self, now: datetime, within: timedelta) -> int:
        """Those of the last `within`; what lies ahead of a clock that was set back counts too."""
        return sum(moment > now - within for moment in self._read())

    def forget(self) -> None:
        self._write("")

    def _read(self) -> list[datetime]:
        found: list[datetime] = []
        with suppress(OSError):
            for line in self._path.read_text(errors="replace").splitlines():
                with suppress(ValueError):
                    found.append(datetime.fromisoformat(line))
        return [moment for moment in found if moment.tzinfo is not None]

    def _write(self, text: str) -> None:
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            write_durably(str(self._path), text.encode())
