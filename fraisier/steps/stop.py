"""Stop a service that cannot be healthy, where there is nothing to return to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.ports import Context, Runtime


@dataclass(frozen=True, slots=True)
class Stop:
    kind: ClassVar[str] = "stop"
    undo: ClassVar[str] = "the next deployment starts it"

    runtime: Runtime

    def summary(self) -> str:
        return f"stop {self.runtime.service.unit}"

    def apply(self, context: Context) -> None:
        context.host.releases.stamp(self.runtime.app_path, None)
        context.host.services.stop(self.runtime, context.remaining())
