"""What reading the store costs after a million deployments."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing

from fraisier.store import SqliteStore

from . import fill_store
from .figures import Effort, Figure, Row

BUDGET = 1.5
READS = (
    "status",
    "status --at",
    "history",
    "history of one",
    "history of failures",
    "history of failures of one",
    "history of what never was, of one",
    "history of repairs",
    "history until a month ago",
    "history of a commit",
    "stats of all time",
)
WINDOWS = ("stats of 30 days", "stats of 24 hours")
"""What they cost goes with what happened in the window, and so they have no budget against a store where less did."""


def measure(effort: Effort) -> Row:
    short, long = effort.pick(1_000, 1_000), effort.pick(1_000_000, 5_000)
    with tempfile.TemporaryDirectory() as folder:
        few, many = (_read(os.path.join(folder, f"{count}.db"), count) for count in (short, long))
    figures = [
        Figure(
            f"reading `{name}` with {long:,} deployments recorded",
            many[name] * 1e3,
            "ms",
            few[name] * 1e3,
            f"with {short:,}",
            budget=BUDGET if name in READS else None,
            why="see `benchmarks/fill_store.py`",
        )
        for name in (*READS, *WINDOWS)
    ]
    return Row(
        "The past",
        figures,
        f"`benchmarks/fill_store.py` fills stores of {fill_store.TARGETS} targets by way of the real triggers, over "
        f"{fill_store.SPAN.days} days until now. Statistics of a window add up its days: more of them have "
        "something in the longer past.",
    )


def _read(path: str, deployments: int) -> dict[str, float]:
    fill_store.fill(path, deployments)
    with closing(SqliteStore.open(path)) as store:
        return fill_store.measure(store)
