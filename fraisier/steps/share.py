"""Make the links into `shared/` that a release lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.ports import Context


@dataclass(frozen=True, slots=True)
class Share:
    kind: ClassVar[str] = "share"
    undo: ClassVar[str] = "nothing to undo: the links are what the release has to have"

    app_path: str
    release: str
    shared: tuple[str, ...]
    run_as: str | None = None

    def summary(self) -> str:
        return "link shared"

    def apply(self, context: Context) -> None:
        context.host.releases.share(self.app_path, self.release, self.shared, self.run_as)
