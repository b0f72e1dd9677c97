"""The commands with a daemon and without one: the same answers, shapes and exit codes (design, section 10)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.gitrepo import Origin
from tests.support.world import World

pytestmark = pytest.mark.slow

TEXT_OR_NONE = (str, type(None))


@pytest.fixture(params=["daemon", "alone"])
def with_daemon(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "daemon")


@pytest.fixture
def origin(world: World, with_daemon: bool) -> Origin:
    """The remote of `shop`; the daemon polls so seldom that the commands are what makes it work."""
    made = world.origin()
    world.document["git"]["poll"] = "1h"
    world.fraise()
    if with_daemon:
        world.start_daemon()
        world.converges(made.head())
    else:
        world.run("apply", "--yes")
    return made


def traces(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Everything below `folder`, with what changes when it is written to."""
    return {
        str(path): ((found := path.lstat()).st_ino, found.st_mtime_ns, found.st_size)
        for path in [folder, *folder.rglob("*")]
    }


def has_shape(value: object, shape: Mapping[str, Any]) -> bool:
    """Whether an object has these keys with values of these types; more keys are welcome."""
    assert isinstance(value, dict)
    wrong = {key: value.get(key, "missing") for key, kind in shape.items() if not isinstance(value.get(key, ...), kind)}
    assert wrong == {}
    return True


STATUS = {
    "identifier": str,
    "fraise": str,
    "environment": str,
    "type": str,
    "desired": TEXT_OR_NONE,
    "attempted": TEXT_OR_NONE,
    "healthy": TEXT_OR_NONE,
    "sync": str,
    "health": str,
    "operation": str,
    "reason": dict,
    "last_converged_at": TEXT_OR_NONE,
}
HISTORY = {
    "id": str,
    "identifier": str,
    "from_revision": TEXT_OR_NONE,
    "to_revision": TEXT_OR_NONE,
    "trigger": str,
    "status": str,
    "outcome": TEXT_OR_NONE,
    "started_at": str,
    "finished_at": TEXT_OR_NONE,
    "requested_by": str,
    "attempts": int,
}
PLAN = {
    "format_version": str,
    "plan_hash": str,
    "complete": bool,
    "basis": dict,
    "actions": list,
    "summary": dict,
}
ACTION = {
    "identifier": str,
    "action": str,
    "from_revision": TEXT_OR_NONE,
    "to_revision": TEXT_OR_NONE,
    "reasons": list,
    "steps": list,
    "held_by": list,
    "on_failure": TEXT_OR_NONE,
}


def test_status_has_the_shape_that_scripts_rely_on(world: World, origin: Origin):
    (row,) = world.json("status", "--json")

    assert has_shape(row, STATUS)
    assert has_shape(row["reason"], {"code": str, "message": str})
    head = origin.head()
    assert (row["desired"], row["attempted"], row["healthy"]) == (head, head, head)
    assert (row["sync"], row["health"], row["operation"]) == ("in_sync", "healthy", "idle")
    assert datetime.fromisoformat(row["last_converged_at"]).tzinfo is not None


def test_history_has_the_shape_that_scripts_rely_on_newest_first(world: World, origin: Origin):
    first = origin.head()
    second = world.push(origin)
    world.run("deploy", "shop", "production")

    rows = world.json("history", "--json")

    assert all(has_shape(row, HISTORY) for row in rows)
    assert [row["to_revision"] for row in rows] == [second, first]
    assert rows[0]["from_revision"] == first
    assert [(row["status"], row["outcome"], row["attempts"]) for row in rows] == [("converged", "converged", 1)] * 2
    assert rows[0]["trigger"] == "request"
    assert rows[0]["started_at"] <= rows[0]["finished_at"]
    assert [row["id"] for row in world.json("history", "shop", "--limit", "1", "--json")] == [rows[0]["id"]]


def test_plan_has_the_shape_that_scripts_rely_on(world: World, origin: Origin):
    old, new = origin.head(), world.push(origin)

    planned = world.json("plan", "--format", "json")

    assert has_shape(planned, PLAN)
    assert planned["complete"] is True
    (action,) = planned["actions"]
    assert has_shape(action, ACTION)
    assert (action["identifier"], action["action"]) == ("shop/production", "deploy")
    assert (action["from_revision"], action["to_revision"]) == (old, new)
    assert all(has_shape(reason, {"code": str, "message": str}) for reason in action["reasons"])
    assert all(has_shape(step, {"kind": str, "summary": str}) for step in action["steps"])
    assert [step["kind"] for step in action["steps"]] == [
        "fetch",
        "release",
        "configure",
        "activate",
        "restart",
        "health",
    ]
    assert planned["summary"]["deploy"] == 1
    assert planned["plan_hash"] == world.json("plan", "--json")["plan_hash"]


