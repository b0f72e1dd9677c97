"""What a measurement found, and whether it keeps within its budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `budget` bounds the ratio where there is a baseline, else the value itself."""

    what: str
    value: float
    unit: str
    baseline: float | None = None
    against: str = ""
    ratio: float | None = None
    budget: float | None = None
    why: str = ""
    """What costs it, shown when the budget is missed."""

    @property
    def judged(self) -> float:
        return self.value if self.baseline is None else self.ratio or self.value / self.baseline

    @property
    def excess(self) -> float | None:
        """By which factor the budget is missed; None when it is kept, or there is none."""
        if self.budget is None or self.judged <= self.budget:
            return None
        return self.judged / self.budget

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        return "kept" if self.excess is None else f"**missed** by {100 * (self.excess - 1):.0f} %"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: its figures, how they were taken, and where the time or memory goes."""

    title: str
    figures: Sequence[Figure]
    how: str
    parts: Sequence[str] = field(default=())
    """Lines of detail, in Markdown."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How thorough to be."""

    quick: bool = False

    def pick(self, thorough: int, quick: int) -> int:
        return quick if self.quick else thorough
