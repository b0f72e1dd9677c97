"""Timing two or more things in turn, so that what else the machine does meanwhile hits them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

Timed = Callable[[], object]


def seconds(work: Timed) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def in_turn(works: Mapping[str, Timed], rounds: int) -> dict[str, list[float]]:
    """A B A B …, after one unmeasured round; seconds of each by name."""
    for work in works.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(seconds(work))
    return taken


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of neighbours: what changes slowly cancels out."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


median = statistics.median
