"""A plan as text for people, and as markdown for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..config import Problem
from ..daemon.assembly import Assembly
from ..model.names import TargetId, short
from ..model.plan import Action, Hold, Plan, Reason, ReasonCode
from ..planning.document import plan_hash, summary
from .words import age, plural

_SIGNS: Mapping[str, tuple[str, str]] = {
    "deploy": ("~", "warn"),
    "reconfigure": ("~", "warn"),
    "repair": ("!", "warn"),
    "roll_back": ("<", "bad"),
    "run": (">", "warn"),
    "remove": ("-", "bad"),
    "none": ("=", "good"),
}
_SUMMARY = (
    ("deploy", "to deploy"),
    ("reconfigure", "to reconfigure"),
    ("repair", "to repair"),
    ("roll_back", "to roll back"),
    ("run", "to run"),
    ("in_sync", "in sync"),
    ("held", "held"),
    ("remove", "to remove"),
)


def held_by_configuration(plan: Plan, broken: Mapping[TargetId, tuple[Problem, ...]]) -> Plan:
    """The plan with an action for each target whose configuration has problems: held, and saying where."""
    actions = tuple(_invalid(id, problems) for id, problems in sorted(broken.items()))
    return replace(plan, actions=(*plan.actions, *actions))


def _invalid(id: TargetId, problems: tuple[Problem, ...]) -> Action:
    message = str(problems[0])
    hold = Hold(ReasonCode.CONFIG_INVALID, message, f"mend {problems[0].file}; all problems: fraisier validate")
    return Action(id, "none", "held", (Reason(ReasonCode.CONFIG_INVALID, message),), held_by=(hold,))


def print_plan(out: Console, plan: Plan, assembly: Assembly, *, verbose: int = 0) -> None:
    out.print(_header(plan, assembly), style="quiet")
    out.print()
    width = max((len(str(action.id)) for action in plan.actions), default=0)
    for action in plan.actions:
        _print_action(out, action, width, verbose)
    out.print()
    out.print(f"[name]Plan:[/name] {summary_line(plan)}")


def _header(plan: Plan, assembly: Assembly) -> str:
    now = assembly.host.clock.now()
    heads = f"heads {age(plan.basis.heads_seen_at, now)}" if plan.basis.heads_seen_at else "no heads known"
    if plan.basis.offline:
        heads += " (offline)"
    return f"{plan.basis.server} · {escape(assembly.config_path.name)} {plan.basis.config_digest[:7]} · {heads}"


def _print_action(out: Console, action: Action, width: int, verbose: int) -> None:
    sign, style, word = appearance(action)
    name = escape(str(action.id)).ljust(width + len(escape(str(action.id))) - len(str(action.id)))
    out.print(f"  [{style}]{sign}[/] [name]{name}[/]    {_movement(action)}[{style}]{word}[/]")
    if action.action == "none" and not action.held_by and not action.incomplete and not verbose:
        return
    lines = [("because", reason.message) for reason in action.reasons if not _repeats(action, reason)]
    lines += [("held by", hold.message) for hold in action.held_by]
    lines += [("to go on", hold.to_go_on) for hold in action.held_by]
    lines += [("unknown", missing.message) for missing in action.incomplete]
    if action.steps and (not action.held_by or verbose):
        lines.append(("steps", " → ".join(step.summary() for step in action.steps)))
    if action.on_failure and not action.held_by:
        lines.append(("on failure", action.on_failure))
    for label, text in lines:
        _print_labelled(out, label, text)


def _print_labelled(out: Console, label: str, text: str) -> None:
    """On a terminal, lines that wrap stay beside their label; piped, they are not wrapped."""
    if out.is_terminal:
        grid = Table.grid()
        grid.add_column(width=17, no_wrap=True)
        grid.add_column()
        grid.add_row(f"      [quiet]{label}[/]", escape(text))
        out.print(grid)
        return
    first, *rest = text.splitlines() or [""]
    out.print(f"      [quiet]{label:<11}[/]{escape(first)}")
    for line in rest:
        out.print(f"      {'':<11}{escape(line)}")


def _repeats(action: Action, reason: Reason) -> bool:
    return any(reason.message == hold.message for hold in action.held_by) or reason in action.incomplete


def appearance(action: Action) -> tuple[str, str, str]:
    """Its sign, style and word: `x`, `bad`, `held`."""
    if action.is_held:
        return "x", "bad", "held"
    if action.incomplete and not action.steps:
        return "?", "warn", "unknown"
    sign, style = _SIGNS[action.action]
    return sign, style, "in sync" if action.action == "none" else action.action.replace("_", " ")


def _movement(action: Action) -> str:
    if action.to_revision is None:
        return ""
    if action.from_revision == action.to_revision:
        return f"[sha]{short(action.to_revision)}[/]  {escape(action.ref)}    "
    commits = f", {plural(action.commits, 'commit')}" if action.commits else ""
    return f"[sha]{short(action.from_revision)} → {short(action.to_revision)}[/]  {escape(action.ref)}{commits}    "


def summary_line(plan: Plan) -> str:
    counts = summary(plan)
    said = [f"{counts[key]} {words}" for key, words in _SUMMARY if counts[key]]
    if counts["incomplete"]:
        said.append(f"{counts['incomplete']} incomplete")
    return ", ".join(said) or "nothing is configured on this server"


def markdown(plan: Plan) -> str:
    """For a comment: a table, then reasons and steps of what would change."""
    lines = [
        f"### Plan for `{plan.basis.server}`: {summary_line(plan)}",
        "",
        "| | target | revision | action |",
        "|---|---|---|---|",
    ]
    for action in plan.actions:
        sign, _, word = appearance(action)
        lines.append(f"| `{sign}` | `{action.id}` | {_cell(action)} | {word} |")
    for action in plan.actions:
        if action.action != "none" or action.held_by or action.incomplete:
            lines += ["", f"**{action.id}**", *_markdown_details(action)]
    lines += ["", f"<sub>{plan_hash(plan)}</sub>"]
    return "\n".join(lines)


def _cell(action: Action) -> str:
    if action.to_revision is None:
        return ""
    return f"`{short(action.from_revision)}` → `{short(action.to_revision)}` {action.ref}"


def _markdown_details(action: Action) -> list[str]:
    lines = [f"- because: {_inline(reason.message)}" for reason in action.reasons]
    for hold in action.held_by:
        lines += [f"- held by: {_inline(hold.message)}", f"- to go on: `{_inline(hold.to_go_on)}`"]
    lines += [f"- unknown: {_inline(missing.message)}" for missing in action.incomplete]
    if action.steps:
        lines.append("- steps: " + " → ".join(step.summary() for step in action.steps))
    if action.on_failure:
        lines.append(f"- on failure: {action.on_failure}")
    return lines


def _inline(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
