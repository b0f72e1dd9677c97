"""What a plan was made from, target by target: a saved plan is stale, and an approval void, when it moved.

The basis is for comparing and for people: short texts by name, never a secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from ..model.config import Target
from ..model.names import short
from ..model.plan import Action
from ..model.state import Desired, Head, Inspection, Layout, Observed, Recorded, ServiceState

HASH_LENGTH = 12


def basis(target: Target, desired: Desired, observed: Observed, recorded: Recorded) -> Mapping[str, str]:
    """Everything that decides what is done to a target, by name."""
    head, layout, service = desired.head, observed.layout, observed.service
    known = layout if isinstance(layout, Layout) else None
    stamp = known.stamp if known is not None else None
    differences = [str(each) for each in observed.units]
    if isinstance(observed.inspection, Inspection):
        differences += [str(each) for each in (*observed.inspection.files, *observed.inspection.shared)]
    return {
        "desired": head.sha if isinstance(head, Head) else "unknown",
        "configuration": _digest([target.config_digest, target.build_digest, target.runtime_digest]),
        "healthy": recorded.healthy[0].sha if recorded.healthy else "none",
        "current": "unknown" if known is None else known.current or "none",
        "started": "unknown" if stamp is None else f"{short(stamp.release)} {stamp.runtime_digest[:7]}",
        "service": _service(service) if isinstance(service, ServiceState) else "unknown",
        "files": _digest(differences) if differences else "as left",
    }


def _service(service: ServiceState) -> str:
    return service.run if service.enabled else f"{service.run}, disabled"


def moved(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """What differs, as people read it: `desired 9d0be77 → 1f4c2aa`."""
    names = dict.fromkeys((*before, *now))
    pairs = [(name, before.get(name, "none"), now.get(name, "none")) for name in names]
    return tuple(f"{name} {_short(old)} → {_short(new)}" for name, old, new in pairs if old != new)


def deployment_hash(target: Target, action: Action, recorded: Recorded) -> str:
    """Equal as long as the same revision and configuration are deployed over the same healthy one.

    How far an attempt got does not count: what was approved stays approved until it is proven healthy.
    """
    proven = recorded.healthy[0] if recorded.healthy else None
    over = None if proven is None else [proven.sha, proven.build_digest, proven.runtime_digest]
    declared = [target.config_digest, target.build_digest, target.runtime_digest]
    return _digest([str(action.id), action.to_revision, declared, over])[:HASH_LENGTH]


def _short(text: str) -> str:
    return short(text) if len(text) >= 40 else text


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]
