"""What reading the store costs after a million deployments."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing

from fraisier.store import SqliteStore

from . import fill_store
from .figures import Effort, Figure, Row

READS = ("status", "history", "history of one")


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
            budget=1.5,
            why="see `benchmarks/fill_store.py`",
        )
        for name in READS
    ]
    return Row(
        "The past",
        figures,
        f"`benchmarks/fill_store.py` fills stores of {fill_store.TARGETS} targets by way of the real triggers.",
    )


def _read(path: str, deployments: int) -> dict[str, float]:
    fill_store.fill(path, deployments)
    with closing(SqliteStore.open(path)) as store:
        return fill_store.measure(store)
