"""Start the service afresh on a release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.ports import Context
from ..model.state import Stamp


@dataclass(frozen=True, slots=True)
class Restart:
    """The stamp is taken away before and set after: a crash in between leaves a service of which
    nobody knows what it runs, and the next plan starts it again.
    """

    kind: ClassVar[str] = "restart"
    undo: ClassVar[str] = "the roll back starts the service on the release it returns to"

    app_path: str
    release: str
    unit: str
    runtime_digest: str

    def summary(self) -> str:
        return f"restart {self.unit}"

    def apply(self, context: Context) -> None:
        host = context.host
        runtime = host.releases.runtime(self.app_path, self.runtime_digest)
        host.releases.stamp(self.app_path, None)
        host.services.restart(
            runtime, host.releases.path(self.app_path, self.release), context.remaining(), context.interrupt
        )
        host.releases.stamp(self.app_path, Stamp(self.release, self.runtime_digest))
