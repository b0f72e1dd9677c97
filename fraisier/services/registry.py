"""The types of fraises, found by discovery: modules of this package and entry points of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Any, Protocol

from ..model.config import Target
from ..model.plan import Action, Health
from ..model.ports import Host
from ..model.state import (
    Desired,
    Inspection,
    InventoryEntry,
    Observed,
    ProbeResult,
    Recorded,
    ServiceState,
    Unknown,
)

GROUP = "fraisier.services"
"""The entry point group under which other packages offer types."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """Service states read for many targets in one go, shortly before."""

    services: Mapping[str, ServiceState | Unknown]


class ServiceType(Protocol):
    """What a module of this package offers as `SERVICE`."""

    @property
    def type(self) -> str:
        """The word in `type:`."""
        ...

    def observe(self, target: Any, host: Host, glimpse: Glimpse | None) -> Observed:
        """Looks at the machine, without probing. Never raises for what is missing or cannot be read:
        that is an `Unknown`.
        """
        ...

    def inspect(self, target: Any, host: Host) -> Inspection | Unknown | None:
        """Looks into what was made for the target for changes by others: costs more than `observe`, and is
        done less often. None where there is nothing yet.
        """
        ...

    def probe(self, target: Any, host: Host) -> ProbeResult | None:
        """One probe of the health of what runs, up to its timeout long; None where there is none to make."""
        ...

    def plan(self, target: Any, desired: Desired, observed: Observed, recorded: Recorded) -> Action:
        """Pure, total and deterministic: every triple yields a plan, and after it was carried out,
        planning again yields none (law 4).
        """
        ...

    def health(self, target: Any, observed: Observed, recorded: Recorded) -> Health:
        """How the target does, for people."""
        ...

    def inventory(self, target: Any, at: datetime) -> InventoryEntry:
        """What carrying out a plan of the target makes on the machine."""
        ...

    def removal(self, entry: InventoryEntry, host: Host, *, keeps_unit: bool) -> Action:
        """How that is taken away when the target has left the configuration; never data (law 14)."""
        ...


@cache
def service_types() -> Mapping[str, ServiceType]:
    """Every type by its word. Two that claim one word are a bug of an installed package: `ValueError`."""
    found: dict[str, ServiceType] = {}
    package = __name__.rpartition(".")[0]
    modules = [import_module(f"{package}.{module.name}") for module in iter_modules(import_module(package).__path__)]
    offered = [module.SERVICE for module in modules if hasattr(module, "SERVICE")]
    offered += [entry.load() for entry in entry_points(group=GROUP)]
    for service in offered:
        if service.type in found:
            raise ValueError(f"two packages offer the fraise type {service.type!r}")
        found[service.type] = service
    return found


def service_type(target: Target) -> ServiceType:
    return service_types()[target.type]
