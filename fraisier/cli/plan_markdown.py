"""A plan as markdown, for a comment on a pull request: a table, then reasons and steps of what would change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..model.names import short
from ..model.plan import Action, Hold, Plan
from ..planning.document import plan_hash
from .plan_text import appearance, estimate_text, summary_line


def markdown(plan: Plan, *, prunes: bool = False) -> str:
    lines = [
        f"### Plan for `{plan.basis.server}`: {summary_line(plan, prunes=prunes)}",
        "",
        "| | target | revision | action |",
        "|---|---|---|---|",
    ]
    for action in plan.actions:
        sign, _, word = appearance(action)
        lines.append(f"| `{sign}` | `{action.id}` | {_cell(action)} | {word}{_estimate(action)} |")
    for action in plan.actions:
        if action.action != "none" or action.held_by or action.incomplete or action.notes:
            lines += ["", f"**{action.id}**", *_details(action)]
    lines += ["", f"<sub>{plan_hash(plan)}</sub>"]
    return "\n".join(lines)


def _cell(action: Action) -> str:
    if action.to_revision is None:
        return f"`{short(action.from_revision)}`" if action.from_revision else ""
    return f"`{short(action.from_revision)}` → `{short(action.to_revision)}` {_inline(action.ref)}".rstrip()


def _estimate(action: Action) -> str:
    return f", {estimate_text(action.estimate)}" if action.estimate is not None and action.is_runnable else ""


def _details(action: Action) -> list[str]:
    lines = [f"- because: {_inline(reason.message)}" for reason in action.reasons]
    lines += _holds("held by", action.held_by)
    lines += [f"- unknown: {_inline(missing.message)}" for missing in action.incomplete]
    lines += _holds("note", action.notes)
    if action.steps:
        lines.append("- steps: " + " → ".join(_inline(step.summary()) for step in action.steps))
    if action.on_failure:
        lines.append(f"- on failure: {_inline(action.on_failure)}")
    return lines


def _holds(label: str, holds: Iterable[Hold]) -> Iterator[str]:
    for hold in holds:
        yield f"- {label}: {_inline(hold.message)}"
        if hold.until is not None:
            yield f"- until: {hold.until:%Y-%m-%d %H:%M:%S} UTC"
        yield f"- to go on: `{_inline(hold.to_go_on)}`"


def _inline(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