def test_the_plan_is_empty_after_every_successful_apply(world: World, origin: Origin):
    assert world.run("plan", "--detailed-exitcode")
    for change in ("code", "environment"):
        if change == "code":
            world.push(origin)
        else:
            environment = world.document["fraises"]["shop"]["environments"]["production"]
            environment["env"] = {"GREETING": change}
            world.write()
            world.until(lambda: world.daemon is None or world.events("config.loaded"))
        if world.daemon is None or change == "code":
            world.run("plan", "--detailed-exitcode", code=2)

        world.run("apply", "--yes")

        assert world.run("plan", "--detailed-exitcode")
        assert world.run("apply", "--yes")


@pytest.mark.parametrize("format", ["text", "json", "markdown"])
def test_plan_in_a_fresh_folder_leaves_no_trace(world: World, format: str):
    world.origin()
    world.fraise()
    before = traces(world.folder)

    world.run("plan", "--format", format)

    assert traces(world.folder) == before


def test_looking_leaves_no_trace(world: World, origin: Origin, with_daemon: bool):
    if with_daemon:  # which would write for itself
        world.stop_daemon()
    world.push(origin)
    before = traces(world.folder)

    for verb in (
        ["plan"],
        ["plan", "--json"],
        ["plan", "--offline"],
        ["status"],
        ["history"],
        ["list"],
        ["explain", "shop"],
        ["logs", "shop"],
        ["validate"],
    ):
        world.run(*verb)
        assert traces(world.folder) == before, verb


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (["sh"], 0),
        (["shop", "prod"], 0),
        (["shop/production"], 0),
        (["sh/prod"], 0),
        (["shops"], 2),
        (["shop", "staging"], 2),
    ],
)
def test_targets_are_named_by_unambiguous_prefixes(world: World, given: list[str], code: int):
    world.origin()
    world.fraise()

    done = world.run("plan", *given, code=code)

    assert "shop" in done.stdout + done.stderr


def test_a_prefix_of_several_targets_is_refused_with_their_names(world: World):
    for name in ("shop", "shelf"):
        world.origin(name)
        world.fraise(name)

    done = world.run("deploy", "sh", code=2)

    assert "shelf, shop" in done.stderr
    assert not world.app_path().exists()


def test_rollback_returns_to_the_revision_before_and_stays_there_until_a_new_commit(world: World, origin: Origin):
    first, second = origin.head(), world.push(origin)
    world.run("deploy", "shop")

    world.run("rollback", "shop", "--yes")
    assert world.served() == first
    assert world.is_quarantined(second)
    world.run("plan", "--detailed-exitcode", code=4)
    held = world.run("deploy", "shop", code=2)
    assert "in quarantine" in held.stdout
    refused = world.run("rollback", "shop", "--yes", code=2)
    assert "cannot roll back" in refused.stderr

    third = world.push(origin)
    world.run("deploy", "shop")
    assert world.served() == third
    world.run("rollback", "shop", "--to", first[:10], "--yes")
    assert world.served() == first


def test_retry_lifts_the_quarantine_and_tries_again(world: World, origin: Origin):
    bad = world.push(origin, mode="dies")
    failed = world.run("deploy", "shop", code=1)
    assert "exit 3" in failed.stdout
    assert world.is_quarantined(bad)

    world.run("retry", "shop", code=1)

    tries = [row for row in world.history() if row["to_revision"] == bad]
    assert [row["outcome"] for row in tries] == ["rolled_back", "rolled_back"]
    assert world.is_quarantined(bad)


def test_force_restarts_although_nothing_differs(world: World, origin: Origin):
    before = world.pid()
    world.run("deploy", "shop")
    assert world.pid() == before

    world.run("deploy", "shop", "--force")

    assert world.pid() != before
    assert world.served() == origin.head()
    assert world.run("plan", "--detailed-exitcode")


def test_explain_says_everything_that_is_known(world: World, origin: Origin):
    document = world.json("explain", "shop", "--json")
    text = world.run("explain", "shop").stdout

    assert document["desired"]["sha"] == document["observed"]["current"] == origin.head()
    assert document["observed"]["service"] == "running"
    assert document["plan"]["action"] == "none"
    for word in ("desired", "observed", "recorded", "what follows", "last deployments"):
        assert word in text


def test_logs_show_the_output_of_the_build_and_of_the_service(world: World, origin: Origin):
    environment = world.document["fraises"]["shop"]["environments"]["production"]
    environment["build"] = ["echo built by hand"]
    world.write()
    world.until(lambda: world.daemon is None or world.events("config.loaded"))
    world.push(origin)
    world.run("deploy", "shop")

    assert "built by hand" in world.run("logs", "shop").stdout
    assert "ok at work" in world.run("logs", "shop", "--service").stdout


