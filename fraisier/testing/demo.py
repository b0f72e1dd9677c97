"""`make demo`: Fraisier at work on a scratch folder, told on the terminal in less than half a minute.

Nothing is staged: the commands are run as shown, the daemon is the real one, and what it does is
read from its own journal while it does it. Exits 0 when all of it went as told, 1 when something did
not, 130 when interrupted; nothing is left behind in any case.
"""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape

from .demo_narrator import Narrator, terminal
from .demo_stage import NotAsTold, Stage, fraisier


def play(stage: Stage, show: Narrator) -> None:
    """The whole demo, scene by scene. Raises `NotAsTold` when something goes otherwise."""
    _first_convergence(show)
    _plan(show)
    _bad_commit(show)
    _fix(show)
    _drift(stage, show)
    _look_back(stage, show)


def _first_convergence(show: Narrator) -> None:
    show.scene("A git remote, a file and a daemon")
    show.tell("A service in git, a strawberry stand; and on the server one file that says what should run there.")
    show.laptop("git log --oneline --decorate")
    show.server("cat fraises.yaml")
    show.tell("The daemon makes it so. This is its journal, line by line as it writes it.")
    show.start_daemon()
    show.watch("converged", "the daemon starts")
    show.visit("4.50")


def _plan(show: Narrator) -> None:
    show.scene("A new commit: planned, then live")
    show.tell("The daemon would act within a second. It is stopped, to leave time for a look; the service goes on.")
    show.stop_daemon()
    show.visit("4.50")
    show.laptop("sed -i s/4.50/3.90/ stand.json")
    show.laptop("git commit --quiet --all --message 'A bowl is 3.90 now'")
    show.laptop("git push --quiet")
    show.tell("What would be done now, why, and what if it fails? Asking changes nothing.")
    show.server("fraisier plan")
    show.tell("Back at work, the daemon does exactly that, and proves the service healthy over HTTP.")
    show.start_daemon()
    show.watch("converged", "the daemon starts")
    show.visit("3.90")


def _bad_commit(show: Narrator) -> None:
    show.scene("A bad commit: rolled back and quarantined")
    show.tell("Somebody breaks the service: it starts, but answers 500. The daemon is left to it.")
    show.laptop("sed -i s/price/prize/ stand.json")
    show.laptop("git commit --quiet --all --message 'Tidy up'")
    show.laptop("git push --quiet")
    show.watch("rolled_back", "the daemon looks every second")
    show.visit("3.90")
    show.tell("The last healthy revision serves again. The bad one is not tried again by itself:")
    show.server("fraisier plan")


def _fix(show: Narrator) -> None:
    show.scene("A fix: passes it by")
    show.laptop("sed -i 's/prize/price/; s/3.90/4.20/' stand.json")
    show.laptop("git commit --quiet --all --message 'A price is a price, and 4.20'")
    show.laptop("git push --quiet")
    show.watch("converged", "the daemon looks every second")
    show.visit("4.20")


def _drift(stage: Stage, show: Narrator) -> None:
    show.scene("Drift: somebody kills the service by hand")
    show.server(f"kill -9 {stage.service_pid()}")
    show.watch("converged", "the daemon is told by the kernel")
    show.visit("4.20")


def _look_back(stage: Stage, show: Narrator) -> None:
    show.scene("What is, and what was")
    stage.wait_in_sync()
    show.server("fraisier status")
    show.server("fraisier history")


def _goodbye(out: Console) -> None:
    program, *arguments = fraisier()
    command = " ".join((_as_typed(Path(program)), *arguments))
    out.print()
    out.rule("[scene]Your own service[/]", align="left", style="line")
    out.print(
        f"""
In a git checkout of it, with [typed]{escape(command)}[/] for fraisier:

  [place]$[/] [typed]fraisier init[/]       writes a commented fraises.yaml, with what it can tell from the checkout
  [place]$[/] [typed]fraisier validate[/]   names every problem in it, by line and column
  [place]$[/] [typed]fraisier plan[/]       shows what would be done, and why
  [place]$[/] [typed]fraisier apply[/]      does it, once
  [place]$[/] [typed]fraisier daemon[/]     keeps it so

docs/getting-started.md walks through it. Everything this demo made is removed again."""
    )


def _as_typed(program: Path) -> str:
    """From here, if it lies below."""
    try:
        return str(program.relative_to(Path.cwd()))
    except ValueError:
        return str(program)


def _ended(number: int, frame: FrameType | None) -> None:
    """TERM and HUP end it as Ctrl-C does: with everything taken away."""
    del number, frame
    raise KeyboardInterrupt


def main() -> int:
    """The exit code of the process."""
    out = terminal()
    missing = [program for program in ("git", "sed") if shutil.which(program) is None]
    if missing:
        out.print(f"[bad]The demo needs {' and '.join(missing)}[/]; install it and run the demo again.")
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _ended)
    try:
        with Stage() as stage:
            out.print(f"\n[typed]Fraisier[/] at work in {stage.folder}: no root, no network, half a minute.")
            play(stage, Narrator(stage, out))
    except NotAsTold as error:
        out.print(f"\n[bad]The demo did not go as told:[/] {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        out.print("\nInterrupted. Everything this demo made is removed again.")
        return 130
    _goodbye(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
