"""The terminal: one rich console per stream, coloured only where somebody looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence

from rich.console import Console
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text
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
    out: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
    *,
    note: str,
    spare: Collection[str] = (),
) -> None:
    """A table whose rows each end in a long text.

    Piped, that is the last column, under `note`; on a terminal it stands below its row, whole. Where the
    terminal is too narrow the columns `spare` go down there too, the first named first.
    """
    if not out.is_terminal:
        out.print(_table([*headings, note], [[*row, text] for row, text in zip(rows, notes, strict=True)]))
        return
    fitted = _Fitted(out, list(headings), [list(row) for row in rows], list(notes))
    for heading in spare:
        fitted.put_below(heading)
    table = fitted.cropped()
    for line, text in zip(out.render_lines(table, pad=False), ["", *fitted.notes], strict=True):
        out.print(Segments([*line, Segment.line()]), end="")
        if text:
            out.print(_indented(text))


class _Fitted:
    """Rows on their way into the width of a terminal."""

    def __init__(self, out: Console, headings: list[str], rows: list[list[str]], notes: list[str]) -> None:
        self._out = out
        self._headings = headings
        self._rows = rows
        self._moved = [list[str]() for _ in rows]
        self._notes = notes

    @property
    def notes(self) -> list[str]:
        """What is said of each row, and then what it had no room for."""
        pairs = zip(self._notes, self._moved, strict=True)
        return ["\n".join(filter(None, [text, ", ".join(moved)])) for text, moved in pairs]

    def put_below(self, heading: str) -> None:
        """Where there is still too little room."""
        if self._excess() <= 0:
            return
        at = self._headings.index(heading)
        del self._headings[at]
        for row, moved in zip(self._rows, self._moved, strict=True):
            cell = row.pop(at)
            if _plain(cell) not in ("", "-"):
                moved.append(f"{heading.lower()} {cell}")

    def cropped(self) -> Table:
        """As a last resort the widest cells are cut short, and stand below their row in full."""
        table, excess = _table(self._headings, self._rows), self._excess()
        lines = [self._headings, *self._rows]
        widths = [max(len(_plain(line[at])) for line in lines) for at in range(len(self._headings))]
        for _ in range(excess):
            widths[widths.index(max(widths))] -= 1
        for at, width in enumerate(widths):
            table.columns[at].max_width = max(width, 1)
        for row, moved in zip(self._rows, self._moved, strict=True):
            moved[:0] = [cell for cell, width in zip(row, widths, strict=True) if len(_plain(cell)) > width]
        return table

    def _excess(self) -> int:
        unbounded = self._out.options.update(max_width=10_000)
        needed = self._out.measure(_table(self._headings, self._rows), options=unbounded).maximum
        return needed - self._out.width


def _plain(markup: str) -> str:
    return Text.from_markup(markup).plain


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="quiet")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _indented(text: str) -> Table:
    """Wrapped lines stay below the first."""
    grid = Table.grid()
    grid.add_column(width=4, no_wrap=True)
    grid.add_column(style="quiet", overflow="fold")
    grid.add_row("", text)
    return grid
