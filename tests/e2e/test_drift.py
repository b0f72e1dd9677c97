"""What others change on the machine, and what the daemon makes of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.support.world import World


def test_a_changed_file_of_a_release_is_repaired_by_a_new_release(world: World):
    """The changed one is kept until the next deployment: what is in it may be somebody's only copy."""
    origin = world.origin()
    good = origin.head()
    world.fraise()
    world.start_daemon()
    world.converges(good)
    spoilt = world.current()
    assert spoilt is not None

    with (world.app_path() / "current" / "app.py").open("a") as code:
        code.write("# by hand\n")

    world.until(lambda: world.current() != spoilt and world.is_in_sync(good))
    newest = world.history()[0]
    assert (newest["action"], newest["outcome"]) == ("repair", "converged")
    assert "app.py changed" in newest["message"]
    assert "# by hand" not in (world.app_path() / "current" / "app.py").read_text()
    assert "# by hand" in (world.app_path() / "releases" / spoilt / "app.py").read_text()
    assert world.json("plan", "--format", "json")["summary"]["in_sync"] == 1
    world.converges(world.push(origin))
    assert not (world.app_path() / "releases" / spoilt).exists()


def test_what_the_build_and_the_service_write_is_their_own_business(world: World):
    good = world.origin(files={"build.sh": "echo built > built.txt\n"}).head()
    world.fraise(build=["sh build.sh"])
    world.start_daemon()
    world.converges(good)
    current = world.app_path() / "current"

    (current / "built.txt").write_text("otherwise")
    (current / "cache").mkdir()
    (current / "cache" / "page").write_text("x")
    os.utime(current / "app.py")

    assert world.json("plan", "--format", "json")["summary"]["in_sync"] == 1
    assert len(world.history()) == 1


def test_a_lost_link_to_shared_data_is_made_again_without_a_restart(world: World):
    good = world.origin().head()
    world.fraise(shared=["uploads"])
    world.start_daemon()
    world.converges(good)
    before, link = world.pid(), world.app_path() / "current" / "uploads"
    (world.app_path() / "shared" / "uploads" / "kept").write_text("precious")

    link.unlink()

    world.until(lambda: (link / "kept").exists())
    world.until(lambda: world.is_in_sync(good))
    assert world.pid() == before
    assert [step["kind"] for step in _plan_of(world, world.history()[0]["id"])] == ["share", "health"]


def test_drift_that_is_only_reported_is_left_until_a_person_repairs_it(world: World):
    good = world.origin().head()
    world.fraise(on_drift="report")
    world.start_daemon()
    world.converges(good)

    os.kill(world.pid(), 9)

    world.until(lambda: world.row()["reason"]["code"] == "drift_reported")
    row = world.row()
    assert row["sync"] == "drifted"
    assert row["drift"][0]["field"] == "service"
    assert row["drift"][0]["desired"] == "running"
    text = world.run("plan", "--detailed-exitcode", code=4).stdout
    assert "desired running, observed failed" in text
    assert "fraisier deploy shop/production --force" in text
    assert world.get() is None
    world.run("deploy", "shop", "--force")
    world.converges(good)


def test_drift_that_is_nobodys_business_is_not_seen(world: World):
    good = world.origin().head()
    world.fraise(on_drift={"default": "repair", "service": "ignore", "files": "repair", "except_files": ["app.py"]})
    world.start_daemon()
    world.converges(good)

    with (world.app_path() / "current" / "app.py").open("a") as code:
        code.write("# by hand\n")
    os.kill(world.pid(), 9)

    world.until(lambda: world.row()["health"] == "stopped")
    assert world.json("plan", "--format", "json")["summary"]["in_sync"] == 1
    assert len(world.history()) == 1


def test_drift_that_comes_back_is_repaired_less_and_less_often(world: World):
    good = world.origin().head()
    world.fraise(repairs={"at_most": 2, "within": "1h"})
    world.start_daemon()
    world.converges(good)
    os.kill(world.pid(), 9)
    world.until(lambda: len(world.history()) == 2 and world.is_in_sync(good))

    os.kill(world.pid(), 9)

    world.until(lambda: world.is_held("back_off"))
    assert "came back" in world.row()["reason"]["message"]
    assert world.row()["health"] == "stopped"
    world.run("retry", "shop")
    world.converges(good)


def test_a_service_that_a_person_stopped_is_left_alone(world: World):
    good = world.origin().head()
    world.fraise()
    world.start_daemon()
    world.converges(good)

    world.run("suspend", "shop/production", "--stop", "--reason", "the disk is being changed")

    assert world.get() is None
    world.until(lambda: world.row().get("suspended"))
    row = world.row()
    assert row["health"] == "stopped"
    assert row["suspended"]["reason"] == "the disk is being changed"
    assert row["suspended"]["stop"] is True
    assert row["suspended"]["by"] and row["suspended"]["at"]
    world.run("plan", "--detailed-exitcode")
    world.run("resume", "shop/production")
    world.converges(good)


def test_a_repair_that_fails_is_tried_again_until_it_is_proven(world: World):
    """The service comes up again and answers badly: that is not in sync, however it looks."""
    good = world.origin().head()
    world.fraise(health_check={"deadline": "500ms"})
    world.start_daemon()
    world.converges(good)
    behaviour = world.app_path() / "current" / "behaviour.json"
    world.document["fraises"]["shop"]["environments"]["production"]["on_drift"] = {"files": "ignore"}
    world.write()
    world.until(lambda: world.events("config.loaded"))
    behaviour.write_text(json.dumps({"mode": "500"}))

    os.kill(world.pid(), 9) if world.get() else None

    world.until(lambda: world.history()[0]["outcome"] == "failed")
    world.until(lambda: world.is_held("back_off"))
    assert world.row()["health"] == "degraded"
    behaviour.write_text(json.dumps({"mode": "ok"}))
    world.run("retry", "shop")
    world.until(lambda: world.is_in_sync(good))


def _plan_of(world: World, deployment: str) -> list[dict[str, Any]]:
    (plan,) = world.ask("SELECT plan FROM tb_deployments WHERE id = ?", deployment)[0]
    steps: list[dict[str, Any]] = json.loads(plan)["steps"]
    return steps


def test_looking_into_releases_leaves_no_trace(world: World):
    good = world.origin().head()
    world.fraise()
    world.run("apply", "--yes")
    before = _tree(world.app_path())

    world.run("plan")
    world.run("diff")

    assert _tree(world.app_path()) == before
    assert world.served() == good


def _tree(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(root.rglob("*"))}
