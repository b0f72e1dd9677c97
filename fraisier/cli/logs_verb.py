"""`fraisier logs`."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from .options import Options, pass_options


@click.command()
@click.argument("fraise")
@click.argument("environment", required=False)
@click.option("--deployment", metavar="ID", help="Of this deployment; by default of the newest. [see: history --json]")
@click.option("--service", is_flag=True, help="What the service itself wrote, instead.")
@click.option("--lines", "-n", type=click.IntRange(1, 100_000), default=200, show_default=True)
@click.option("--follow", "-f", is_flag=True, help="Go on printing until interrupted.")
@pass_options
def logs(
    options: Options,
    fraise: str,
    environment: str | None,
    deployment: str | None,
    service: bool,
    lines: int,
    follow: bool,
) -> None:
    """The output of a deployment's commands, or of the service itself."""
    from ..host.output import masked
    from ..model.ports import ServiceRef
    from .memory import remember
    from .selection import select_one, select_usable

    assembly, known = remember(options)
    if service:
        target = select_usable(assembly, fraise, environment)
        reference = ServiceRef(target.service.unit, target.app_path)
        services, secrets = assembly.host.services, target.env.values()
        _print_and_follow(lambda: masked(services.output(reference, lines), secrets), follow)
        return
    identifier = str(select_one(known, fraise, environment))
    files = [assembly.paths.attempt_log(id) for id in _attempts(assembly, identifier, deployment)]
    _print_and_follow(lambda: _tail(files, lines), follow)


def _attempts(assembly, identifier: str, deployment: str | None) -> list[str]:  # type: ignore[no-untyped-def]
    from ..model.errors import Refused

    rows = assembly.store.history_rows([identifier], limit=1000 if deployment else 1)
    chosen = [row for row in rows if deployment is None or row["id"].startswith(deployment)]
    if not chosen:
        what = f"no deployment {deployment}" if deployment else "no deployment yet"
        raise Refused(f"{identifier} has {what}", code="unknown_deployment", hint=f"see: fraisier history {identifier}")
    return [row["id"] for row in assembly.store.attempts_of(chosen[0]["id"])]


def _tail(files: list[Path], lines: int) -> str:
    """The last lines of all tries together; a try whose commands printed nothing has no file."""
    texts = [file.read_text(errors="replace") for file in files if file.exists()]
    return "\n".join("".join(texts).splitlines()[-lines:])


def _print_and_follow(read, follow: bool) -> None:  # type: ignore[no-untyped-def]
    shown = read()
    if shown:
        click.echo(shown)
    pause = threading.Event()
    while follow:
        pause.wait(0.3)
        now = read()
        fresh = _what_is_new(shown, now)
        if fresh:
            click.echo(fresh)
        shown = now


def _what_is_new(before: str, now: str) -> str:
    """The lines of `now` that follow the last line of `before`; all of them where it was cut away."""
    if now == before:
        return ""
    if now.startswith(before):
        return now[len(before) :].lstrip("\n")
    old, new = before.splitlines(), now.splitlines()
    for kept in range(min(len(old), len(new)), 0, -1):
        if old[-kept:] == new[:kept]:
            return "\n".join(new[kept:])
    return now
