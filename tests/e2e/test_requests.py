"""What people ask for while the daemon, another command or an edit has its own say."""

from __future__ import annotations

import os

from tests.support.world import World


def test_what_was_asked_for_is_not_undone_by_what_was_seen_before(world: World):
    """The restart ends the old process, which wakes the target: that cycle must not go by older heads."""
    origin = world.origin()
    first = origin.head()
    world.document["git"]["poll"] = "1h"
    world.fraise()
    world.start_daemon()
    world.converges(first)
    newer = world.push(origin, mode="ok", seconds=1)
    world.run("deploy", "shop")
    world.converges(newer)

    origin.git("reset", "--hard", first)
    world.run("deploy", "shop", "--allow-rewind", first)

    world.converges(first)
    world.run("plan", "--detailed-exitcode")
    world.run("deploy", "shop")
    assert world.served() == first
    assert world.history()[0]["to_revision"] == first


def test_a_bad_revision_that_was_asked_for_is_shown_as_held(world: World):
    origin = world.origin()
    good = origin.head()
    world.document["git"]["poll"] = "1h"
    world.fraise(health_check={"deadline": "1s"})
    world.start_daemon()
    world.converges(good)
    bad = world.push(origin, mode="500")

    world.run("deploy", "shop", code=1)

    world.until(lambda: world.is_held("quarantined"))
    assert world.row()["desired"] == bad
    assert world.served() == good


def test_a_target_that_is_held_by_its_configuration_is_still_repaired(world: World):
    good = world.origin().head()
    declared = world.fraise()
    world.start_daemon()
    world.converges(good)
    before = world.pid()

    declared["health_check"]["interval"] = 200
    world.write()
    world.until(lambda: world.is_held("config_invalid"))
    os.kill(before, 9)

    world.until(lambda: world.get() is not None and world.pid() != before)
    world.until(lambda: world.is_held("config_invalid"))


def test_who_asks_for_a_target_that_leaves_the_configuration_is_told(world: World):
    origin = world.origin(files={"build.sh": "true\n"})
    world.fraise(build=["sh build.sh"])
    world.start_daemon()
    world.converges(origin.head())
    world.push(origin, files={"build.sh": "while [ ! -e /proc/1/none ] && [ ! -e go ]; do :; done\n"})
    world.until(lambda: world.row()["operation"] == "running")
    asking = world.start("deploy", "shop")
    world.until(lambda: world.ask("SELECT 1 FROM tv_requests WHERE state = 'taken'"))

    world.document["fraises"] = {}
    world.write()
    world.until(lambda: world.events("config.loaded"))
    release = world.app_path() / "releases" / origin.head()
    world.until(release.exists)
    (release / "go").touch()

    assert asking.wait(20) == 2


def test_an_edit_behind_a_link_is_found(world: World):
    good = world.origin().head()
    world.fraise()
    real = world.folder / "checkout" / "fraises.yaml"
    real.parent.mkdir()
    world.config_path.rename(real)
    world.config_path.symlink_to(real)
    world.start_daemon()
    world.converges(good)

    real.write_text(real.read_text().replace("healthy_for: 200ms", "healthy_for: 200"))

    world.until(lambda: world.is_held("config_invalid"))


def test_two_commands_without_a_daemon_both_do_their_work(world: World):
    first, second = world.origin("one").head(), world.origin("two").head()
    world.fraise("one")
    world.fraise("two")

    children = [world.start("deploy", name) for name in ("one", "two")]

    assert [child.wait(30) for child in children] == [0, 0]
    assert (world.served("one"), world.served("two")) == (first, second)
    assert world.ask("SELECT count(*) FROM tv_requests WHERE state <> 'done'") == [(0,)]
