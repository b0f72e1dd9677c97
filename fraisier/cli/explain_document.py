"""Everything known about one target as a document: what `explain --json` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..config.declared import window_text
from ..model.config import Window
from ..model.plan import Drift, Health
from ..model.selection import Branch, Selection
from ..model.state import (
    Desired,
    Head,
    Inspection,
    Layout,
    NoRevision,
    Observed,
    ProbeResult,
    Recorded,
    ServiceState,
    Signature,
    Suspension,
    Unknown,
)
from ..planning.document import action_document, stamp
from ..planning.windows import closed
from ..reconcile.look import Look
from ..services.registry import service_type

Document = dict[str, Any]


def explain_document(
    look: Look, probe: ProbeResult | None, history: Sequence[Mapping[str, Any]], now: datetime
) -> Document:
    """`probe`: of the health just now; None where none was made."""
    return {
        "identifier": str(look.target.id),
        "declared_at": look.target.declared_at,
        "observed": _observed(look, probe),
        "desired": _desired(look),
        "plan": action_document(look.shown),
        "arranged": _arranged(look.recorded),
        "limits": _limits(look, now),
        "recorded": _recorded(look.recorded),
        "last": [dict(row) for row in history],
    }


# --- what runs -------------------------------------------------------------------------------


def _observed(look: Look, probe: ProbeResult | None) -> Document:
    layout, service = look.observed.layout, look.observed.service
    known = layout if isinstance(layout, Layout) else None
    mark = known.releases.get(known.current) if known is not None and known.current else None
    return {
        "current": known.current if known else None,
        "sha": mark.sha if mark else None,
        "health": _health(look, probe),
        "probe": None if probe is None else {"ok": probe.ok, "message": probe.message},
        **_service(service),
        "started_with": known.stamp.release if known and known.stamp else None,
        "releases": sorted(known.releases) if known else None,
        "drift": [_drift(reason.drift) for reason in look.action.reasons if reason.drift is not None],
        "differences": _differences(look.observed),
        "problem": layout.message if isinstance(layout, Unknown) else None,
    }


def _service(service: ServiceState | Unknown) -> Document:
    if isinstance(service, Unknown):
        return {
            "service": service.message,
            "pid": None,
            "since": None,
            "restarts": None,
            "enabled": None,
            "message": "",
        }
    return {
        "service": service.run,
        "pid": service.pid,
        "since": stamp(service.since),
        "restarts": service.restarts,
        "enabled": service.enabled,
        "message": service.message,
    }


def _health(look: Look, probe: ProbeResult | None) -> Health:
    """As the probe found it just now."""
    if probe is None:
        return look.status.health
    observed = replace(look.observed, probe=probe)
    found = service_type(look.target).health(look.target, observed, look.recorded)
    return found if look.status.health != "degraded" else "degraded"


def _drift(drift: Drift) -> Document:
    return {"field": drift.field, "desired": drift.desired, "observed": drift.observed}


def _differences(observed: Observed) -> list[Document]:
    """Every file that is not as it was left, whatever is done about it."""
    found = list(observed.units)
    if isinstance(observed.inspection, Inspection):
        found += [*observed.inspection.files, *observed.inspection.shared]
    return [{"path": each.path, "found": each.found} for each in found]


# --- what is wanted --------------------------------------------------------------------------


def _desired(look: Look) -> Document:
    desired, declared = look.desired, look.target.selection
    selection, head = desired.selection or declared, desired.head
    known = head if isinstance(head, Head) else None
    return {
        "branch": selection.name if isinstance(selection, Branch) else None,
        "selection": _selection(selection),
        "declared": _selection(declared),
        "ref": known.ref if known else None,
        "sha": known.sha if known else None,
        "seen_at": stamp(known.seen_at) if known else None,
        "problem": _problem(head),
        "lineage": desired.lineage,
        "commits": desired.commits,
        "signature": _signature(look, desired),
    }


def _selection(selection: Selection) -> Document:
    return {"kind": selection.kind, "value": getattr(selection, "sha", None) or str(selection)}


def _problem(head: Head | NoRevision | Unknown) -> str | None:
    if isinstance(head, Unknown):
        return head.message
    if isinstance(head, NoRevision):
        return f"the remote has no {head.selection.kind} {head.selection}"
    return head.stale.message if head.stale is not None else None


def _signature(look: Look, desired: Desired) -> Document | None:
    """None where none is asked for."""
    if look.target.verify is None:
        return None
    found = desired.signature
    if found is None:
        proven = desired.lineage == "same"
        message = "not checked again: it was proven healthy" if proven else "there is no revision to check"
        found = Signature(None, message)
    verdict = {True: "good", False: "bad", None: "unchecked"}[found.is_good]
    message = found.message or ("it is checked when it is fetched" if found.is_good is None else "")
    return {"verdict": verdict, "asked": look.target.verify.what, "message": message}


# --- what people arranged, and what limits ---------------------------------------------------


def _arranged(recorded: Recorded) -> Document:
    override, approval, emergency = recorded.override, recorded.approval, recorded.emergency
    return {
        "suspensions": [_suspension(each) for each in recorded.suspensions],
        "override": None
        if override is None
        else {
            "kind": override.kind,
            "selection": _selection(override.selection),
            "by": override.by,
            "at": stamp(override.at),
            "until": stamp(override.until),
            "reason": override.reason,
        },
        "approval": None if approval is None else {"hash": approval.hash, "by": approval.by, "at": stamp(approval.at)},
        "emergency": None
        if emergency is None
        else {"sha": emergency.sha, "reason": emergency.reason, "by": emergency.by, "at": stamp(emergency.at)},
        "accepted_rewinds": sorted(recorded.rewinds),
        "forced": recorded.forced,
    }


def _suspension(suspension: Suspension) -> Document:
    return {
        "scope": str(suspension.scope),
        "reason": suspension.reason,
        "by": suspension.by,
        "at": stamp(suspension.at),
        "until": stamp(suspension.until),
        "stop": suspension.stop,
    }


def _limits(look: Look, now: datetime) -> Document:
    target, budget = look.target, look.target.repairs
    recent = [at for at in look.recorded.repairs if at > now - budget.within]
    return {
        "windows": [_window(window, now) for window in target.windows],
        "approval": target.approval,
        "depends_on": [str(id) for id in target.depends_on],
        "repairs": {
            "recent": len(recent),
            "at_most": budget.at_most,
            "within_s": budget.within.total_seconds(),
            "last_at": stamp(max(recent, default=None)),
        },
    }


def _window(window: Window, now: datetime) -> Document:
    """`is_open`: whether it lets deployments begin now; `until`: when that changes, None within what is looked at."""
    inside = closed((replace(window, kind="deny"),), now)
    changes = inside if inside is not None else closed((replace(window, kind="allow"),), now)
    return {
        "name": window.name,
        "kind": window.kind,
        "says": window_text(window),
        "is_open": (inside is not None) == (window.kind == "allow"),
        "until": stamp(changes.until) if changes is not None else None,
    }


# --- what is recorded ------------------------------------------------------------------------


def _recorded(recorded: Recorded) -> Document:
    back_off = recorded.back_off
    return {
        "healthy": [{"sha": proven.sha, "at": stamp(proven.at)} for proven in recorded.healthy],
        "attempted": recorded.attempted,
        "quarantine": [
            {"sha": entry.sha, "fault": entry.fault, "since": stamp(entry.at), "message": entry.message}
            for entry in recorded.quarantines
        ],
        "back_off": None
        if back_off is None
        else {"failures": back_off.failures, "until": stamp(back_off.until), "message": back_off.message},
    }
