"""A plan as a document: what `plan --format json` prints, `plan --out` saves, the store keeps and the API answers."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..model.plan import ACTION_KINDS, Action, Hold, Plan, Reason

_PASSING = ("incomplete", "notes", "basis", "estimate_s")
"""What may differ between two plans that would do the same for the same reasons."""


def action_document(action: Action) -> dict[str, Any]:
    """One element of `actions`. Holds no secret: steps describe themselves without their values."""
    return {
        "identifier": str(action.id),
        "action": action.action,
        "sync": action.sync,
        "ref": action.ref,
        "from_revision": action.from_revision,
        "to_revision": action.to_revision,
        "commits": action.commits,
        "reasons": [_reason(reason) for reason in action.reasons],
        "steps": [{"kind": step.kind, "summary": step.summary(), "undo": step.undo} for step in action.steps],
        "held_by": [hold_document(hold) for hold in action.held_by],
        "notes": [hold_document(note) for note in action.notes],
        "incomplete": [_reason(reason) for reason in action.incomplete],
        "on_failure": action.on_failure or None,
        "config_digest": action.config_digest,
        "hash": action.hash or None,
        "basis": dict(action.basis),
        "estimate_s": action.estimate,
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    document = {
        "format_version": plan.FORMAT_VERSION,
        "complete": plan.complete,
        "basis": {
            "server": plan.basis.server,
            "config_digest": plan.basis.config_digest,
            "heads": dict(plan.basis.heads),
            "heads_seen_at": stamp(plan.basis.heads_seen_at),
            "offline": plan.basis.offline,
        },
        "actions": [action_document(action) for action in plan.actions],
        "summary": summary(plan),
    }
    return {"format_version": plan.FORMAT_VERSION, "plan_hash": hash_of(document), **document}


def plan_hash(plan: Plan) -> str:
    """Equal for plans that would do the same for the same reasons; ages do not count."""
    return str(plan_document(plan)["plan_hash"])


def hash_of(document: Mapping[str, Any]) -> str:
    """The `plan_hash` of a plan's document."""
    stable = [{key: value for key, value in action.items() if key not in _PASSING} for action in document["actions"]]
    for action in stable:
        action["held_by"] = [hold["code"] for hold in action["held_by"]]
    basis = document["basis"]
    text = json.dumps([basis["server"], basis["config_digest"], stable], sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def summary(plan: Plan) -> dict[str, int]:
    """Counts by what would happen now: an action that is held counts as held and as nothing else."""
    counts: Counter[str] = Counter()
    for action in plan.actions:
        counts[_counted_as(action)] += 1
    counts["incomplete"] = sum(1 for action in plan.actions if action.incomplete)
    kinds = [kind for kind in ACTION_KINDS if kind != "none"]
    return {key: counts[key] for key in (*kinds, "in_sync", "held", "incomplete")}


def _counted_as(action: Action) -> str:
    """Nothing to do is in sync, unless a person stopped it: then it is held so."""
    if action.is_held or (not action.steps and action.sync == "held"):
        return "held"
    return "in_sync" if action.action == "none" and not action.incomplete else action.action


def exit_code(plan: Plan) -> int:
    """`--detailed-exitcode`: 5 incomplete, 2 changes, 4 changes but all held, 0 nothing to do; in that order."""
    if not plan.complete:
        return 5
    if any(action.is_runnable for action in plan.actions):
        return 2
    return 4 if any(action.is_held for action in plan.actions) else 0


def stamp(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with `Z`, as everywhere outside."""
    return None if moment is None else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def hold_document(hold: Hold) -> dict[str, str | None]:
    return {
        "code": hold.code.value,
        "message": hold.message,
        "to_go_on": hold.to_go_on,
        "until": stamp(hold.until),
    }


def _reason(reason: Reason) -> dict[str, str]:
    told = {"code": reason.code.value, "message": reason.message}
    if reason.drift is None:
        return told
    return {**told, "field": reason.drift.field, "desired": reason.drift.desired, "observed": reason.drift.observed}
