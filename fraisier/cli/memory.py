"""Reading what the store remembers, also while the configuration is broken: at night one needs both."""

from __future__ import annotations

import click

from ..daemon.assembly import Assembly, assemble
from ..model.names import TargetId
from .options import Options


def remember(options: Options) -> tuple[Assembly, tuple[TargetId, ...]]:
    """The store, and the targets that may be named: those configured, or while the configuration is
    unusable (which is said on standard error) those that the store knows.
    """
    assembly = assemble(config=options.config, state=options.state, mode="read", tolerant=True)
    if assembly.loaded.config is not None:
        return assembly, (*assembly.config.targets, *assembly.loaded.held)
    problems = assembly.loaded.problems
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    click.secho(f"The configuration cannot be used: {problems[0]}{more}", fg="red", err=True, color=options.color)
    click.echo(f"  this is what {assembly.paths.store} remembers; mend it: fraisier validate", err=True)
    return assembly, tuple(TargetId.parse(row["identifier"]) for row in assembly.store.status_rows())
