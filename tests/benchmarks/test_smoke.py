"""Every row measures something; nothing here says how fast."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ROWS = ("start", "push", "polling", "isolation", "planning", "memory", "past")


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS)
def test_a_row_produces_figures(row: str, tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--out", str(page), row],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    lines = [line for line in page.read_text().splitlines() if line.startswith("| ")]
    assert len(lines) > 1
