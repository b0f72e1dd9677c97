"""Shows the journal of targets as it is written: the same lines with a daemon at work or without."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from ..model.records import Event, Store
from .words import span

OUTCOMES = {
    "converged": ("✓", "good"),
    "rolled_back": ("<", "bad"),
    "failed": ("✗", "bad"),
    "interrupted": ("!", "warn"),
    "superseded": ("»", "warn"),
}


@dataclass(slots=True)
class Follower:
    """Prints a line for every step that ended; on a terminal also the one that runs."""

    out: Console
    store: Store
    identifiers: frozenset[str]
    cursor: int
    _started: dict[str | None, Event] = field(default_factory=dict)
    """The step at work of each attempt."""
    _spinner: Status | None = None

    def show_new(self) -> None:
        """Prints what was journalled since the last call."""
        events = self.store.events_after(self.cursor)
        for event in events:
            self.cursor = event.pk
            if event.identifier in self.identifiers:
                self._show(event)

    def close(self) -> None:
        self._spin(None)

    def _show(self, event: Event) -> None:
        match event.kind:
            case "step_started":
                self._started[event.attempt_id] = event
                self._spin(event.message)
            case "step_finished":
                self._line("✓", "good", self._summary(event), self._took(event))
            case "step_failed":
                self._line("✗", "bad", event.message, self._took(event))
            case "note":
                self._print(f"      [quiet]{escape(event.message)}[/]")
            case "quarantined":
                self._line("x", "bad", f"quarantined: {event.message.splitlines()[0]}", "")
            case "attempt_closed":
                sign, style = OUTCOMES[str(event.data["outcome"])]
                self._spin(None)
                outcome = str(event.data["outcome"]).replace("_", " ")
                self.out.print(f"  [{style}]{sign} {escape(event.identifier)}: {outcome}[/]")
            case _:
                pass

    def _summary(self, event: Event) -> str:
        started = self._started.get(event.attempt_id)
        return started.message if started is not None else str(event.step)

    def _took(self, event: Event) -> str:
        started = self._started.get(event.attempt_id)
        return "" if started is None else span((event.at - started.at).total_seconds())

    def _line(self, sign: str, style: str, text: str, took: str) -> None:
        self._spin(None)
        first, *rest = text.splitlines() or [""]
        self.out.print(f"    [{style}]{sign}[/] {escape(first):<44} [quiet]{took}[/]")
        for line in rest:
            self.out.print(f"      [quiet]{escape(line)}[/]")

    def _print(self, markup: str) -> None:
        self.out.print(markup)

    def _spin(self, text: str | None) -> None:
        if not self.out.is_terminal:
            return
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None
        if text is not None:
            self._spinner = self.out.status(f"[busy]{escape(text)}[/]", spinner="dots")
            self._spinner.start()
