"""The `api` type: a long-running service on a release of the branch's head."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from ..model.config import ApiTarget, ManagerProbe
from ..model.errors import Transient
from ..model.plan import Action, Health
from ..model.ports import Host, Runtime, ServiceRef
from ..model.state import (
    Desired,
    Inspection,
    InventoryEntry,
    Layout,
    Observed,
    ProbeResult,
    Recorded,
    ServiceState,
    Unknown,
)
from .api_look import runtime_of
from .api_plan import plan
from .api_removal import removal
from .registry import Glimpse


@dataclass(frozen=True, slots=True)
class ApiService:
    type: ClassVar[str] = "api"

    def observe(self, target: ApiTarget, host: Host, glimpse: Glimpse | None) -> Observed:
        return _observe(target, host, glimpse)

    def inspect(self, target: ApiTarget, host: Host) -> Inspection | Unknown | None:
        return _inspect(target, host)

    def probe(self, target: ApiTarget, host: Host) -> ProbeResult | None:
        return _probe(target, host)

    def plan(self, target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded) -> Action:
        return plan(target, desired, observed, recorded)

    def health(self, target: ApiTarget, observed: Observed, recorded: Recorded) -> Health:
        del target
        return _health(observed, recorded)

    def inventory(self, target: ApiTarget, at: datetime) -> InventoryEntry:
        runtime, unit = target.runtime_digest, target.service.unit
        return InventoryEntry(target.id, self.type, target.app_path, unit, runtime, target.depends_on, at)

    def removal(self, entry: InventoryEntry, host: Host, *, keeps_unit: bool) -> Action:
        return removal(entry, host, keeps_unit=keeps_unit)


SERVICE = ApiService()


def _observe(target: ApiTarget, host: Host, glimpse: Glimpse | None) -> Observed:
    layout = host.releases.layout(target.app_path)
    unit = target.service.unit
    if glimpse is not None and unit in glimpse.services:
        service = glimpse.services[unit]
    else:
        service = host.services.states([ServiceRef(unit, target.app_path)])[unit]
    if not isinstance(layout, Layout) or layout.stamp is None or not isinstance(service, ServiceState):
        return Observed(layout, service)
    runtime = _stamped_runtime(target, host, layout, layout.stamp.runtime_digest)
    if runtime is None:
        return Observed(layout, service)
    release = host.releases.path(target.app_path, layout.stamp.release)
    return Observed(layout, service, host.services.unit_differences(runtime, release))


def _inspect(target: ApiTarget, host: Host) -> Inspection | Unknown | None:
    layout = host.releases.layout(target.app_path)
    if not isinstance(layout, Layout) or layout.current is None or layout.current not in layout.releases:
        return None
    return host.releases.inspect(target.app_path, layout.current, target.shared)


def _stamped_runtime(target: ApiTarget, host: Host, layout: Layout, digest: str) -> Runtime | None:
    """What the service was started with: as declared now, or as kept. None when it was not kept."""
    if digest == target.runtime_digest:
        return runtime_of(target)
    if digest not in layout.runtimes:
        return None
    try:
        return host.releases.runtime(target.app_path, digest)
    except Transient:
        return None  # damaged: whatever needs it says so when it is applied


def _probe(target: ApiTarget, host: Host) -> ProbeResult | None:
    if isinstance(target.health.probe, ManagerProbe):
        return None  # what the manager says is observed anyway
    observed = _observe(target, host, None)
    layout, service = observed.layout, observed.service
    if not isinstance(layout, Layout) or not isinstance(service, ServiceState) or layout.stamp is None:
        return None
    runtime = _stamped_runtime(target, host, layout, layout.stamp.runtime_digest)
    if runtime is None or service.run != "running":
        return None
    release = host.releases.path(target.app_path, layout.stamp.release)
    return host.prober.probe(target.health, runtime, release, service)


def _health(observed: Observed, recorded: Recorded) -> Health:
    service = observed.service
    if not isinstance(service, ServiceState):
        return "unknown"
    if service.run in ("stopped", "failed", "missing"):
        return "stopped"
    if observed.probe is not None and not observed.probe.ok:
        return "degraded"
    if service.run == "starting" or not recorded.healthy:
        return "progressing" if service.run == "starting" else "unknown"
    return "healthy"
