"""What remotes answered lately: one memory for surveys and for what people ask."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from ..model.config import Target
from ..model.selection import Selection
from ..reconcile.desire import Heads
from ..reconcile.look import Eyes


@dataclass(slots=True)
class Answers:
    """Safe from any thread: entries are replaced whole."""

    eyes: Callable[[], Eyes]
    _recent: defaultdict[str, dict[Selection, Heads]] = field(default_factory=lambda: defaultdict(dict))
    """By remote and selection, the newest answer, whoever asked."""

    def remember(self, remote: str, heads: Heads) -> None:
        """The newest answer for each selection counts; else the cycle after a person's would go by what was
        seen before.
        """
        recent = self._recent[remote]
        for selection in heads.asked:
            known = recent.get(selection)
            if known is None or known.at <= heads.at:
                recent[selection] = heads

    def forget_others(self, remote: str, heads: Heads) -> None:
        """What is not asked for any more grows old: a trial that ends does not go back to what was then."""
        recent = self._recent[remote]
        for selection in [each for each in list(recent) if each not in heads.asked and recent[each].at < heads.at]:
            recent.pop(selection, None)

    def of(self, target: Target) -> Heads | None:
        """The newest answer about what the target wants just now; None when nobody has asked for that yet."""
        return self.about(target.remote, self.eyes().selection(target))

    def about(self, remote: str, selection: Selection) -> Heads | None:
        return self._recent[remote].get(selection)
