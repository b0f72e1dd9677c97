"""What every verb is told on the command line before its name."""

from __future__ import annotations

from dataclasses import dataclass

import click


@dataclass(slots=True)
class Options:
    """The options of `fraisier` itself, handed to every verb."""

    config: str | None = None
    state: str | None = None
    color: bool | None = None
    """None: colours when standard output is a terminal and `NO_COLOR` is not set."""
    verbose: int = 0


pass_options = click.make_pass_decorator(Options, ensure=True)
