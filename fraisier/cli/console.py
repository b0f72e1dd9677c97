"""The terminal: one rich console per stream, coloured only where somebody looks."""

from __future__ import annotations

import os
import sys

from rich.console import Console
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
        width=None if stream.isatty() else 200,
        soft_wrap=not stream.isatty(),
    )
