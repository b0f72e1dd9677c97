"""A disk that is full: transient, never the revision's fault, and over as soon as there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.world import World

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MiB."""
    if os.geteuid() != 0:
        pytest.skip("a small file system can only be mounted by root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(65536))


def is_backing_off(world: World, code: str = "disk_full") -> bool:
    history = world.history()
    return bool(history) and history[0]["error_code"] == code and history[0]["status"] == "failed"


def test_a_build_on_a_full_disk_is_tried_again_and_blames_nobody(world: World, small_disk: Path):
    origin = world.origin(files={"build.sh": "true\n"})
    world.fraise(build=["sh build.sh"], app_path=str(small_disk / "shop"))
    world.start_daemon()
    good = origin.head()
    world.converges(good)
    before = world.pid()

    fill(small_disk / "filler")
    newer = world.push(origin, files={"build.sh": "head -c 1000000 /dev/zero > artefact\n"})
    world.until(lambda: is_backing_off(world))

    assert not world.is_quarantined(newer)
    assert world.pid() == before
    assert os.readlink(small_disk / "shop" / "current") == f"releases/{good}"
    world.until(lambda: world.row()["reason"]["code"] == "back_off")
    assert world.run("plan", "--detailed-exitcode", code=4)

    (small_disk / "filler").unlink()
    world.converges(newer, seconds=30)  # by itself


def test_a_store_on_a_full_disk_stops_nothing_but_new_deployments(world: World, small_disk: Path):
    origin = world.origin()
    world.store = small_disk / "fraisier.db"
    world.fraise()
    world.start_daemon()
    world.converges(origin.head())
    before = world.pid()

    fill(small_disk / "filler")
    newer = world.push(origin)
    world.until(lambda: world.events("survey.failed") or world.events("store.failed"))

    assert world.pid() == before
    assert world.daemon is not None
    assert world.daemon.poll() is None

    (small_disk / "filler").unlink()
    world.converges(newer, seconds=40)
    assert world.open_attempts() == 0


def test_a_command_on_a_full_disk_says_so_and_does_nothing(world: World, small_disk: Path):
    world.origin()
    world.fraise(app_path=str(small_disk / "shop"))
    fill(small_disk / "filler")

    done = world.run("apply", "--yes", code=1)

    assert "disk" in done.stdout.lower() + done.stderr.lower() or "space" in done.stdout + done.stderr
    assert world.get() is None


def test_a_store_that_runs_full_in_the_middle_of_an_attempt_leaves_none_open(world: World, small_disk: Path):
    origin = world.origin(files={"build.sh": "true\n"})
    world.store = small_disk / "fraisier.db"
    world.fraise(build=["sh build.sh"])
    world.start_daemon()
    world.converges(origin.head())
    before = world.pid()

    filling = f"test -e {world.folder}/room || head -c 100000000 /dev/zero > {small_disk}/filler; true\n"
    newer = world.push(origin, files={"build.sh": filling})
    world.until(lambda: world.events("store.failed"))
    assert world.pid() == before

    (world.folder / "room").touch()
    (small_disk / "filler").unlink()
    world.converges(newer, seconds=40)
    assert world.open_attempts() == 0
