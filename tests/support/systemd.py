"""Runs tests under a real systemd: see `tests/systemd-sandbox`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SANDBOX = CHECKOUT / "tests" / "systemd-sandbox"
IN_SANDBOX = os.environ.get("SANDBOX") == "1"

_EMPTY_INSIDE = ("/tmp", "/run")
_HIDDEN = tuple({path for path in (CHECKOUT, Path(sys.prefix)) if str(path).startswith(_EMPTY_INSIDE)})
"""A checkout or its `.venv` in a folder that starts empty inside has to be shared."""

_SKIP = 77
_TIMEOUT = 110
"""Seconds; below the limit that each test has."""


def sandboxed(*argv: str, bind: tuple[str | Path, ...] = (), units: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a command in a sandbox of its own. Skips the test where there can be none.

    `bind`: folders that stay shared with the outside; all else that is written vanishes.
    """
    done = subprocess.run(
        [str(SANDBOX), *argv],
        cwd=CHECKOUT,
        env={**os.environ, "SANDBOX_BIND": ":".join(map(str, bind)), "SANDBOX_WITH": units},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
    )
    if done.returncode == _SKIP:
        pytest.skip(done.stderr.strip())
    return done


def run_in_sandbox(nodeid: str, *, units: str = "") -> None:
    """One test of this checkout, inside. `units`: what else is started at boot."""
    pytest_options = (
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-p",
        "no:xdist",
        "--no-header",
        "--tb=short",
    )
    done = sandboxed(sys.executable, "-m", "pytest", *pytest_options, nodeid, bind=_HIDDEN, units=units)
    if done.returncode:
        pytest.fail(f"in the sandbox:\n{done.stdout}\n{done.stderr}", pytrace=False)
