"""A target that drifts by somebody's hand, for the tests of drift."""

from __future__ import annotations

from fraisier.model.config import DriftField, OnDrift
from fraisier.model.plan import Action
from tests.support.bench import Bench


def drift(bench: Bench, field: DriftField) -> None:
    """Somebody's hand."""
    host, target, sha = bench.host, bench.target, bench.serving or ""
    unit, app = target.service.unit, host.releases.app(target.app_path)
    match field:
        case "service":
            host.services.kill(unit)
        case "enabled":
            host.services.disable(unit)
        case "unit":
            host.services.edit_unit(unit)
        case "link":
            app.current = None
        case "release":
            host.releases.lose_directory(target.app_path, sha)
        case "files":
            host.releases.change_file(target.app_path, sha, "app.py")
        case "shared":
            host.releases.lose_link(target.app_path, sha, "uploads")


def healthy(bench: Bench, policy: OnDrift | None = None) -> str:
    bench.configure(shared=("uploads",), on_drift=policy or OnDrift())
    sha = bench.push("a")
    assert bench.settle().sync == "in_sync"
    bench.host.faults.disarm()
    return sha


def kinds(action: Action) -> list[str]:
    return [step.kind for step in action.steps]


def drifted(action: Action) -> list[str]:
    return [reason.drift.field for reason in action.reasons if reason.drift is not None]
