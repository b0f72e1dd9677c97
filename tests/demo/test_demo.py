"""`make demo` is run as people run it, and must leave nothing behind however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MILESTONES = (
    "server $ fraisier daemon &",
    "healthy: HTTP 200",
    "stand/production converged",
    "→ 200 a bowl of strawberries: 4.50",
    "server $ fraisier plan",
    "Plan: 1 to deploy",
    "stand/production converged",
    "→ 200 a bowl of strawberries: 3.90",
    "waiting for health: HTTP 500",
    "quarantined",
    "stand/production rolled back",
    "→ 200 a bowl of strawberries: 3.90",
    "Plan: 1 held",
    "stand/production converged",
    "→ 200 a bowl of strawberries: 4.20",
    "server $ kill -9",
    "stand/production converged",
    "→ 200 a bowl of strawberries: 4.20",
    "server $ fraisier status",
    "in sync",
    "server $ fraisier history",
    "desired running, observed failed (killed by SIGKILL)",
    "fraisier init",
)


@contextmanager
def demo(scratch: Path, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """Its scratch folder is made in `scratch`, by which its processes are known."""
    with subprocess.Popen(
        [sys.executable, "-m", "fraisier.testing.demo"],
        env={**os.environ, "TMPDIR": str(scratch), **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def processes_in(scratch: Path) -> list[str]:
    """The living processes that work in the folder, by their command lines."""
    return [_cmdline(pid) for pid in os.listdir("/proc") if pid.isdigit() and _works_in(pid, scratch)]


def _works_in(pid: str, scratch: Path) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd").startswith(str(scratch))
    except OSError:
        return False


def _cmdline(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} was never shown:\n{seen}")


def test_the_demo_shows_every_milestone_in_order_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        shown, _ = process.communicate(timeout=150)

    assert process.returncode == 0, shown
    position = 0
    for milestone in MILESTONES:
        position = shown.find(milestone, position)
        assert position >= 0, f"{milestone!r} is missing, or out of order, in:\n{shown}"
        position += len(milestone)
    assert not re.search("waiting for health: .*did not become healthy", shown), "a probe tells of an older error"
    assert "\x1b" not in shown
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path) as process:
        read_until(process, "healthy: HTTP 200")

        process.send_signal(number)
        shown, _ = process.communicate(timeout=60)

    assert process.returncode == 130, shown
    assert "Interrupted" in shown
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == []


def test_a_demo_that_does_not_go_as_told_fails_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_until(process, "healthy: HTTP 200")
        (folder,) = tmp_path.iterdir()
        until(lambda: (folder / "server" / "stand" / "current" / "stand.json").exists())
        (folder / "server" / "stand" / "current" / "stand.json").write_text("no JSON")

        shown, _ = process.communicate(timeout=60)

    assert process.returncode == 1, shown
    assert "did not go as told" in shown
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == []
