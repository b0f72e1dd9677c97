"""One line for each event that people want to see go by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ..model.records import Event
from .arranged_text import selection_text
from .follow import OUTCOMES
from .watch_scene import Scene
from .words import span


@dataclass(frozen=True, slots=True)
class Line:
    at: datetime
    identifier: str
    sign: str
    style: str
    text: str


_SAID = {
    "suspended": ("‖", "warn", "suspended by {by}"),
    "resumed": ("»", "good", ""),
    "pinned": ("‖", "warn", ""),
    "unpinned": ("»", "good", ""),
    "approved": ("✓", "good", ""),
    "emergency": ("!", "warn", "let through by {by}"),
    "lifted": ("»", "good", "lifted"),
    "rewind_accepted": ("»", "warn", ""),
    "quarantined": ("x", "bad", "quarantined"),
    "backed_off": ("…", "warn", "later again"),
    "removed": ("-", "warn", "removed"),
    "note": ("·", "quiet", ""),
}


def lines(scene: Scene, after: int = 0) -> Iterator[Line]:
    """Of the events with a key greater than `after`, oldest first."""
    for event in scene.journal:
        if event.pk > after and (line := _line(event, scene)) is not None:
            yield line


def _line(event: Event, scene: Scene) -> Line | None:
    said = _said(event, scene)
    return None if said is None else Line(event.at, _scope(event), *said)


def _scope(event: Event) -> str:
    return "everything" if event.identifier == "*/*" else event.identifier


def _said(event: Event, scene: Scene) -> tuple[str, str, str] | None:
    first = event.message.partition("\n")[0]
    match event.kind:
        case "attempt_opened":
            number = int(event.data.get("number", 1))
            return "▸", "busy", "begins" if number == 1 else f"begins, try {number}"
        case "step_finished" | "step_failed":
            return _step(event, scene, first)
        case "attempt_closed":
            sign, style = OUTCOMES[str(event.data["outcome"])]
            outcome = str(event.data["outcome"]).replace("_", " ")
            return sign, style, f"{outcome}: {first}" if first else outcome
        case "pinned":
            chosen = selection_text(event.data["selection"])
            what = f"{event.data['by']} {'tries' if event.data['kind'] == 'try' else 'pinned it to'} {chosen}"
            return "‖", "warn", f"{what}: {first}" if first else what
        case kind if kind in _SAID:
            sign, style, words = _SAID[kind]
            return sign, style, ": ".join(filter(None, [words.format_map({"by": event.data.get("by")}), first]))
        case _:
            return None


def _step(event: Event, scene: Scene, message: str) -> tuple[str, str, str]:
    start = scene.starts.get((event.attempt_id, event.position))
    summary = " ".join(start.message.split()) if start is not None else str(event.step)
    took = f"  {span((event.at - start.at).total_seconds())}" if start is not None else ""
    if event.kind == "step_failed":
        return "✗", "bad", f"{summary}: {message}{took}"
    return "✓", "good", f"{summary}{took}"
