"""Keep the description of how the service runs, and install the units that Fraisier keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.ports import Context, Runtime


@dataclass(frozen=True, slots=True)
class Configure:
    kind: ClassVar[str] = "configure"
    undo: ClassVar[str] = "the roll back installs the unit of the runtime it returns to"

    app_path: str
    release: str
    unit: str
    runtime_digest: str
    runtime: Runtime | None
    """None: the description is on the machine already, kept for returning to."""

    def summary(self) -> str:
        return f"configure {self.unit}"

    def apply(self, context: Context) -> None:
        host = context.host
        if self.runtime is not None:
            host.releases.keep_runtime(self.runtime)
        runtime = self.runtime or host.releases.runtime(self.app_path, self.runtime_digest)
        host.services.install(runtime, host.releases.path(self.app_path, self.release))
