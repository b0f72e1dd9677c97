"""Plans that are saved, carried out, or refused because something moved; and what has left the configuration."""

from __future__ import annotations

import json
import os

from tests.support.world import World


def test_a_saved_plan_is_carried_out_and_nothing_else(world: World):
    one, two = world.origin("one"), world.origin("two")
    world.fraise("one")
    world.fraise("two")
    plan = world.folder / "plan.json"
    world.run("plan", "one", "--out", str(plan))

    world.run("apply", str(plan), "--yes")

    assert world.served("one") == one.head()
    assert world.get("two") is None
    assert two.head()
    assert "stale" in world.run("apply", str(plan), "--yes", code=2).stderr


def test_a_saved_plan_is_refused_by_name_of_what_moved(world: World):
    origin = world.origin()
    declared = world.fraise()
    world.run("apply", "--yes")
    first = origin.head()
    second = world.push(origin)
    plan = world.folder / "plan.json"
    world.run("plan", "--out", str(plan))

    third = world.push(origin)
    told = world.run("apply", str(plan), "--yes", code=2).stderr
    assert f"desired {second[:7]} → {third[:7]}" in told
    assert "configuration" not in told

    declared["env"] = {"LEVEL": "1"}
    world.write()
    assert "configuration" in world.run("apply", str(plan), "--yes", code=2).stderr
    assert world.served() == first


def test_a_plan_that_moves_between_its_check_and_the_daemon_is_refused_there(world: World):
    """The request carries what the plan was made from; the cycle that is to act compares again."""
    origin = world.origin()
    world.fraise()
    world.run("apply", "--yes")
    world.push(origin)
    document = world.json("plan", "--format", "json")
    basis = {**document["actions"][0]["basis"], "desired": "0" * 40}
    asked = {"id": "11111111-1111-4111-8111-111111111111", "basis": basis}
    world.ask("SELECT 1")
    from contextlib import closing
    from datetime import UTC, datetime

    from fraisier.model.names import Scope
    from fraisier.model.records import Request
    from fraisier.store import open_store

    with closing(open_store(str(world.store), "write")) as store:
        request = Request(
            asked["id"], "deploy", Scope("shop", "production"), "ann", datetime.now(UTC), {"basis": basis}
        )
        store.add_request(request)
    world.document["git"]["poll"] = "1h"
    world.write()

    world.start_daemon()

    world.until(lambda: world.ask("SELECT state FROM tv_requests WHERE id = ?", asked["id"]) == [("refused",)])
    (message,) = world.ask("SELECT message FROM tv_requests WHERE id = ?", asked["id"])[0]
    assert "stale" in message


def test_a_plan_that_was_edited_is_refused(world: World):
    world.origin()
    world.fraise()
    plan = world.folder / "plan.json"
    world.run("plan", "--out", str(plan))
    document = json.loads(plan.read_text())
    document["actions"][0]["to_revision"] = "0" * 40
    plan.write_text(json.dumps(document))

    assert "edited" in world.run("apply", str(plan), "--yes", code=2).stderr
    plan.write_text("{}")
    world.run("apply", str(plan), "--yes", code=2)
    assert world.get() is None


def test_what_left_the_configuration_is_removed_only_when_asked_and_without_its_data(world: World):
    kept, gone = world.origin("kept").head(), world.origin("gone").head()
    world.fraise("kept")
    world.fraise("gone", shared=["uploads"])
    world.start_daemon()
    world.converges(kept, "kept")
    world.converges(gone, "gone")
    app = world.app_path("gone")
    (app / "shared" / "uploads" / "kept").write_text("precious")
    (app / "by-hand").write_text("not ours")
    del world.document["fraises"]["gone"]
    world.write()
    world.until(lambda: world.events("config.loaded"))

    assert "--prune" in world.run("plan").stdout
    assert world.served("gone") == gone
    shown = world.run("plan", "--prune").stdout
    assert "gone/production" in shown and "1 to remove" in shown
    world.run("apply", "--prune", "--yes")

    assert world.get("gone") is None
    assert sorted(os.listdir(app)) == ["by-hand", "shared"]
    assert (app / "shared" / "uploads" / "kept").read_text() == "precious"
    assert world.served("kept") == kept
    assert "gone" not in world.run("plan", "--prune").stdout
    assert world.history("gone")[0]["action"] == "remove"
    assert "gone/production" not in world.run("status").stdout


def test_an_empty_or_broken_configuration_removes_nothing(world: World):
    good = world.origin().head()
    world.origin("other")
    world.fraise()
    world.fraise("other")
    world.run("apply", "--yes")

    world.document["fraises"]["shop"]["environments"]["production"]["timeout"] = 5
    del world.document["fraises"]["other"]
    world.write()
    assert "has problems" in world.run("apply", "--prune", "--yes", code=2).stderr
    world.document["fraises"] = {}
    world.write()
    assert "no target" in world.run("apply", "--prune", "--yes", code=2).stderr

    assert world.served() == good


def test_a_target_that_was_renamed_leaves_nothing_behind(world: World):
    good = world.origin().head()
    declared = world.fraise(systemd_service="shop.service")
    world.run("apply", "--yes")
    world.document["fraises"] = {"store": {**world.document["fraises"]["shop"]}}
    declared["systemd_service"] = "shop.service"
    world.write()

    assert "1 to remove" not in world.run("plan", "--prune").stdout
    world.run("apply", "--prune", "--yes")

    assert world.served() == good


def test_what_left_while_it_was_suspended_is_resumed_by_the_command_that_the_hold_names(world: World):
    good = world.origin().head()
    world.origin("other")
    world.fraise()
    world.fraise("other")
    world.run("apply", "--yes")
    world.run("suspend", "shop", "--reason", "an audit")
    del world.document["fraises"]["shop"]
    world.write()
    held = world.run("apply", "--prune", "--yes", code=2).stdout
    assert "fraisier resume shop" in held
    assert world.served() == good

    world.run("resume", "shop")
    world.run("apply", "--prune", "--yes")

    assert world.get() is None
