"""What is behind a plan, as text for people and as JSON."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..host.output import clean
from ..model.names import short
from ..model.ports import Commit, UnitFile
from ..model.state import Unknown
from ..planning.document import stamp
from ..reconcile.difference import Change, Commits, Differences
from .plan_text import first_line, print_lines
from .words import age, plural

_INDENT = " " * 6
_STYLES = {"+": "good", "-": "bad", "@": "sha"}


def print_differences(out: Console, found: Sequence[Differences], now: datetime, *, targets: int) -> None:
    """`targets`: how many were looked at."""
    if not found:
        out.print(f"Nothing to compare: {plural(targets, 'target')}, and nothing is to be done.")
    for number, each in enumerate(found):
        if number:
            out.print()
        _print_target(out, each, now)


def _print_target(out: Console, found: Differences, now: datetime) -> None:
    out.print(first_line(found.action, out.width if out.is_terminal else None))
    print_lines(out, [("held by", hold.message) for hold in found.action.held_by])
    if isinstance(found.commits, Commits):
        _print_part(out, "commits", _commit_lines(found.commits, now))
    if isinstance(found.declared, tuple):
        _print_part(out, "configuration, since it was last healthy", _change_lines(found.declared))
    if isinstance(found.units, tuple):
        _print_part(out, "unit files", [line for unit in found.units for line in _unit_lines(unit)])
    _print_part(out, "files in the release", [escape(clean(str(each))) for each in found.files])
    print_lines(out, [("unknown", message) for message in _not_known(found)])
    if found.is_empty and not found.unknown and not found.action.incomplete:
        out.print(f"{_INDENT}nothing differs")


def _print_part(out: Console, heading: str, lines: Iterable[str]) -> None:
    """Lines that wrap on a terminal stay below their beginning."""
    shown = list(lines)
    if shown:
        out.print(f"{_INDENT}[quiet]{heading}[/]")
    for line in shown:
        for part in line.split("\n"):
            _print_indented(out, part)


def _print_indented(out: Console, line: str) -> None:
    if not out.is_terminal:
        out.print(f"{_INDENT}  {line}")
        return
    grid = Table.grid()
    grid.add_column(width=len(_INDENT) + 2)
    grid.add_column(overflow="fold")
    grid.add_row("", line)
    out.print(grid)


def _not_known(found: Differences) -> list[str]:
    """Each message once, with what it is that could not be compared."""
    parts: dict[str, list[str]] = {}
    for name, unknown in found.unknown.items():
        parts.setdefault(clean(unknown.message), []).append(name)
    for missing in found.action.incomplete:
        parts.setdefault(clean(missing.message), [])
    return [f"{' and '.join(names)}: {message}" if names else message for message, names in parts.items()]


# --- commits ---------------------------------------------------------------------------------


def _commit_lines(commits: Commits, now: datetime) -> Iterator[str]:
    """What would be lost is marked, for it is the news."""
    yield from _side(commits.gained, commits.gained_count, "  ", now)
    yield from _side(commits.lost, commits.lost_count, "[bad]-[/] ", now)


def _side(listed: Sequence[Commit], count: int | None, mark: str, now: datetime) -> Iterator[str]:
    for commit in listed:
        about = f"({_line(commit.author)}, {age(commit.at, now)})"
        yield f"{mark}[sha]{short(commit.sha)}[/]  {escape(_line(commit.subject))}  [quiet]{escape(about)}[/]"
    if listed and count is None:
        yield f"{mark}[quiet]and more[/]"
    elif count is not None and count > len(listed):
        yield f"{mark}[quiet]and {count - len(listed)} more[/]"


def _line(text: str) -> str:
    """On one line and without control characters, whatever somebody wrote into a commit."""
    return " ".join(clean(text).split())


# --- configuration ---------------------------------------------------------------------------


def _change_lines(changes: Sequence[Change]) -> Iterator[str]:
    width = max((len(change.key) for change in changes), default=0)
    for change in changes:
        yield f"{escape(change.key.ljust(width))}  {escape(change_text(change))}"


def change_text(change: Change) -> str:
    """`info → debug`, `changed (3b9e1c02 → c0711f3a)` of a secret, `added: debug`, `removed: info`."""
    if change.kind == "added":
        return f"added: {_value(change.after)}"
    if change.kind == "removed":
        return f"removed: {_value(change.before)}"
    if isinstance(change.before, Mapping) and isinstance(change.after, Mapping):
        return f"changed ({change.before['secret']} → {change.after['secret']})"
    return f"{_value(change.before)} → {_value(change.after)}"


def _value(value: Any) -> str:
    """As it stands where that is plain to read, else as JSON has it."""
    if isinstance(value, Mapping):
        return f"secret {value['secret']}"
    if isinstance(value, list):
        return f"[{', '.join(_value(each) for each in value)}]"
    text = value if isinstance(value, str) else json.dumps(value)
    plain = text.isprintable() and text == text.strip() and text
    return text if plain else json.dumps(text)


# --- units -----------------------------------------------------------------------------------


def unit_diff(unit: UnitFile) -> str:
    """From how the file is to how it should be; empty where that is the same."""
    before, after = (None if text is None else clean(text).splitlines() for text in (unit.observed, unit.desired))
    lines = difflib.unified_diff(
        before or [],
        after or [],
        unit.path if before is not None else "/dev/null",
        unit.path if after is not None else "/dev/null",
        lineterm="",
    )
    return "\n".join(lines)


def _unit_lines(unit: UnitFile) -> Iterator[str]:
    for line in unit_diff(unit).split("\n"):
        style = _STYLES.get(line[:1], "")
        yield f"[{style}]{escape(line)}[/]" if style else escape(line)


# --- JSON ------------------------------------------------------------------------------------


def diff_document(found: Differences) -> dict[str, Any]:
    """One element of `diff --json`. What could not be compared is null, and named in `unknown`."""
    action, commits, declared, units = found.action, found.commits, found.declared, found.units
    return {
        "identifier": str(action.id),
        "action": action.action,
        "sync": action.sync,
        "ref": action.ref,
        "from_revision": action.from_revision,
        "to_revision": action.to_revision,
        "commits": _commits_document(commits) if isinstance(commits, Commits) else None,
        "configuration": [_change_document(each) for each in declared] if isinstance(declared, tuple) else None,
        "unit_files": [_unit_document(each) for each in units] if isinstance(units, tuple) else None,
        "files": [{"path": each.path, "found": each.found} for each in found.files],
        "unknown": [_unknown_document(name, each) for name, each in found.unknown.items()],
    }


def _commits_document(commits: Commits) -> dict[str, Any]:
    return {
        "gained": [_commit_document(each) for each in commits.gained],
        "gained_count": commits.gained_count,
        "lost": [_commit_document(each) for each in commits.lost],
        "lost_count": commits.lost_count,
    }


def _commit_document(commit: Commit) -> dict[str, Any]:
    return {"sha": commit.sha, "subject": commit.subject, "author": commit.author, "at": stamp(commit.at)}


def _change_document(change: Change) -> dict[str, Any]:
    return {"key": change.key, "change": change.kind, "before": change.before, "after": change.after}


def _unit_document(unit: UnitFile) -> dict[str, Any]:
    return {"path": unit.path, "desired": unit.desired, "observed": unit.observed, "diff": unit_diff(unit)}


def _unknown_document(name: str, unknown: Unknown) -> dict[str, Any]:
    return {"what": name, "code": unknown.code, "message": unknown.message}