def test_list_names_every_target(world: World, origin: Origin):
    (row,) = world.json("list", "--json")

    assert (row["identifier"], row["type"], row["selection"]) == ("shop/production", "api", "main")
    assert (row["selects"], row["sync"]) == ("branch", "in_sync")
    assert "shop/production" in world.run("list").stdout
    assert "shop/production" in world.run("status").stdout


def test_unknown_verbs_and_options_are_usage_errors(world: World):
    assert "Did you mean 'status'" in world.run("statuss", code=2).stderr
    assert world.run("plan", "--fromat", "json", code=2).stderr


def test_a_command_follows_the_steps_as_they_happen(world: World, origin: Origin):
    world.push(origin)

    done = world.run("deploy", "shop")

    for word in ("fetch main@", "activate", "restart shop-production.service", "health of"):
        assert word in done.stdout
    assert done.stdout.index("activate") < done.stdout.index("restart")


@pytest.mark.parametrize("moment", ["attempt_opened", "note"], ids=["at the start", "in the build"])
def test_ctrl_c_of_apply_exits_130_and_closes_the_attempt_as_interrupted(world: World, moment: str):
    world.origin(files={"build.sh": "sleep 1031 & sleep 1032\n"})
    world.fraise(build=["sh build.sh"])
    child = world.start("apply", "--yes")
    world.until(lambda: world.ask("SELECT 1 FROM tb_deployment_events WHERE kind = ?", moment))

    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    code = child.wait(20)

    assert code == 130
    assert time.monotonic() - began < 10
    assert world.open_attempts() == 0
    assert world.history()[0]["outcome"] == "interrupted"
    assert world.processes() == []


def test_ctrl_c_of_a_command_that_waits_for_the_daemon_leaves_the_work_to_it(world: World):
    origin = world.origin(files={"build.sh": "sleep 1.5\n"})
    world.document["git"]["poll"] = "1h"
    world.fraise(build=["sh build.sh"])
    world.start_daemon()
    child = world.start("deploy", "shop")
    world.until(lambda: world.open_attempts() == 1 and world.ask("SELECT 1 FROM tb_requests"))

    child.send_signal(signal.SIGINT)

    assert child.wait(10) == 130
    world.converges(origin.head())


def test_a_command_whose_daemon_dies_does_the_work_itself(world: World):
    """It asked for it, and nobody else holds the lock any more."""
    origin = world.origin(files={"build.sh": "sleep 1\n"})
    world.document["git"]["poll"] = "1h"
    world.fraise(build=["sh build.sh"])
    world.start_daemon()
    child = world.start("deploy", "shop")
    world.until(lambda: world.open_attempts() == 1 and world.ask("SELECT 1 FROM tb_requests"))

    world.kill_daemon()

    assert child.wait(20) == 0
    assert world.served() == origin.head()
    assert world.ask("SELECT state FROM tv_requests") == [("done",)]
    assert world.ask("SELECT count(*) FROM tb_deployment_events WHERE kind = 'attempt_closed'") == [(2,)]
    world.start_daemon()
    world.converges(origin.head())
    assert world.ask("SELECT count(*) FROM tb_deployment_attempts") == [(2,)]


def test_two_commands_at_once_do_the_work_once(world: World):
    origin = world.origin()
    world.fraise()

    children = [world.start("apply", "--yes") for _ in range(2)]
    codes = sorted(child.wait(30) for child in children)

    assert codes[0] == 0
    assert world.served() == origin.head()
    assert len([row for row in world.history() if row["outcome"] == "converged"]) == 1
    assert world.open_attempts() == 0


def test_a_state_folder_of_its_own_is_all_that_a_command_writes_to(world: World):
    world.origin()
    world.fraise()
    world.run("apply", "--yes")

    outside = {path.name for path in world.folder.iterdir()}

    assert outside == {"fraises.yaml", "remotes", "srv", "state"}
    assert {os.path.basename(path) for path in world.state_dir.iterdir()} <= {
        "fraisier.db",
        "fraisier.db-wal",
        "fraisier.db-shm",
        "fraisier.db.d",
        "fraisier.db.key",
        "fraisier.db.lock",
        "fraisier.db.wake",
    }


def test_the_git_configuration_of_a_checkout_around_the_state_says_nothing(world: World):
    """`server.state` lies beside fraises.yaml by default, which often is a checkout of its own."""
    origin = world.origin()
    decoy = world.origin("decoy", mode="500")
    around = Origin(world.state_dir / "checkout")
    around.git("config", f"url.{decoy.path}.insteadOf", origin.path)
    world.store = around.folder / "server.state"
    world.fraise()

    world.run("apply", "--yes")

    assert world.served() == origin.head()
