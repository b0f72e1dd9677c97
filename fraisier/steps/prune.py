"""Remove releases that nothing may return to any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.ports import Context


@dataclass(frozen=True, slots=True)
class PruneReleases:
    kind: ClassVar[str] = "prune"
    undo: ClassVar[str] = "cannot be undone, and need not be: a release can be made again from its commit"

    app_path: str
    releases: tuple[str, ...]
    runtimes: tuple[str, ...]

    def summary(self) -> str:
        return f"prune {len(self.releases)} old release{'s' if len(self.releases) != 1 else ''}"

    def apply(self, context: Context) -> None:
        context.host.releases.remove(self.app_path, self.releases, self.runtimes)
