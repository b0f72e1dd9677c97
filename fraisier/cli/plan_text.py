"""A plan as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..config import Problem
from ..daemon.assembly import Assembly
from ..model.names import TargetId, short
from ..model.plan import Action, Hold, Plan, Reason, ReasonCode
from ..planning.document import summary
from .words import age, plural, span

_SIGNS: Mapping[str, tuple[str, str]] = {
    "deploy": ("~", "warn"),
    "reconfigure": ("~", "warn"),
    "repair": ("!", "warn"),
    "roll_back": ("<", "bad"),
    "run": (">", "warn"),
    "remove": ("-", "bad"),
    "none": ("=", "good"),
}
_WORDS: Mapping[str, str] = {"none": "in sync", "remove": "to remove"}
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
_LABELS = 18
"""Columns before what is said of a target: the indent, and the labels."""

Line = tuple[str, str]
"""What it is, and what is said."""

_Cells = tuple[str, str, str, str]
"""Name, revisions, what is done, and for how long."""
_GAP, _NARROW_GAP = 4, 2


def held_by_configuration(plan: Plan, broken: Mapping[TargetId, tuple[Problem, ...]]) -> Plan:
    """The plan with an action for each target whose configuration has problems: held, and saying where."""
    actions = tuple(_invalid(id, problems) for id, problems in sorted(broken.items()))
    return replace(plan, actions=(*plan.actions, *actions))


def _invalid(id: TargetId, problems: tuple[Problem, ...]) -> Action:
    message = str(problems[0])
    hold = Hold(ReasonCode.CONFIG_INVALID, message, f"mend {problems[0].file}; all problems: fraisier validate")
    return Action(id, "none", "held", (Reason(ReasonCode.CONFIG_INVALID, message),), held_by=(hold,))


@dataclass(frozen=True, slots=True)
class Manner:
    """How much is said. `held_steps`: also what would be done to held targets. `explains`: of each step what
    it is and how it is undone, and what the action was made from. `prunes`: what left was looked for.
    """

    held_steps: bool = False
    explains: bool = False
    prunes: bool = False


def print_plan(
    out: Console,
    plan: Plan,
    assembly: Assembly,
    *,
    verbose: int = 0,
    explains: bool = False,
    prunes: bool = False,
) -> None:
    now, manner = assembly.host.clock.now(), Manner(verbose > 0 or explains, explains, prunes)
    out.print(f"[quiet]{_header(plan, assembly.config_path.name, now)}[/]")
    out.print()
    firsts = _first_lines(plan.actions, out.width if out.is_terminal else None)
    for action, first in zip(plan.actions, firsts, strict=True):
        out.print(first, no_wrap=not out.is_terminal)
        print_lines(out, list(_lines(action, now, manner)))
    out.print()
    out.print(f"[name]Plan:[/name] {summary_line(plan, prunes=prunes)}")


def _header(plan: Plan, config_name: str, now: datetime) -> str:
    read = age(plan.basis.heads_seen_at, now).replace(" ago", " old")
    heads = f"heads {read}" if plan.basis.heads_seen_at else "no heads known"
    if plan.basis.offline:
        heads += " (offline)"
    return f"{escape(plan.basis.server)} · {escape(config_name)} {plan.basis.config_digest[:7]} · {heads}"


# --- the first line of each target -----------------------------------------------------------


def _first_lines(actions: Sequence[Action], width: int | None) -> list[str]:
    """One line each, in columns. Where one does not fit `width` the columns move together, and at last all
    revisions go to a line below.
    """
    rows = [_cells(action) for action in actions]
    for gap in (_GAP, _NARROW_GAP):
        lines = _in_columns(actions, rows, gap)
        if width is None or all(_length(line) <= width for line in lines):
            return lines
    lines = _in_columns(actions, [(name, "", word, estimate) for name, _, word, estimate in rows], _NARROW_GAP)
    below = [row[1] if appearance(action)[2] != "in sync" else "" for action, row in zip(actions, rows, strict=True)]
    return [f"{line}\n{' ' * 6}{more}" if more else line for line, more in zip(lines, below, strict=True)]


def first_line(action: Action, width: int | None) -> str:
    """Of one target alone; `width` of the terminal, None where there is none."""
    return _first_lines([action], width)[0]


def _cells(action: Action) -> _Cells:
    _, style, word = appearance(action)
    estimate = f"[quiet]{estimate_text(action.estimate)}[/]" if action.estimate is not None else ""
    shown = estimate if action.is_runnable else ""  # how long something waits that is held, nobody knows
    return f"[name]{escape(str(action.id))}[/]", _movement(action), f"[{style}]{word}[/]", shown


def _in_columns(actions: Sequence[Action], rows: Sequence[_Cells], gap: int) -> list[str]:
    """A column in which nobody has anything takes no room."""
    widths = [max((_length(row[at]) for row in rows), default=0) for at in range(4)]
    lines = []
    for action, row in zip(actions, rows, strict=True):
        sign, style, _ = appearance(action)
        cells = [cell + " " * (size - _length(cell)) for cell, size in zip(row, widths, strict=True) if size]
        lines.append(f"  [{style}]{sign}[/] {(' ' * gap).join(cells)}".rstrip())
    return lines


def estimate_text(seconds: float) -> str:
    """As exact as it can be known."""
    if seconds < 1:
        return "less than 1 s"
    return f"about {round(seconds)} s" if seconds < 10 else f"about {span(seconds)}"


def _length(markup: str) -> int:
    return Text.from_markup(markup).cell_len


def appearance(action: Action) -> tuple[str, str, str]:
    """Its sign, style and word: `x`, `bad`, `held`."""
    if action.is_held:
        return "x", "bad", "held"
    if action.reasons[0].code is ReasonCode.STOPPED_BY_PERSON and not action.steps:
        return "x", "bad", "stopped"
    if action.incomplete and not action.steps:
        return "?", "warn", "unknown"
    sign, style = _SIGNS[action.action]
    return sign, style, _WORDS.get(action.action, action.action.replace("_", " "))


def _movement(action: Action) -> str:
    if action.to_revision is None:
        return f"[sha]{short(action.from_revision)}[/]" if action.from_revision else ""
    ref = f"  {escape(action.ref)}" if action.ref else ""
    if action.from_revision == action.to_revision:
        return f"[sha]{short(action.to_revision)}[/]{ref}"
    commits = f", {plural(action.commits, 'commit')}" if action.commits else ""
    return f"[sha]{short(action.from_revision)} → {short(action.to_revision)}[/]{ref}{commits}"


# --- what is said of it ----------------------------------------------------------------------


def _lines(action: Action, now: datetime, manner: Manner) -> Iterator[Line]:
    """Nothing of what is in sync and stays so, unless a person has arranged something for it."""
    told = bool(action.steps or action.held_by or action.incomplete or action.notes)
    if told or appearance(action)[2] != "in sync":
        yield from (("because", reason.message) for reason in action.reasons if not repeats(action, reason))
    yield from hold_lines("held by", action.held_by, now)
    yield from (("unknown", missing.message) for missing in action.incomplete)
    yield from hold_lines("note", action.notes, now)
    if action.steps and manner.explains:
        yield from _explained(action)
    elif action.steps and (not action.held_by or manner.held_steps):
        yield "steps", " → ".join(step.summary() for step in action.steps)
    if action.on_failure and not action.held_by:
        yield "on failure", action.on_failure
    if manner.explains:
        yield from _made_from(action)


def repeats(action: Action, reason: Reason) -> bool:
    """Whether the first line, a hold or what is unknown says the same."""
    said = any(reason.message == hold.message for hold in (*action.held_by, *action.notes))
    return said or reason.code is ReasonCode.IN_SYNC or reason in action.incomplete


def hold_lines(label: str, holds: Iterable[Hold], now: datetime) -> Iterator[Line]:
    """Each with when it ends by itself and with how to go on."""
    for hold in holds:
        yield label, hold.message
        if hold.until is not None and not _says_when(hold, hold.until):
            yield "until", until_text(hold.until, now)
        yield "to go on", hold.to_go_on


def _says_when(hold: Hold, until: datetime) -> bool:
    return hold.code is ReasonCode.WINDOW or f"until {until:%Y-%m-%d %H:%M} UTC" in hold.message


def until_text(moment: datetime, now: datetime) -> str:
    """In local time: `12:04:21 CET (in 8 s)`, `17:30 CET`, `Mon 09:00 CET`, `2026-12-24 09:00 CET`."""
    local, ahead = moment.astimezone(), moment - now
    if ahead < timedelta(hours=1):
        return f"{local:%H:%M:%S %Z} (in {span(ahead.total_seconds())})"
    if local.date() == now.astimezone().date():
        return f"{local:%H:%M %Z}"
    return f"{local:%a %H:%M %Z}" if ahead < timedelta(days=6) else f"{local:%Y-%m-%d %H:%M %Z}"


def _explained(action: Action) -> Iterator[Line]:
    """How each step is undone stands below it."""
    for number, step in enumerate(action.steps, 1):
        yield ("steps" if number == 1 else ""), f"{number:>2}. {step.summary()}\n    {step.undo}"


def _made_from(action: Action) -> Iterator[Line]:
    width = max(map(len, action.basis), default=0)
    for number, (name, value) in enumerate(action.basis.items()):
        yield ("basis" if number == 0 else ""), f"{name.ljust(width)}  {value}"
    if action.hash:
        yield "hash", action.hash


def print_lines(out: Console, lines: Iterable[Line]) -> None:
    for label, text in lines:
        _print_labelled(out, label, text)


def _print_labelled(out: Console, label: str, text: str) -> None:
    """On a terminal, lines that wrap stay beside their label; piped, they are not wrapped."""
    indent = " " * 6
    if out.is_terminal:
        grid = Table.grid()
        grid.add_column(width=_LABELS, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(f"{indent}[quiet]{label}[/]", escape(text))
        out.print(grid)
        return
    first, *rest = text.splitlines() or [""]
    out.print(f"{indent}[quiet]{label:<{_LABELS - len(indent)}}[/]{escape(first)}")
    for line in rest:
        out.print(f"{' ' * _LABELS}{escape(line)}")


def summary_line(plan: Plan, *, prunes: bool = False) -> str:
    """`prunes`: that nothing has left is said too."""
    counts = summary(plan)
    said = [f"{counts[key]} {words}" for key, words in _SUMMARY if counts[key] or (prunes and key == "remove")]
    if counts["incomplete"]:
        said.append(f"{counts['incomplete']} incomplete")
    return ", ".join(said) or "nothing is configured on this server"
