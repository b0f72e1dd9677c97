"""What waits for an answer of a remote holds no worker, and no stop of the daemon."""

from __future__ import annotations

import pytest

from benchmarks.silence import silence
from tests.support.world import World

pytestmark = pytest.mark.slow


def test_targets_that_are_declared_for_a_remote_that_hangs_delay_no_other(world: World):
    origin = world.origin()
    world.document["git"]["timeout"] = "10m"
    with silence() as quiet:
        world.fraise()
        world.start_daemon()
        world.converges(origin.head())
        for number in range(8):
            world.fraise(f"stuck_{number}", quiet.remote)
        quiet.take()

        pushed = world.push(origin)
        world.converges(pushed)

        quiet.insist_somebody_waits()
        world.close()


def test_people_who_ask_for_what_comes_from_a_remote_that_hangs_delay_no_other(world: World):
    origin = world.origin()
    world.document["git"]["timeout"] = "10m"
    with silence() as quiet:
        for number in range(8):
            world.fraise(f"stuck_{number}", quiet.remote)
        world.fraise()
        world.start_daemon()
        world.converges(origin.head())
        quiet.take()
        for number in range(8):
            world.start("deploy", f"stuck_{number}")
        world.until(lambda: len(world.ask("SELECT 1 FROM tb_requests")) == 8)

        pushed = world.push(origin)
        world.converges(pushed)

        quiet.insist_somebody_waits()
        world.close()


def test_a_stop_does_not_wait_for_a_remote_that_hangs(world: World):
    origin = world.origin()
    world.document["git"]["timeout"] = "10m"
    with silence() as quiet:
        world.fraise("stuck", quiet.remote)
        world.fraise()
        world.start_daemon()
        world.converges(origin.head())
        quiet.take()
        world.start("deploy", "stuck")
        world.until(lambda: world.ask("SELECT 1 FROM tv_requests WHERE state = 'taken'"))

        assert world.stop_daemon() == 0
        world.close()
