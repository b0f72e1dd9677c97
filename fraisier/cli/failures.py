"""Errors as people see them at the end of a command."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

import click

from ..model.errors import ConfigFault, FraisierError, Refused

FAILED, NEEDS_A_PERSON, OUR_BUG = 1, 2, 3


def explain_failure(error: Exception) -> int:
    """Prints what, where and what now; returns the exit code."""
    if not isinstance(error, FraisierError):
        return _report_bug(error)
    click.secho(f"error: {error}", fg="red", err=True, color=_color())
    if error.hint:
        click.echo(f"  {error.hint}", err=True)
    return NEEDS_A_PERSON if isinstance(error, ConfigFault | Refused) else FAILED


def _report_bug(error: Exception) -> int:
    """A report that can be pasted, in a file, so that the terminal stays readable."""
    text = "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile("w", prefix="fraisier-bug-", suffix=".txt", delete=False) as report:
        report.write(f"fraisier {' '.join(sys.argv[1:])}\npython {sys.version}\n\n{text}")
    click.secho(f"error: a bug in Fraisier: {type(error).__name__}: {error}", fg="red", err=True, color=_color())
    click.echo(f"  please send us {report.name}", err=True)
    return OUR_BUG


def _color() -> bool | None:
    return False if os.environ.get("NO_COLOR") else None
