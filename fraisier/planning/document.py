"""A plan as a document: what `plan --format json` prints, the store keeps and the API answers."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..model.plan import ACTION_KINDS, Action, Hold, Plan, Reason


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
        "held_by": [_hold(hold) for hold in action.held_by],
        "incomplete": [_reason(reason) for reason in action.incomplete],
        "on_failure": action.on_failure or None,
        "config_digest": action.config_digest,
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    actions = [action_document(action) for action in plan.actions]
    return {
        "format_version": plan.FORMAT_VERSION,
        "plan_hash": plan_hash(plan),
        "complete": plan.complete,
        "basis": {
            "server": plan.basis.server,
            "config_digest": plan.basis.config_digest,
            "heads": dict(plan.basis.heads),
            "heads_seen_at": stamp(plan.basis.heads_seen_at),
            "offline": plan.basis.offline,
        },
        "actions": actions,
        "summary": summary(plan),
    }


def plan_hash(plan: Plan) -> str:
    """Equal for plans that would do the same for the same reasons; ages do not count."""
    stable = [
        {key: value for key, value in action_document(action).items() if key != "incomplete"} for action in plan.actions
    ]
    for action in stable:
        action["held_by"] = [hold["code"] for hold in action["held_by"]]
    text = json.dumps([plan.basis.server, plan.basis.config_digest, stable], sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def summary(plan: Plan) -> dict[str, int]:
    """Counts by what would happen now: an action that is held counts as held and as nothing else."""
    counts: Counter[str] = Counter()
    for action in plan.actions:
        counts["held" if action.is_held else "in_sync" if _is_in_sync(action) else action.action] += 1
    counts["incomplete"] = sum(1 for action in plan.actions if action.incomplete)
    kinds = [kind for kind in ACTION_KINDS if kind != "none"]
    return {key: counts[key] for key in (*kinds, "in_sync", "held", "incomplete")}


def _is_in_sync(action: Action) -> bool:
    return action.action == "none" and not action.incomplete


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


def _reason(reason: Reason) -> Mapping[str, str]:
    return {"code": reason.code.value, "message": reason.message}


def _hold(hold: Hold) -> Mapping[str, str | None]:
    return {
        "code": hold.code.value,
        "message": hold.message,
        "to_go_on": hold.to_go_on,
        "until": stamp(hold.until),
    }
