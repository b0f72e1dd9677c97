"""How long a command takes to start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .figures import Effort, Figure, Row
from .timing import in_turn, median, ratio

FRAISIER = str(Path(sys.executable).with_name("fraisier"))


def measure(effort: Effort) -> Row:
    taken = in_turn(
        {"ours": lambda: _run(FRAISIER, "--version"), "click": lambda: _run(sys.executable, "-c", "import click")},
        effort.pick(60, 5),
    )
    figure = Figure(
        "`fraisier --version`",
        median(taken["ours"]) * 1e3,
        "ms",
        median(taken["click"]) * 1e3,
        "`python -c 'import click'`",
        ratio(taken["ours"], taken["click"]),
        budget=1.6,
        why="`python -X importtime -m fraisier --version` lists what is imported besides click",
    )
    return Row("Start", [figure], "The same interpreter runs both, in turn, as new processes.")


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
