"""Services that do not become healthy, on the installed product."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.support.world import World

pytestmark = pytest.mark.slow

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "dies at once": ({"mode": "dies"}, "the service is failed: exit 3"),
    "dies after being ready": ({"mode": "dies later", "seconds": 0.6}, "the service is failed: exit 4"),
    "listens on the wrong port": ({"mode": "wrong port"}, "not healthy before its deadline"),
    "answers 500": ({"mode": "500"}, "HTTP 500"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_service_that_is_not_healthy_is_rolled_back_and_quarantined(world: World, case: str):
    behaviour, words = BAD[case]
    origin = world.origin()
    world.fraise(health_check={"deadline": "1500ms", "healthy_for": "1s"})
    world.start_daemon()
    good = origin.head()
    world.converges(good)

    bad = world.push(origin, **behaviour)
    world.until(lambda: world.is_held("quarantined") and world.served() == good)

    newest = world.history()[0]
    assert (newest["to_revision"], newest["outcome"]) == (bad, "rolled_back")
    assert words in newest["message"]
    assert world.is_quarantined(bad)
    assert world.current() == good
    assert world.row()["healthy"] == good
    assert world.row()["attempted"] == bad
    assert world.run("plan", "--detailed-exitcode", code=4)


def test_a_bad_revision_is_never_tried_twice_and_a_new_commit_passes_it_by(world: World):
    origin = world.origin()
    world.fraise()
    world.start_daemon()
    world.converges(origin.head())
    bad = world.push(origin, mode="dies")
    world.until(lambda: world.is_held("quarantined"))
    tried = len(world.history())

    world.stop_daemon()
    world.start_daemon()
    world.run("deploy", "shop", code=2)
    assert len(world.history()) == tried

    good = world.push(origin, mode="ok")
    world.converges(good)
    assert world.is_quarantined(bad)


def test_a_service_that_is_healthy_only_after_its_start_period_converges(world: World):
    origin = world.origin(mode="slow", seconds=1.5)
    world.fraise(health_check={"start_period": "1s", "deadline": "15s"})

    world.run("apply", "--yes")

    assert world.served() == origin.head()
    assert world.history()[0]["outcome"] == "converged"


def test_a_first_deployment_with_nothing_to_go_back_to_leaves_the_service_stopped_and_says_so(world: World):
    origin = world.origin(mode="500")
    world.fraise(health_check={"deadline": "1s"})
    world.start_daemon()

    world.until(lambda: world.is_held("quarantined"))

    assert world.get() is None
    assert world.history()[0]["outcome"] == "failed"
    assert "nothing was healthy before, so it is stopped" in world.history()[0]["message"]
    assert world.row()["healthy"] is None
    assert world.row()["health"] == "stopped"

    fixed = world.push(origin, mode="ok")
    world.converges(fixed)


def test_a_service_that_is_killed_is_started_again_at_once(world: World):
    origin = world.origin()
    world.document["git"]["poll"] = "1h"  # it is the end of the process that tells
    world.fraise()
    world.start_daemon()
    world.converges(origin.head())
    before = world.pid()

    os.kill(before, signal.SIGKILL)

    world.until(lambda: world.served() == origin.head() and world.pid() != before)
    world.until(lambda: world.history()[0]["action"] == "repair" and world.history()[0]["outcome"] == "converged")
