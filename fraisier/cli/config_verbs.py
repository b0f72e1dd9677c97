"""`fraisier validate`, `fraisier schema` and `fraisier init`: what concerns the file alone."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fraisier.model.errors import Refused

from .options import Options, pass_options

if TYPE_CHECKING:
    from fraisier.config import Loaded, Problem


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@pass_options
def validate(options: Options, as_json: bool) -> None:
    """Check the configuration and show every problem at once.

    Looks at variables, secrets and checkouts of this machine, and changes nothing. Exits 2 when
    there is a problem.
    """
    from fraisier.host.lookup import find_config, load_config

    path = find_config(options.config, os.environ, Path.cwd())
    loaded = load_config(path)
    if as_json:
        click.echo(json.dumps(_as_json(path, loaded), indent=2, ensure_ascii=False))
    else:
        _show(path, loaded, _color(options))
    sys.exit(2 if loaded.problems else 0)


def _show(path: Path, loaded: Loaded, color: bool | None) -> None:
    for problem in loaded.problems:
        click.echo(_line(problem), err=True, color=color)
    if loaded.problems:
        click.echo(f"{path.name}: {_summary(loaded)}", err=True, color=color)
    elif loaded.config is not None:
        click.echo(f"{path.name}: {_targets(loaded)}, no problems", color=color)


def _line(problem: Problem) -> str:
    """The words of `str(problem)`, in colours."""
    place = click.style(f"{problem.file}:{problem.line}:{problem.column}:", bold=True)
    path = f" {click.style(f'{problem.path}:', fg='cyan')}" if problem.path else ""
    hint = f"; {click.style(problem.hint, fg='green')}" if problem.hint else ""
    return f"{place}{path} {click.style(problem.message, fg='red')}{hint}"


def _summary(loaded: Loaded) -> str:
    problems = _count(len(loaded.problems), "problem")
    if loaded.config is None:
        return f"{problems}; nothing of it can be used until they are mended"
    return f"{problems}; {_targets(loaded)} can be used, {len(loaded.held)} held"


def _targets(loaded: Loaded) -> str:
    assert loaded.config is not None  # said by both callers
    here = f"{_count(len(loaded.config.targets), 'target')} on {loaded.config.server.name}"
    others = len(loaded.config.elsewhere)
    return f"{here}, {others} on other servers" if others else here


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _as_json(path: Path, loaded: Loaded) -> dict[str, Any]:
    config = loaded.config
    return {
        "config": str(path),
        "valid": not loaded.problems,
        "server": config.server.name if config else None,
        "targets": [str(target) for target in config.targets] if config else [],
        "elsewhere": [str(target) for target in config.elsewhere] if config else [],
        "held": [str(target) for target in loaded.held],
        "problems": [_problem_as_json(problem) for problem in loaded.problems],
    }


def _problem_as_json(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": problem.message,
        "hint": problem.hint,
    }


def _color(options: Options) -> bool | None:
    """None lets click look whether it writes to a terminal."""
    if options.color is None and os.environ.get("NO_COLOR"):
        return False
    return options.color


@click.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors and other tools."""
    from fraisier.resources import resource

    click.echo(resource("schemas", "fraises.schema.json").read_text(encoding="utf-8"), nl=False)


@click.command()
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to; `-` is standard output."
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@pass_options
def init(options: Options, output: Path | None, force: bool) -> None:
    """Write a fraises.yaml to start from.

    In a git checkout it names the checkout's origin and branch, and guesses from a Procfile,
    deploy/*.service, manage.py, app.py or package.json how the service is started.
    """
    from fraisier.config import starter

    from .survey import survey

    found = survey(Path.cwd())
    text = starter(found.name, remote=found.remote, branch=found.branch, guess=found.guess, apps=_apps())
    path = output or Path(options.config or "fraises.yaml")
    if str(path) == "-":
        click.echo(text, nl=False)
        return
    _write(path, text, force)
    chosen = "" if str(path) == "fraises.yaml" else f" --config {path}"
    click.echo(f"wrote {path}; read it, then: fraisier{chosen} validate")


def _apps() -> str:
    """Where this user may deploy to."""
    return "/srv" if os.access("/srv", os.W_OK) else str(Path.home() / "srv")


def _write(path: Path, text: str, force: bool) -> None:
    """Never over a file that is there, not even one that appears just now, unless `force`."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise Refused(f"{path} is there already", code="file_exists", hint="--force overwrites it") from None
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}", code="unwritable", hint="see --output") from None
