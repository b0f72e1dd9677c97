"""Where everything that belongs to one store lies, and which store it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..model.errors import StoreError

NAME = "server.state"
LOGS_KEPT = 500
LOG_BYTES_KEPT = 256 << 20
SYSTEM_CONFIG = Path("/etc/fraisier")
SYSTEM_STORE = Path("/var/lib/fraisier/fraisier.db")
"""Where the store of the machine's own configuration is; any other configuration has it beside itself."""


@dataclass(frozen=True, slots=True)
class StatePaths:
    """`server.state` and what lies beside it."""

    store: Path

    @property
    def folder(self) -> Path:
        """Mirrors, logs of attempts: caches and output, nothing that cannot be lost."""
        return self.store.with_name(self.store.name + ".d")

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def key(self) -> Path:
        """The key of secret fingerprints, mode 0600."""
        return self.store.with_name(self.store.name + ".key")

    @property
    def crashes(self) -> Path:
        """When daemons of this store ended uncleanly."""
        return self.folder / "crashes"

    def attempt_log(self, attempt_id: str) -> Path:
        return self.logs / f"{attempt_id}.log"

    def make_folders(self) -> None:
        """For who writes. Raises `StoreError` where they cannot be made."""
        try:
            self.store.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{error.filename} cannot be made: {error.strerror}",
                code="store_unreadable",
                hint="choose another place with --state, or make the folder writable",
            ) from error

    def prune_logs(self, keep: int = LOGS_KEPT, most_bytes: int = LOG_BYTES_KEPT) -> None:
        """Removes the oldest logs of attempts beyond a number and a total size; the newest stays whatever its size.

        Names are ids that sort by time. A log that cannot be removed now is removed after a later attempt.
        """
        with suppress(OSError):
            newest_first = sorted(self.logs.glob("*.log"), reverse=True)
            total = 0
            for number, log in enumerate(newest_first):
                total += log.stat().st_size
                if number and (number >= keep or total > most_bytes):
                    log.unlink(missing_ok=True)


def find_state(
    explicit: str | None, environ: Mapping[str, str], configured: str | None, config: Path, cwd: Path
) -> StatePaths:
    """`--state`, else `FRAISIER_STATE`, else `server.state:` of the configuration, else the default.

    The default goes by where the configuration is, not by where the command is typed: whoever names
    the same configuration means the same store.
    """
    named = explicit or environ.get("FRAISIER_STATE")
    if named:
        return StatePaths(Path(os.path.abspath(cwd / named)))
    folder = Path(os.path.abspath(cwd / config))
    folder = folder if folder.is_dir() else folder.parent
    if configured:
        return StatePaths(Path(os.path.abspath(folder / configured)))
    return StatePaths(SYSTEM_STORE if folder == SYSTEM_CONFIG else folder / NAME)
