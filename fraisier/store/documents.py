"""Values of the model as JSON objects, as `status --json` shows them, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..model.names import Scope
from ..model.plan import Drift, Hold, ReasonCode
from ..model.selection import Branch, Exact, Selection, TagRange
from ..model.state import Override, Suspension
from .values import moment, optional_moment, parse_moment, parse_optional_moment

Document = dict[str, Any]


def selection_document(selection: Selection) -> Document:
    match selection:
        case Branch(value) | TagRange(value) | Exact(value):
            return {"kind": selection.kind, "value": value}


_SELECTIONS: Mapping[str, Callable[[str], Selection]] = {"branch": Branch, "tag": TagRange, "revision": Exact}


def parse_selection(document: Mapping[str, Any]) -> Selection:
    return _SELECTIONS[document["kind"]](document["value"])


def suspension_document(suspension: Suspension) -> Document:
    return {
        "scope": str(suspension.scope),
        "reason": suspension.reason,
        "by": suspension.by,
        "at": moment(suspension.at),
        "until": optional_moment(suspension.until),
        "stop": suspension.stop,
    }


def parse_suspension(document: Mapping[str, Any]) -> Suspension:
    return Suspension(
        scope=Scope.parse(document["scope"]),
        reason=document["reason"],
        by=document["by"],
        at=parse_moment(document["at"]),
        until=parse_optional_moment(document["until"]),
        stop=bool(document["stop"]),
    )


def override_document(override: Override) -> Document:
    return {
        "kind": override.kind,
        "selection": selection_document(override.selection),
        "by": override.by,
        "at": moment(override.at),
        "until": optional_moment(override.until),
        "reason": override.reason,
    }


def parse_override(document: Mapping[str, Any]) -> Override:
    return Override(
        kind=document["kind"],
        selection=parse_selection(document["selection"]),
        by=document["by"],
        at=parse_moment(document["at"]),
        reason=document["reason"],
        until=parse_optional_moment(document["until"]),
    )


def hold_document(hold: Hold) -> Document:
    return {
        "code": hold.code.value,
        "message": hold.message,
        "to_go_on": hold.to_go_on,
        "until": optional_moment(hold.until),
    }


def parse_hold(document: Mapping[str, Any]) -> Hold:
    until = parse_optional_moment(document["until"])
    return Hold(ReasonCode(document["code"]), document["message"], document["to_go_on"], until)


def drift_document(drift: Drift) -> Document:
    return {"field": drift.field, "desired": drift.desired, "observed": drift.observed}


def parse_drift(document: Mapping[str, Any]) -> Drift:
    return Drift(document["field"], document["desired"], document["observed"])


def dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
