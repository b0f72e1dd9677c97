"""A daemon that crashes again and again comes up, answers, and does nothing."""

from __future__ import annotations

from tests.support.world import World, fetch


def test_after_crashes_in_a_row_the_daemon_comes_up_and_holds_everything(world: World):
    origin = world.origin()
    world.document["server"]["crash_limit"] = 3
    world.fraise()
    world.start_daemon()
    world.converges(origin.head())
    first = origin.head()
    for _ in range(3):
        world.kill_daemon()
        world.start_daemon()
    newer = world.push(origin)

    world.until(lambda: world.is_held("suspended"))

    answer = fetch(world.url("/healthz"))
    assert answer is not None and answer[0] == 200
    assert world.served() == first
    assert "3 times within 10 minutes" in world.row()["reason"]["message"]
    assert "safe mode" in world.run("status", "shop").stdout
    assert world.events("safe_mode")
    world.run("resume", "--all")
    world.converges(newer)
    world.kill_daemon()
    world.start_daemon()
    assert len(world.events("safe_mode")) == 1


def test_clean_restarts_are_no_crashes(world: World):
    world.document["server"]["crash_limit"] = 1
    origin = world.origin()
    world.fraise()
    for _ in range(3):
        world.start_daemon()
        assert world.stop_daemon() == 0
    world.start_daemon()

    world.converges(origin.head())
    assert not world.events("safe_mode")
