"""`fraisier watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .asking import some_targets
from .options import Options, pass_options

if TYPE_CHECKING:
    from rich.console import Console

    from .watch_scene import Poller


@click.command()
@some_targets
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 60),
    default=0.3,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@click.option("--once", is_flag=True, help="Print it once, and end.")
@pass_options
def watch(options: Options, fraise: str | None, environment: str | None, interval: float, once: bool) -> None:
    """A live view of all targets, trouble first, and of the steps that run.

    q or Ctrl-C ends it. Where the output is no terminal, a line is printed for each change.
    """
    from .console import console
    from .watch_lines import follow
    from .watch_scene import Poller

    out, poller = console(options), Poller(options, fraise, environment)
    if once:
        _print_once(out, poller)
    elif out.is_terminal and not out.is_dumb_terminal:
        _show(out, poller, interval)
    else:
        follow(poller, interval)


def _print_once(out: Console, poller: Poller) -> None:
    from .watch_frame import frame

    for line in frame(poller.scene, poller.now, out.width):
        out.print(line, no_wrap=True, crop=False)


def _show(out: Console, poller: Poller, interval: float) -> None:
    """Draws when something has changed, and once a second for the clock."""
    from rich.console import Group
    from rich.live import Live

    from .watch_frame import frame
    from .watch_keys import keys_at_once

    drawn: tuple[object, ...] = ()
    with keys_at_once() as keys, Live(console=out, screen=True, auto_refresh=False) as live:
        while True:
            scene, now, size = poller.poll(), poller.now, out.size
            moment = (int(now.timestamp()), size)
            if not drawn or drawn[0] is not scene or drawn[1] != moment:
                live.update(Group(*frame(scene, now, size.width, size.height)), refresh=True)
                drawn = (scene, moment)
            if "q" in keys.wait(interval).lower():
                return
