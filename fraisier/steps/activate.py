"""Point `current` at a release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.ports import Context


@dataclass(frozen=True, slots=True)
class Activate:
    kind: ClassVar[str] = "activate"
    undo: ClassVar[str] = "the roll back points it at the release it returns to"

    app_path: str
    release: str

    def summary(self) -> str:
        return "activate"

    def apply(self, context: Context) -> None:
        context.host.releases.activate(self.app_path, self.release)
