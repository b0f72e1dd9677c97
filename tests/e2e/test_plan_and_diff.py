"""Plans that are saved, explained and pruned, what is behind them, and why a target is as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.gitrepo import Origin
from tests.support.world import PYTHON, World

pytestmark = pytest.mark.slow


@pytest.fixture
def origin(world: World) -> Origin:
    """The remote of `shop`, which is deployed."""
    made = world.origin()
    world.fraise(env={"LOG_LEVEL": "info", "PASSWORD": {"env": "PASSWORD"}})
    world.env["PASSWORD"] = "hunter2hunter2"
    world.run("apply", "--yes")
    return made


def traces(folder: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(path): ((found := path.lstat()).st_ino, found.st_mtime_ns, found.st_size)
        for path in [folder, *folder.rglob("*")]
    }


# --- plan ------------------------------------------------------------------------------------


def test_a_plan_that_was_saved_is_carried_out(world: World, origin: Origin) -> None:
    head = world.push(origin)
    file = world.folder / "friday.plan"

    done = world.run("plan", "--out", str(file))

    assert f"saved to {file}; carry it out with: fraisier apply {file}" in done.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    world.run("apply", str(file), "--yes")
    assert world.served() == head


def test_a_saved_plan_is_refused_when_its_basis_moved_and_what_moved_is_named(world: World, origin: Origin) -> None:
    before, planned = origin.head(), world.push(origin)
    file = world.folder / "friday.plan"
    document = json.loads(world.run("plan", "--out", str(file), "--format", "json").stdout)
    assert document == json.loads(file.read_text())
    newer = world.push(origin)

    refused = world.run("apply", str(file), "--yes", code=2)

    assert f"shop/production: desired {planned[:7]} → {newer[:7]}" in refused.stderr
    assert world.served() == before


def test_a_file_that_is_no_plan_is_not_overwritten(world: World, origin: Origin) -> None:
    before = world.config_path.read_text()

    refused = world.run("plan", "--out", str(world.config_path), code=2)

    assert "is there and is no plan" in refused.stderr
    assert refused.stdout == ""
    assert world.config_path.read_text() == before


def test_what_left_the_configuration_is_mentioned_and_planned_with_prune(world: World, origin: Origin) -> None:
    world.origin("blog")
    world.fraise("blog")
    world.run("apply", "--yes")
    assert "left the configuration" not in world.run("plan").stdout
    del world.document["fraises"]["shop"]
    world.write()

    quiet, pruning = world.run("plan").stdout, world.run("plan", "--prune").stdout

    assert quiet.splitlines()[-1] == "1 target has left the configuration: fraisier plan --prune"
    assert "- shop/production" in pruning
    assert "Plan: 1 in sync, 1 to remove" in pruning
    assert "left the configuration: fraisier" not in pruning
    assert "1 to remove" in world.run("plan", "shop", "--prune").stdout
    assert world.served("shop") is not None


@pytest.mark.parametrize("broken", [False, True], ids=["empty", "broken"])
def test_an_empty_or_broken_configuration_speaks_of_no_removal(world: World, origin: Origin, broken: bool) -> None:
    shop = world.document["fraises"].pop("shop")
    if broken:
        world.document["fraises"]["blog"] = {**shop, "environments": {"production": {"branch": 1}}}
    world.write()

    done = world.run("plan")

    assert "left the configuration" not in done.stdout
    assert "nothing is removed" in world.run("plan", "--prune", code=2).stderr


def test_explain_of_a_plan_says_how_each_step_is_undone(world: World, origin: Origin) -> None:
    world.push(origin)

    text = world.run("plan", "--explain").stdout

    assert "the roll back points it at the release it returns to" in text
    assert f"healthy        {world.served()}" in text
    assert "less than 1 s" in text or "about " in text  # as long as the first deployment took


# --- diff ------------------------------------------------------------------------------------


def test_diff_shows_commits_configuration_and_files_and_leaves_no_trace(world: World, origin: Origin) -> None:
    origin.commit({"more": "1"}, "Make it \x1b[31mred")
    head = world.push(origin)
    (world.app_path() / "current" / "app.py").write_text("pass\n")
    world.fraise(env={"LOG_LEVEL": "debug", "PASSWORD": {"env": "PASSWORD"}})
    world.env["PASSWORD"] = "hunter3hunter3"
    before = traces(world.folder)

    done, (found,) = world.run("diff"), world.json("diff", "--json")

    assert traces(world.folder) == before
    assert f"  {head[:7]}  change  (Ann, " in done.stdout
    assert "  Make it red  (Ann, " in done.stdout
    assert "env.LOG_LEVEL  info → debug" in done.stdout
    assert "env.PASSWORD   changed (" in done.stdout
    assert "app.py changed" in done.stdout
    assert "\x1b" not in done.stdout
    assert "hunter" not in done.stdout + json.dumps(found)
    assert [commit["subject"] for commit in found["commits"]["gained"]] == ["change", "Make it \x1b[31mred"]
    assert [change["key"] for change in found["configuration"]] == ["env.LOG_LEVEL", "env.PASSWORD"]
    assert found["files"] == [{"path": "app.py", "found": "changed"}]


def test_diff_of_a_rewind_marks_what_would_be_lost(world: World, origin: Origin) -> None:
    first, lost = origin.head(), world.push(origin)
    world.run("deploy", "shop")
    origin.rewind(first)
    other = origin.commit({"other": "1"}, "Another way")

    done = world.run("diff", "shop")

    assert f"  {other[:7]}  Another way" in done.stdout
    assert f"- {lost[:7]}  change" in done.stdout
    assert "was rewound" in done.stdout


def test_diff_of_what_is_in_sync_has_nothing_to_show(world: World, origin: Origin) -> None:
    assert world.json("diff", "--json") == []
    assert "Nothing to compare" in world.run("diff").stdout
    assert "nothing differs" in world.run("diff", "shop").stdout


def test_diff_compares_what_it_can_when_the_remote_is_away(world: World, origin: Origin) -> None:
    world.fraise(env={"LOG_LEVEL": "debug"})
    origin.folder.rename(world.folder / "away")

    done = world.run("diff")

    assert "env.LOG_LEVEL  info → debug" in done.stdout
    assert "unknown" in done.stdout


def test_diff_exits_1_when_nothing_could_be_compared(world: World) -> None:
    world.fraise(repository=str(world.folder / "nowhere"))

    assert "nowhere" in world.run("diff", code=1).stdout


def test_diff_of_a_target_with_a_broken_configuration_says_where(world: World, origin: Origin) -> None:
    world.document["fraises"]["shop"]["environments"]["production"]["branch"] = 1
    world.write()

    assert "fraises.yaml:" in world.run("diff", "shop", code=2).stderr


@pytest.mark.systemd
def test_diff_of_a_unit_that_was_edited_by_hand_and_of_one_that_comes(world: World) -> None:
    world.document["server"]["service_manager"] = "systemd"
    unit = "[Service]\nEnvironment=PORT={port}\nWorkingDirectory={app}/current\nExecStart={python} app.py\n"
    origin = world.origin()
    declared = world.fraise(unit_file="deploy/shop.service", systemd_service="shop.service", env={"A": "1"})
    del declared["service"]
    world.write()
    text = unit.format(port=world.ports["shop"], app=world.app_path(), python=PYTHON)
    text += "[Install]\nWantedBy=multi-user.target\n"
    world.push(origin, files={"deploy/shop.service": text})
    world.run("apply", "--yes")
    installed = Path("/etc/systemd/system/shop.service")

    installed.write_text(text.replace("[Service]", "[Service]\nNice=5"))
    assert "-Nice=5" in world.run("diff").stdout
    installed.write_text(text)
    world.push(origin, files={"deploy/shop.service": text.replace("[Service]", "[Service]\nNice=7")})
    done = world.run("diff").stdout

    assert "+Nice=7" in done
    assert "+++ /etc/systemd/system/shop.service" in done


# --- explain ---------------------------------------------------------------------------------


def test_explain_answers_in_the_order_in_which_a_person_asks(world: World, origin: Origin) -> None:
    deployed = origin.head()
    head = world.push(origin)
    world.document["windows"] = {"never": {"kind": "deny", "timezone": "Europe/Paris"}}
    world.fraise(env={"LOG_LEVEL": "info"}, deploy={"windows": ["never"], "approval": "required"})
    world.run("suspend", "shop", "--reason", "a freeze")

    document, text = world.json("explain", "shop", "--json"), world.run("explain", "shop").stdout

    assert (document["observed"]["sha"], document["desired"]["sha"]) == (deployed, head)
    assert document["observed"]["probe"]["ok"] is True
    assert {hold["code"] for hold in document["plan"]["held_by"]} == {"suspended", "window", "approval"}
    assert document["limits"]["windows"][0]["is_open"] is False
    places = [text.index(part) for part in ("observed", "health", "desired", "what follows", "a freeze", "limits")]
    assert places == sorted(places)
    assert text.count("to go on") == 3
