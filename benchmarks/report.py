"""What was found as a page for people."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence

from .figures import Figure, Row

HEAD = "| what | measured | against | it takes | ratio | at most | verdict |\n|---|---:|---|---:|---:|---:|---|"


INTRODUCTION = (
    "Written by `{command}` (`make bench` for the whole): each thing beside its baseline in one run, in turn. Ratios "
    "are medians of the ratios of neighbours, times are medians. Read the ratios: the times are those of one machine."
)
TIMES = "\N{MULTIPLICATION SIGN}"


def render(rows: Sequence[Row], command: str) -> str:
    missed = [figure for row in rows for figure in row.figures if figure.excess is not None]
    parts = [
        "# What it costs",
        INTRODUCTION.format(command=command),
        f"The machine: {machine()}.",
        "\n".join([HEAD, *(_line(figure) for row in rows for figure in row.figures)]),
        "## What is missed, and why",
        _missed(missed),
        "## How it is measured",
        *(_group(row) for row in rows),
    ]
    return "\n\n".join(parts) + "\n"


def _missed(figures: Sequence[Figure]) -> str:
    """One line per reason."""
    reasons = dict.fromkeys(figure.why for figure in figures)
    lines = []
    for why in reasons:
        what = "; ".join(f"{figure.what} ({figure.verdict})" for figure in figures if figure.why == why)
        lines.append(f"- {what}. Why: {why}.")
    return "\n".join(lines) or "Nothing."


def machine() -> str:
    """In general words: nothing that names it."""
    git = subprocess.run(["git", "--version"], check=True, capture_output=True, text=True).stdout.split()[2]
    return f"{os.cpu_count()} cores, Linux, Python {platform.python_version()}, git {git}"


def _line(figure: Figure) -> str:
    unit = "" if figure.baseline is None else figure.unit
    ratio = "" if figure.baseline is None else f"{figure.judged:.2f} {TIMES}"
    cells = [
        figure.what,
        f"{_number(figure.value)} {figure.unit}",
        figure.against,
        "" if figure.baseline is None else f"{_number(figure.baseline)} {unit}",
        ratio,
        _budget(figure),
        figure.verdict,
    ]
    return f"| {' | '.join(cells)} |"


def _budget(figure: Figure) -> str:
    if figure.budget is None:
        return ""
    return f"{figure.budget:g} {figure.unit}" if figure.baseline is None else f"{figure.budget:g} {TIMES}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def _group(row: Row) -> str:
    more = "".join(f"\n- {part}" for part in row.parts)
    return f"**{row.title}.** {row.how}\n{more}".rstrip()
