"""Take away what was made for a target: its service and units, then its releases. Data stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.config import Service
from ..model.errors import Transient
from ..model.ports import Context, Runtime


@dataclass(frozen=True, slots=True)
class Retire:
    """Stops the service, and removes the units that Fraisier keeps for it."""

    kind: ClassVar[str] = "retire"
    undo: ClassVar[str] = "not undone: when the target is configured again it is deployed again"

    identifier: str
    app_path: str
    unit: str
    runtime_digest: str

    def summary(self) -> str:
        return f"stop and remove {self.unit}"

    def apply(self, context: Context) -> None:
        host = context.host
        runtime = self._runtime(context)
        host.services.stop(runtime, context.remaining())
        host.services.uninstall(runtime)

    def _runtime(self, context: Context) -> Runtime:
        """As it was kept; when an earlier try got as far as removing that, its units are gone already."""
        try:
            return context.host.releases.runtime(self.app_path, self.runtime_digest)
        except Transient as error:
            if error.code != "runtime_missing":
                raise
            return Runtime(self.runtime_digest, self.identifier, self.app_path, Service(self.unit))


@dataclass(frozen=True, slots=True)
class RemoveApp:
    kind: ClassVar[str] = "remove"
    undo: ClassVar[str] = "not undone: releases are made again from their commits; shared/ and data stay"

    app_path: str

    def summary(self) -> str:
        return f"remove the releases in {self.app_path} (shared/ and data stay)"

    def apply(self, context: Context) -> None:
        context.host.releases.remove_app(self.app_path)
