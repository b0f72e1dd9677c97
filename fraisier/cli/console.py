"""The terminal: one rich console per stream, coloured only where somebody looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.segment import Segment, Segments
from rich.table import Table
from rich.theme import Theme

from .options import Options

THEME = Theme(
    {
        "good": "green",
        "bad": "red",
        "warn": "yellow",
        "busy": "cyan",
        "quiet": "dim",
        "sha": "cyan",
        "name": "bold",
    }
)


def console(options: Options, *, stderr: bool = False) -> Console:
    """Wide enough for whole lines when piped: `grep` and `cut` want one line per fact."""
    stream = sys.stderr if stderr else sys.stdout
    color = options.color if options.color is not None else (stream.isatty() and not os.environ.get("NO_COLOR"))
    return Console(
        file=stream,
        theme=THEME,
        highlight=False,
        emoji=False,
        markup=True,
        no_color=not color,
        force_terminal=True if options.color else None,
        color_system="auto" if color else None,
        width=None if stream.isatty() else 10_000,
        soft_wrap=not stream.isatty(),
    )


def print_rows(
    out: Console, headings: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str], *, note: str
) -> None:
    """A table whose rows each end in a long text.

    Piped, that is the last column, under `note`; on a terminal it stands below its row, whole.
    """
    table = Table(box=None, pad_edge=False, header_style="quiet")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    if not out.is_terminal:
        table.add_column(note, no_wrap=True)
        for row, text in zip(rows, notes, strict=True):
            table.add_row(*row, text)
        out.print(table)
        return
    for row in rows:
        table.add_row(*row)
    for line, text in zip(out.render_lines(table, pad=False), ["", *notes], strict=True):
        out.print(Segments([*line, Segment.line()]), end="")
        if text:
            out.print(_indented(text))


def _indented(text: str) -> Table:
    """Wrapped lines stay below the first."""
    grid = Table.grid()
    grid.add_column(width=4, no_wrap=True)
    grid.add_column(style="quiet")
    grid.add_row("", text)
    return grid
