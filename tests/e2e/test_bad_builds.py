"""Builds that fail, never end, print without end, or leave children behind."""

from __future__ import annotations

import resource
import time

import pytest

from tests.support.world import PYTHON, World

pytestmark = pytest.mark.slow


def with_build(world: World, script: str, **environment: object) -> tuple[str, str]:
    """A healthy service, then a push whose build is `script`: the two revisions."""
    origin = world.origin(files={"build.sh": "true\n"})
    world.fraise(build=["sh build.sh"], **environment)
    world.start_daemon()
    good = origin.head()
    world.converges(good)
    return good, world.push(origin, files={"build.sh": script})


def test_a_build_that_fails_says_its_last_words_and_leaves_the_service_alone(world: World):
    good, bad = with_build(world, "echo compiling\necho 'no such module: shop' >&2\nexit 9\n")
    before = world.pid()

    world.until(lambda: world.is_held("quarantined"))

    newest = world.history()[0]
    assert (newest["to_revision"], newest["outcome"]) == (bad, "failed")
    assert "exited 9" in newest["message"]
    assert "no such module: shop" in newest["message"]
    assert (world.pid(), world.current()) == (before, good)
    assert "compiling" in world.run("logs", "shop").stdout


def test_a_build_whose_program_is_not_there_is_the_revisions_fault(world: World):
    origin = world.origin()
    world.fraise(build=["bin/no-such-program --fast"])

    world.run("apply", "--yes", code=1)

    assert world.is_quarantined(origin.head())
    assert "bin/no-such-program" in world.history()[0]["message"]


def test_a_build_that_never_ends_is_killed_with_everything_it_started(world: World):
    good, bad = with_build(world, "sleep 1003 & setsid sleep 1004 & sleep 1005\n", timeout="2s")

    world.until(lambda: world.is_held("quarantined"))

    assert "did not end within the attempt's timeout" in world.history()[0]["message"]
    assert world.is_quarantined(bad)
    assert world.served() == good
    assert world.daemon is not None
    world.until(lambda: set(world.processes()) <= {world.daemon.pid, world.pid()})  # type: ignore[union-attr]


def test_children_that_a_build_leaves_behind_are_ended_with_it(world: World):
    _, newer = with_build(world, "sleep 1006 & (setsid sleep 1007 &) ; nohup sleep 1008 & exit 0\n")

    world.converges(newer)

    assert world.daemon is not None
    world.until(lambda: set(world.processes()) <= {world.daemon.pid, world.pid()})  # type: ignore[union-attr]


def test_a_build_that_prints_a_gigabyte_fills_neither_disk_nor_memory(world: World):
    origin = world.origin()
    spell = "import os; chunk = b'x' * 99 + b'\\n'; chunk *= 10486\nfor _ in range(1024): os.write(1, chunk)"
    world.push(origin, files={"build.py": spell})
    world.fraise(build=[f"{PYTHON} build.py"])

    began = time.monotonic()
    world.run("apply", "--yes", timeout=100)

    assert time.monotonic() - began < 60
    assert world.served() == origin.head()
    logs = list((world.state_dir / "fraisier.db.d" / "logs").iterdir())
    assert sum(log.stat().st_size for log in logs) < 64 << 20
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # KiB, of the largest child there was
    assert peak < 512 << 10


def test_a_release_that_was_not_finished_is_never_activated(world: World):
    good, bad = with_build(world, "echo half > artefact\nexit 1\n")

    world.until(lambda: world.is_held("quarantined"))
    world.stop_daemon()
    planned = world.json("plan", "--json")["actions"][0]

    assert world.current() == good
    assert planned["from_revision"] == good
    assert planned["to_revision"] == bad
    assert [hold["code"] for hold in planned["held_by"]] == ["quarantined"]
