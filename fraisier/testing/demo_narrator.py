"""How the demo looks on the terminal: narration, commands as a person would type them, the journal."""

from __future__ import annotations

import shlex
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.theme import Theme

from ..model.plan import Outcome
from ..model.records import Event
from .demo_stage import NotAsTold, Stage, fraisier

_WIDTH = 100
_GUTTER = "  daemon │ "
_THEME = Theme(
    {
        "good": "green",
        "bad": "red",
        "quiet": "dim",
        "typed": "bold",
        "place": "cyan",
        "scene": "bold magenta",
        "line": "magenta",
        "told": "italic",
    }
)
_OUTCOMES = {"converged": ("✓", "good"), "rolled_back": ("<", "bad")}


def terminal() -> Console:
    """In colours where somebody looks; never wider than reads well."""
    out = Console(theme=_THEME, highlight=False, emoji=False)
    out.width = min(out.width, _WIDTH) if out.is_terminal else _WIDTH
    return out


@dataclass
class Narrator:
    """Tells, types and shows."""

    stage: Stage
    out: Console
    _scenes: int = 0
    _typing: bool = False
    """The last thing shown is a command that printed nothing."""
    _started: dict[str | None, Event] = field(default_factory=dict)
    _spinner: Status | None = None

    def scene(self, title: str) -> None:
        self._scenes += 1
        self._space()
        self.out.rule(f"[scene]{self._scenes}  {title}[/]", align="left", style="line")

    def tell(self, text: str) -> None:
        """A sentence or two of narration."""
        self._space()
        self.out.print(text, style="told")

    # -- commands

    def laptop(self, command: str) -> None:
        self._type("laptop", command)
        self._run(tuple(shlex.split(command)), self.stage.laptop)

    def server(self, command: str) -> None:
        """`fraisier` is the one that is installed beside this demo."""
        self._type("server", command)
        program, *arguments = shlex.split(command)
        argv = (*fraisier(), *arguments) if program == "fraisier" else (program, *arguments)
        self._run(argv, self.stage.server)

    def start_daemon(self) -> None:
        self._type("server", "fraisier daemon &")
        self.stage.start_daemon()

    def stop_daemon(self) -> None:
        self._type("server", "kill %1")
        self.stage.stop_daemon()

    def _type(self, place: str, command: str) -> None:
        """Commands that say nothing stand together."""
        quiet = command.startswith(("sed ", "git commit ", "git push "))
        if not (self._typing and quiet):
            self._space()
        self.out.print(f"[place]{place} $[/] [typed]{escape(command)}[/]", soft_wrap=True)
        self._typing = quiet

    def _space(self) -> None:
        self.out.print()
        self._typing = False

    def _run(self, argv: tuple[str, ...], where: Path) -> None:
        self.out.file.flush()
        self.stage.run(argv, where)

    # -- the daemon at work

    def watch(self, expected: Outcome, waiting: str) -> None:
        """Shows the journal until the attempt ends. Raises `NotAsTold` when it ends otherwise."""
        self._spin(waiting)
        try:
            for event in self.stage.journal():
                self._show(event)
                if event.kind == "attempt_closed" and event.data["outcome"] != expected:
                    raise NotAsTold(f"expected {expected}, but the attempt ended as {event.data['outcome']}")
        finally:
            self._spin(None)

    def _show(self, event: Event) -> None:
        match event.kind:
            case "step_started":
                self._started[event.attempt_id] = event
                self._spin(event.message)
            case "step_finished":
                self._line("✓", "good", self._started[event.attempt_id].message, took=self._took(event))
            case "step_failed":
                self._line("✗", "bad", event.message, "bad", took=self._took(event))
            case "note":
                self._line(" ", "quiet", textwrap.shorten(event.message, self._room, placeholder=" …"), "quiet")
            case "quarantined":
                self._line("x", "bad", "quarantined", "bad")
            case "attempt_closed":
                outcome = str(event.data["outcome"])
                sign, style = _OUTCOMES.get(outcome, ("✗", "bad"))
                self._line(sign, style, f"{event.identifier} {outcome.replace('_', ' ')}", f"{style} bold")
            case _:
                pass

    @property
    def _room(self) -> int:
        """Columns for text: beside the gutter and the sign, and before how long it took."""
        return self.out.width - len(_GUTTER) - 10

    def _took(self, event: Event) -> str:
        seconds = (event.at - self._started[event.attempt_id].at).total_seconds()
        return f"{seconds:.1f} s" if seconds >= 0.05 else ""

    def _line(self, sign: str, sign_style: str, text: str, style: str = "default", *, took: str = "") -> None:
        self._spin(None)
        first, *rest = textwrap.wrap(text.splitlines()[0], self._room) or [""]
        said = f"[{style}]{escape(first)}[/]" + (f"  [quiet]{took}[/]" if took else "")
        self.out.print(f"[line]{_GUTTER}[/][{sign_style}]{sign}[/] {said}")
        for line in rest:
            self.out.print(f"[line]{_GUTTER}[/]  [{style}]{escape(line)}[/]")
        self._typing = False

    def _spin(self, text: str | None) -> None:
        """Only where somebody looks."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None
        if text is not None and self.out.is_terminal:
            self._spinner = self.out.status(f"[quiet]{escape(text)} …[/]", spinner="dots")
            self._spinner.start()

    # -- the service

    def visit(self, expected: str) -> None:
        """Asks the service, shows the answer. Raises `NotAsTold` when it is another."""
        status, body = self.stage.visit()
        self._space()
        self.out.print(f"[place]GET[/] {self.stage.url} → [good]{status}[/] {escape(body)}", soft_wrap=True)
        if (status, expected in body) != (200, True):
            raise NotAsTold(f"expected 200 and {expected!r} in the answer")
