"""Mark a release whose files were changed, so that it is never used again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.names import short
from ..model.ports import Context


@dataclass(frozen=True, slots=True)
class Condemn:
    kind: ClassVar[str] = "condemn"
    undo: ClassVar[str] = "not undone: what was changed by hand is not what its commit says"

    app_path: str
    release: str

    def summary(self) -> str:
        return f"set {short(self.release)} aside"

    def apply(self, context: Context) -> None:
        context.host.releases.condemn(self.app_path, self.release)
