"""Configurations that are no good: said at once with their place, and nothing is touched."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.support.world import World


def bomb() -> str:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(lines)


UNUSABLE = {
    "empty file": ("", "the file is empty"),
    "no YAML": ("fraises: [shop\n  - {", "not valid YAML"),
    "YAML bomb": (bomb(), "aliases"),
    "a list": ("- fraises\n", "fraises.yaml:1:1"),
    "no text": ("\0\x01\x02", "a character that YAML does not allow"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_file_that_says_nothing_usable_is_refused_at_its_place(world: World, case: str):
    text, words = UNUSABLE[case]
    world.write(text)

    began = time.monotonic()
    planned = world.run("plan", code=2)
    started = world.run("daemon", code=2)

    assert time.monotonic() - began < 10
    for done in (planned, started):
        assert words in done.stderr
        assert re.search(r"fraises\.yaml:\d+:\d+: ", done.stderr)
        assert "Traceback" not in done.stderr
    assert not world.store.exists()


def break_key(world: World) -> str:
    environment = world.document["fraises"]["shop"]["environments"]["production"]
    environment["helth_check"] = environment.pop("health_check")
    return "production.helth_check: unknown key; did you mean health_check?"


def break_type(world: World) -> str:
    world.document["fraises"]["shop"]["environments"]["production"]["service"]["port"] = "many"
    return "service.port: must be a whole number, got 'many'"


def break_path(world: World) -> str:
    world.fraise("twin", str(world.folder / "remotes" / "shop"), app_path=str(world.app_path()))
    return "app_path: is also that of twin/production"


BROKEN = {"unknown key": break_key, "wrong type": break_type, "two targets in one app_path": break_path}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_fraise_is_held_with_its_place_and_its_neighbour_goes_on(world: World, case: str):
    world.origin("shop")
    other = world.origin("other")
    world.fraise("shop")
    world.fraise("other")
    words = BROKEN[case](world)
    world.write()

    planned = world.json("plan", "--json")
    applied = world.run("apply", "--yes", code=2)

    action = next(action for action in planned["actions"] if action["identifier"] == "shop/production")
    assert action["action"] == "none"
    assert [hold["code"] for hold in action["held_by"]] == ["config_invalid"]
    assert words in action["held_by"][0]["message"]
    assert action["held_by"][0]["message"].startswith("fraises.yaml:")
    assert "done other/production" in applied.stdout
    assert world.served("other") == other.head()
    assert world.get("shop") is None
    assert not world.app_path("shop").exists()


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_edit_changes_nothing_and_status_says_so_for_the_broken_target_only(world: World, case: str):
    shop, other = world.origin("shop"), world.origin("other")
    world.fraise("shop")
    world.fraise("other")
    world.start_daemon()
    world.converges(shop.head(), "shop")
    world.converges(other.head(), "other")
    before = world.pid("shop")

    words = BROKEN[case](world)
    world.write()

    world.until(lambda: world.is_held("config_invalid"))
    rows = {row["identifier"]: row for row in world.json("status", "--json")}
    assert words in rows["shop/production"]["reason"]["message"]
    assert rows["other/production"]["sync"] == "in_sync"
    assert world.pid("shop") == before
    newer = world.push(other)
    world.converges(newer, "other")
    assert world.pid("shop") == before


@pytest.mark.slow
@pytest.mark.parametrize("case", UNUSABLE)
def test_an_edit_that_says_nothing_usable_keeps_the_last_good_configuration(world: World, case: str):
    origin = world.origin()
    world.fraise()
    world.start_daemon()
    world.converges(origin.head())
    before = world.pid()

    world.write(UNUSABLE[case][0])
    world.until(lambda: world.events("config.kept") or world.events("config.problem"))
    newer = world.push(origin)

    world.converges(newer)
    assert world.pid() != before
    assert world.daemon is not None
    assert world.daemon.poll() is None

    world.write()
    world.until(lambda: world.events("config.loaded"))


@pytest.mark.slow
@pytest.mark.parametrize("text", ["fraises: {}\n", "version: 1\n"])
def test_an_empty_set_of_fraises_removes_nothing(world: World, text: str):
    origin = world.origin()
    world.fraise()
    world.start_daemon()
    world.converges(origin.head())
    before = world.pid()

    world.write(text)
    world.until(lambda: world.events("config.loaded") or world.events("config.kept"))
    world.stop_daemon()
    world.start_daemon()

    assert world.pid() == before
    assert world.current() == origin.head()
    assert (world.app_path() / "releases" / origin.head()).is_dir()


@pytest.mark.slow
def test_a_target_that_leaves_the_configuration_keeps_running(world: World):
    shop, other = world.origin("shop"), world.origin("other")
    world.fraise("shop")
    world.fraise("other")
    world.start_daemon()
    world.converges(shop.head(), "shop")
    world.converges(other.head(), "other")
    before = world.pid("shop")

    del world.document["fraises"]["shop"]
    world.write()
    world.until(lambda: world.events("config.loaded"))
    world.push(shop)
    world.converges(world.push(other), "other")

    assert world.pid("shop") == before
    left = {row["identifier"]: row["reason"]["code"] for row in world.json("status", "--json")}
    assert left == {"other/production": "in_sync", "shop/production": "left_configuration"}


@pytest.mark.slow
def test_a_changed_environment_is_a_reconfiguration_of_the_same_revision(world: World):
    origin = world.origin()
    declared = world.fraise(env={"GREETING": "hello"})
    world.start_daemon()
    world.converges(origin.head())

    declared["env"] = {"GREETING": "good day"}
    world.write()

    world.until(lambda: (world.get(path="/env") or (0, {}))[1].get("GREETING") == "good day")
    world.until(lambda: world.history()[0]["status"] == "converged")
    newest = world.history()[0]
    assert (newest["action"], newest["trigger"]) == ("reconfigure", "config")
    assert newest["from_revision"] == newest["to_revision"] == origin.head()


@pytest.mark.slow
def test_a_changed_environment_that_makes_the_service_ill_goes_back_to_the_one_it_was_healthy_with(world: World):
    origin = world.origin()
    declared = world.fraise(health_check={"deadline": "1s"})
    world.start_daemon()
    world.converges(origin.head())

    declared["service"] = {**declared["service"], "exec": "sh -c 'exit 7'"}
    world.write()

    world.until(lambda: world.is_held("quarantined") and world.served() == origin.head())
    assert world.history()[0]["outcome"] == "rolled_back"
    assert "exit 7" in json.dumps(world.history()[0])


def test_status_and_history_answer_while_the_configuration_is_unusable(world: World):
    head = world.origin("shop").head()
    world.fraise("shop")
    world.run("apply", "--yes")
    world.write("fraises: [\n")

    status = world.run("status", "--json")
    history = world.run("history", "shop", "--json")

    assert [row["healthy"] for row in json.loads(status.stdout)] == [head]
    assert json.loads(history.stdout)[0]["outcome"] == "converged"
    assert "fraises.yaml:1:11: " in status.stderr
    world.run("plan", code=2)
