"""`fraisier watch` on a real terminal, and in a pipe."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.gitrepo import Origin
from tests.support.terminal import ALTERNATE, Terminal
from tests.support.waiting import is_alive
from tests.support.world import World

pytestmark = pytest.mark.slow


@pytest.fixture
def deployed(world: World) -> Origin:
    made = world.origin()
    world.fraise()
    world.run("apply", "--yes")
    return made


@pytest.fixture
def terminal(world: World, deployed: Origin) -> Iterator[Terminal]:
    with closing(Terminal(world, "watch", "--interval", "0.1")) as made:
        made.until("q ends")
        yield made


def reader(child: subprocess.Popen[str]) -> Iterator[str]:
    assert child.stdout is not None
    return iter(child.stdout.readline, "")


def until(lines: Iterator[str], text: str) -> str:
    for line in lines:
        if text in line:
            return line
    raise AssertionError(f"it ended without {text!r}")


# --- the screen ------------------------------------------------------------------------------


def test_it_shows_every_target_and_what_was_journalled_last(terminal: Terminal, deployed: Origin):
    assert ALTERNATE in terminal.written
    assert len(terminal.lines) == 24
    (line,) = [line for line in terminal.lines if line.startswith("shop/production")]
    assert line.split() == ["shop/production", "in", "sync", "healthy", deployed.head()[:7]]
    assert any("✓ converged" in line for line in terminal.lines)


def test_it_follows_a_deployment_step_by_step_to_its_end(world: World, terminal: Terminal, deployed: Origin):
    world.document["fraises"]["shop"]["environments"]["production"]["build"] = ["sh -c 'while [ ! -e go ]; do :; done'"]
    world.write()
    head = world.push(deployed)
    deploying = world.start("deploy", "shop")

    terminal.until("RUNNING")
    terminal.until(f"shop/production  deploy to {head[:7]}  0:0")
    terminal.until("while [ ! -e go ]")
    terminal.until("0:01")  # the clock goes on although nothing happens
    release = next(iter(path for path in (world.app_path() / "releases").iterdir() if head in path.name))
    (release / "go").touch()
    assert deploying.wait(20) == 0

    terminal.until(f"in sync   healthy      {head[:7]}")
    assert "RUNNING" not in terminal.shown


def test_what_is_arranged_and_what_is_declared_meanwhile_is_shown(world: World, terminal: Terminal, deployed: Origin):
    world.run("suspend", "shop", "production", "--reason", "the fair")
    terminal.until("the fair")

    world.fraise("other", str(deployed.path))
    terminal.until("other/production")


@pytest.mark.parametrize(
    ("end", "code"), [("q", 0), ("Q", 0), ("\x03", 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_however_it_ends_the_terminal_is_as_it_was(terminal: Terminal, end: str | signal.Signals, code: int):
    assert not terminal.is_as_before
    if isinstance(end, str):
        terminal.type(end)
    else:
        os.kill(terminal.child.pid, end)

    assert terminal.end() == code
    assert terminal.is_as_before


def test_it_goes_on_while_the_configuration_cannot_be_used(world: World, terminal: Terminal):
    world.write("version: 1\nfraises: [")
    terminal.until("The configuration cannot be used")
    terminal.until("shop/production  in sync")

    world.write()
    terminal.until(lambda: "The configuration" not in terminal.shown and "shop/production  in sync" in terminal.shown)


def test_other_keys_do_nothing_and_are_not_echoed(terminal: Terminal):
    terminal.type("zz~")
    terminal.until("q ends")
    terminal.type("q")

    assert terminal.end() == 0
    assert "zz~" not in terminal.written


def test_it_fits_the_screen_also_after_that_has_another_size(terminal: Terminal):
    terminal.resize(44, 9)
    terminal.until(lambda: len(terminal.lines) == 9 and terminal.lines[-1] == "q ends")

    assert max(map(len, terminal.lines)) <= 44


def test_more_targets_than_lines_are_counted(world: World, deployed: Origin):
    for number in range(30):
        world.fraise(f"more{number:02}", str(deployed.path))

    with closing(Terminal(world, "watch", rows=16)) as terminal:
        terminal.until("q ends")
        named = sum("/production  " in line for line in terminal.lines if "converged" not in line)
        terminal.type("q")
        assert terminal.end() == 0

    assert "and " in terminal.shown and " more" in terminal.shown
    assert 0 < named < 31


# --- elsewhere -------------------------------------------------------------------------------


def test_in_a_pipe_each_change_is_a_line(world: World, deployed: Origin):
    watching = world.start("watch", "--interval", "0.1")
    lines = reader(watching)
    first = deployed.head()
    assert until(lines, "shop/production").split()[1:] == ["shop/production", "in", "sync", "healthy", first[:7]]
    head = world.push(deployed)
    world.run("deploy", "shop")

    assert "▸ begins" in until(lines, "begins")
    assert until(lines, "✓ restart").split()[1] == "shop/production"
    assert until(lines, "✓ converged")
    assert until(lines, f"in sync  healthy  {head[:7]}")
    watching.send_signal(signal.SIGINT)
    assert watching.wait(10) == 130
    assert watching.stderr is not None and watching.stderr.read().strip() == ""


def test_in_a_pipe_it_ends_when_nobody_reads_any_more(world: World, deployed: Origin):
    watching = world.start("watch", "--interval", "0.1")
    until(reader(watching), "shop/production")
    assert watching.stdout is not None
    watching.stdout.close()

    assert watching.wait(10) == 0


def test_it_finds_a_store_that_was_not_there_when_it_began(world: World):
    head = world.origin().head()
    world.fraise()
    watching = world.start("watch", "--interval", "0.1")
    lines = reader(watching)
    assert "unknown" in until(lines, "shop/production")
    world.run("apply", "--yes")

    assert until(lines, f"in sync  healthy  {head[:7]}")


def test_once_is_one_frame(world: World, deployed: Origin):
    world.fraise("other", str(deployed.path))

    lines = world.run("watch", "--once").stdout.splitlines()

    assert sum(line.startswith("shop/production") for line in lines) == 1
    assert lines[0].startswith("web-1  ") and "2 targets: 1 unknown, 1 in sync" in lines[0]
    assert "other" not in world.run("watch", "shop", "--once").stdout


def test_it_says_that_nobody_is_at_work(world: World, deployed: Origin):
    assert "No daemon is running" in world.run("watch", "--once").stdout
    world.start_daemon()
    assert "No daemon is running" not in world.run("watch", "--once").stdout


def test_it_leaves_no_trace(world: World, deployed: Origin):
    before = {path: path.stat().st_mtime_ns for path in world.state_dir.rglob("*")}

    with closing(Terminal(world, "watch")) as terminal:
        terminal.until("q ends")
        terminal.type("q")
        terminal.end()

    assert {path: path.stat().st_mtime_ns for path in world.state_dir.rglob("*")} == before
    assert not is_alive(terminal.child.pid)
