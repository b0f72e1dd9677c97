"""Where everything that belongs to one store lies, and which store it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = "server.state"
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

    def attempt_log(self, attempt_id: str) -> Path:
        return self.logs / f"{attempt_id}.log"


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
