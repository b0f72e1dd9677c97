"""Several targets: newest wins, order of dependencies, and nobody waits for a neighbour."""

from __future__ import annotations

import time

import pytest

from tests.support.world import World

from .test_bad_remotes import silent_server

pytestmark = pytest.mark.slow


def test_a_fix_goes_live_although_a_bad_revision_sits_in_its_long_health_gate(world: World):
    origin = world.origin()
    world.fraise(health_check={"deadline": "5m"})
    world.start_daemon()
    world.converges(origin.head())
    bad = world.push(origin, mode="500")
    world.until(lambda: world.ask("SELECT 1 FROM tb_deployment_events WHERE kind = 'note' AND message LIKE '%500%'"))

    began = time.monotonic()
    fix = world.push(origin, mode="ok")
    world.until(lambda: world.served() == fix)

    assert time.monotonic() - began < 3  # two polls of 0.2 s, and a deployment
    world.converges(fix)
    outcomes = {row["to_revision"]: row["outcome"] for row in world.history()}
    assert outcomes[bad] == "superseded"
    assert not world.is_quarantined(bad)


def test_a_fix_goes_live_although_a_build_that_never_ends_is_at_work(world: World):
    origin = world.origin(files={"build.sh": "true\n"})
    world.fraise(build=["sh build.sh"])
    world.start_daemon()
    world.converges(origin.head())
    stuck = world.push(origin, files={"build.sh": "sleep 1021\n"})
    world.until(lambda: world.row()["operation"] == "running")

    fix = world.push(origin, files={"build.sh": "true\n"})

    world.converges(fix)
    outcomes = {row["to_revision"]: row["outcome"] for row in world.history()}
    assert outcomes.get(stuck, "superseded") == "superseded"


def test_dependencies_go_first_and_dependants_follow_by_themselves(world: World):
    for name in ("front", "back"):
        world.origin(name)
    world.fraise("front", depends_on=["back"])
    world.fraise("back")
    world.start_daemon()

    world.until(lambda: world.served("front"))
    started = {row["identifier"]: row for row in world.json("history", "--json")}
    assert started["back/production"]["finished_at"] <= started["front/production"]["started_at"]


def test_a_dependant_waits_as_long_as_its_dependency_is_not_healthy(world: World):
    back, front = world.origin("back", mode="dies"), world.origin("front")
    world.fraise("front", depends_on=["back/production"])
    world.fraise("back")
    world.start_daemon()
    world.until(lambda: world.is_held("quarantined", "back") and world.is_held("dependency", "front"))

    assert world.get("front") is None
    assert world.history("front") == []
    fixed = world.push(back, mode="ok")

    world.converges(fixed, "back")
    world.converges(front.head(), "front", seconds=5)


def test_a_hanging_remote_and_a_broken_target_delay_no_other(world: World):
    origin = world.origin("well")
    world.origin("broken", mode="500")
    world.origin("building", files={"build.sh": "sleep 1022\n"})
    with silent_server() as port:
        world.fraise("stuck", f"https://127.0.0.1:{port}/stuck.git")
        world.fraise("broken", health_check={"deadline": "30s"})
        world.fraise("building", build=["sh build.sh"])
        world.fraise("well")
        world.fraise("typo")["helth_check"] = {}
        world.write()
        world.start_daemon()
        world.converges(origin.head(), "well", seconds=8)

        began = time.monotonic()
        newer = world.push(origin)
        world.until(lambda: world.served("well") == newer)

        assert time.monotonic() - began < 3
        assert world.row("broken")["operation"] == "running"
        assert world.row("building")["operation"] == "running"


def test_a_thousand_requests_cost_few_cycles_and_change_nothing(world: World):
    origin = world.origin()
    world.fraise()
    world.start_daemon()
    world.converges(origin.head())
    before = world.pid()

    asking = [world.start("deploy", "shop") for _ in range(8)]
    codes = [child.wait(30) for child in asking]

    assert codes == [0] * 8
    assert world.pid() == before
    assert len(world.history()) == 1
