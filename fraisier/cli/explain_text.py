"""Everything known about one target as text: what runs, what is wanted, what follows, who arranged what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..model.names import short
from ..model.plan import Action
from .plan_text import Line, appearance, hold_lines, repeats, until_text
from .words import age, clock, parse_moment, plural, span

_HEALTHS = {"healthy": "good", "progressing": "busy", "unknown": "warn"}
_LABELS = 15
_HEALTHY_SHOWN = 3

Document = Mapping[str, Any]


def print_explanation(out: Console, document: Document, action: Action, now: datetime) -> None:
    style = _HEALTHS.get(document["observed"]["health"], "bad")
    out.print(f"[name]{escape(document['identifier'])}[/]  [quiet]{escape(document['declared_at'])}[/]")
    _print_part(out, "observed: what runs", _observed(document["observed"], now), first=style)
    _print_part(out, "desired: what is wanted", _desired(document["desired"], now))
    _print_part(out, "what follows", _follows(action, document["desired"]["problem"], now))
    _print_part(out, "arranged by people", _arranged(document["arranged"], now))
    _print_part(out, "limits", _limits(document["limits"], now))
    _print_part(out, "recorded", _recorded(document["recorded"], now))
    _print_part(out, "last deployments", _last(document["last"], now))


def _print_part(out: Console, heading: str, lines: Iterator[Line], *, first: str = "") -> None:
    """Nothing for a part that has nothing to say. `first`: the style of its first line."""
    shown = list(lines)
    if not shown:
        return
    out.print(f"\n[quiet]{heading}[/]")
    for number, (label, text) in enumerate(shown):
        _print_line(out, label, f"[{first}]{escape(text)}[/]" if first and number == 0 else escape(text))


def _print_line(out: Console, label: str, text: str) -> None:
    if out.is_terminal:
        grid = Table.grid()
        grid.add_column(width=_LABELS + 2, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(f"  [quiet]{escape(label)}[/]", text)
        out.print(grid)
        return
    first, *rest = text.split("\n")
    out.print(f"  [quiet]{escape(label):<{_LABELS}}[/]{first}")
    for line in rest:
        out.print(f"  {'':<{_LABELS}}{line}")


# --- the parts -------------------------------------------------------------------------------


def _observed(observed: Document, now: datetime) -> Iterator[Line]:
    probe = observed["probe"]
    yield "health", observed["health"] + (f": {probe['message']}" if probe is not None else "")
    yield "runs", short(observed["sha"]) if observed["sha"] else "none of our releases"
    yield "service", _service(observed, now)
    if observed["message"]:
        yield "says", observed["message"]
    if observed["started_with"] not in (None, observed["current"]):
        yield "started with", observed["started_with"]
    for drift in observed["drift"]:
        yield f"drift: {drift['field']}", f"desired   {drift['desired']}\nobserved  {drift['observed']}"
    if observed["differences"]:
        yield "changed", "\n".join(f"{each['path']} {each['found']}" for each in observed["differences"])
    if observed["releases"]:
        yield "releases", ", ".join(_release(name) for name in observed["releases"])
    if observed["problem"]:
        yield "problem", observed["problem"]


def _service(observed: Document, now: datetime) -> str:
    """`running since 12:04 (2 h ago), pid 4711, started again twice, comes not back after a reboot`."""
    since = f" since {clock(observed['since'], now)} ({age(observed['since'], now)})" if observed["since"] else ""
    parts = [f"{observed['service']}{since}"]
    if observed["pid"]:
        parts.append(f"pid {observed['pid']}")
    if observed["restarts"]:
        parts.append(f"restarted {plural(observed['restarts'], 'time')} by its manager")
    if observed["enabled"] is False:
        parts.append("disabled: it does not come back after a reboot")
    return ", ".join(parts)


def _release(name: str) -> str:
    sha, dot, build = name.partition(".")
    return f"{short(sha)}{dot}{build}"


def _desired(desired: Document, now: datetime) -> Iterator[Line]:
    selection, declared = desired["selection"], desired["declared"]
    chosen = f"{selection['kind']} {_selected(selection)}"
    if selection != declared:
        chosen += f", instead of {declared['kind']} {_selected(declared)} as declared"
    yield "follows", chosen
    if desired["sha"]:
        ref = f"  {desired['ref']}" if desired["ref"] else ""
        yield "is at", f"{short(desired['sha'])}{ref}, read {age(desired['seen_at'], now)}"
    if desired["commits"] or desired["lineage"] == "rewind":
        yield "compared", _lineage(desired)
    if desired["signature"] is not None:
        signature = desired["signature"]
        yield "signature", f"{signature['verdict']}: {signature['message']}".rstrip(": ")
    if desired["problem"]:
        yield "problem", desired["problem"]


def _selected(selection: Document) -> str:
    return short(selection["value"]) if selection["kind"] == "revision" else str(selection["value"])


def _lineage(desired: Document) -> str:
    ahead = f"{plural(desired['commits'], 'commit')} ahead" if desired["commits"] else ""
    rewound = "does not descend from what is healthy" if desired["lineage"] == "rewind" else ""
    return ", ".join(part for part in (ahead, rewound) if part)


def _follows(action: Action, said: str | None, now: datetime) -> Iterator[Line]:
    """Why it is not where it should be, and what to do. `said`: a problem that stands above already."""
    kind = "" if action.action == "none" or not action.is_held else f": {action.action.replace('_', ' ')}"
    yield "action", appearance(action)[2] + kind
    yield from (("because", reason.message) for reason in action.reasons if not repeats(action, reason))
    yield from hold_lines("held by", action.held_by, now)
    yield from (("unknown", missing.message) for missing in action.incomplete if missing.message != said)
    yield from hold_lines("note", action.notes, now)
    for number, step in enumerate(action.steps, 1):
        yield ("steps" if number == 1 else ""), f"{number:>2}. {step.summary()}\n    {step.undo}"
    if action.on_failure and not action.is_held:
        yield "on failure", action.on_failure


def _arranged(arranged: Document, now: datetime) -> Iterator[Line]:
    for each in arranged["suspensions"]:
        stopped = " and stopped" if each["stop"] else ""
        yield "suspended", f"{each['scope']}{stopped}{_by(each, now)}"
    if (override := arranged["override"]) is not None:
        label = "pinned" if override["kind"] == "pin" else "on trial"
        yield label, f"{_selected(override['selection'])}{_by(override, now)}"
    if (approval := arranged["approval"]) is not None:
        yield "approved", f"{approval['hash']}{_by(approval, now)}"
    if (emergency := arranged["emergency"]) is not None:
        yield "emergency", f"{short(emergency['sha'])} may pass the windows{_by(emergency, now)}"
    if arranged["accepted_rewinds"]:
        yield "rewinds", f"accepted to {', '.join(short(sha) for sha in arranged['accepted_rewinds'])}"
    if arranged["forced"]:
        yield "forced", "a person asked to deploy again"


def _by(entry: Document, now: datetime) -> str:
    until = f", until {until_text(parse_moment(entry['until']), now)}" if entry.get("until") else ""
    why = f": {entry['reason']}" if entry.get("reason") else ""
    return f" by {entry['by']} since {clock(entry['at'], now)}{until}{why}"


def _limits(limits: Document, now: datetime) -> Iterator[Line]:
    for window in limits["windows"]:
        word = "open" if window["is_open"] else "closed"
        until = f" until {until_text(parse_moment(window['until']), now)}" if window["until"] else ""
        yield "window", f"{window['name']}: {word}{until}  ({window['says']})"
    if limits["approval"]:
        yield "approval", "each deployment has to be approved"
    if limits["depends_on"]:
        yield "depends on", ", ".join(limits["depends_on"])
    repairs = limits["repairs"]
    last = f", the last {age(repairs['last_at'], now)}" if repairs["last_at"] else ""
    yield "repairs", f"{repairs['recent']} of at most {repairs['at_most']} within {span(repairs['within_s'])}{last}"


def _recorded(recorded: Document, now: datetime) -> Iterator[Line]:
    healthy = recorded["healthy"]
    for number, proven in enumerate(healthy[:_HEALTHY_SHOWN]):
        yield ("healthy" if number == 0 else ""), f"{short(proven['sha'])}  {age(proven['at'], now)}"
    if not healthy:
        yield "healthy", "never"
    if len(healthy) > _HEALTHY_SHOWN:
        yield "", f"and {len(healthy) - _HEALTHY_SHOWN} more"
    if recorded["attempted"] and recorded["attempted"] != (healthy[0]["sha"] if healthy else None):
        yield "attempted", short(recorded["attempted"])
    for entry in recorded["quarantine"]:
        what = short(entry["sha"]) if entry["sha"] else "the configuration"
        yield "quarantine", f"{what} since {clock(entry['since'], now)}: {_first(entry['message'])}"
    if (back_off := recorded["back_off"]) is not None:
        failures, until = plural(back_off["failures"], "failure"), until_text(parse_moment(back_off["until"]), now)
        yield "back-off", f"after {failures} until {until}: {_first(back_off['message'])}"


def _last(rows: list[Document], now: datetime) -> Iterator[Line]:
    for row in rows:
        outcome, message = row["status"].replace("_", " "), _first(row.get("message") or "")
        yield clock(row["started_at"], now), f"{outcome:<12}  {short(row['to_revision'])}  {message}".rstrip()


def _first(text: str) -> str:
    return text.partition("\n")[0]
