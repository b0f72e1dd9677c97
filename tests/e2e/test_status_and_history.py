"""What is shown of now and of the past: `list`, `status`, `status --at`, `history`, `stats`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from tests.support.gitrepo import Origin
from tests.support.terminal import Terminal
from tests.support.waiting import is_alive
from tests.support.world import World

pytestmark = pytest.mark.slow


@pytest.fixture
def origin(world: World) -> Origin:
    made = world.origin()
    world.fraise()
    return made


@pytest.fixture
def deployed(world: World, origin: Origin) -> Iterator[Origin]:
    world.run("apply", "--yes")
    yield origin


def said(world: World, *arguments: str) -> dict[str, list[str]]:
    """The lines of `status` of one target by their labels."""
    found: dict[str, list[str]] = {}
    for line in world.run("status", "shop", *arguments).stdout.splitlines():
        if line.startswith("  "):
            found.setdefault(line[2:13].strip(), []).append(line[13:].strip())
    return found


# --- status ----------------------------------------------------------------------------------


def test_a_target_nobody_has_looked_at_has_the_same_shape_as_the_others(world: World, deployed: Origin):
    world.fraise("other", str(deployed.path))

    unseen, seen = world.json("status", "--json")

    assert list(unseen) == list(seen)
    assert (unseen["sync"], unseen["reason"]["code"]) == ("unknown", "never_seen")


def test_what_was_arranged_for_a_target_nobody_has_looked_at_is_shown(world: World, deployed: Origin):
    world.run("suspend", "--all", "--reason", "freeze")
    world.fraise("other", str(deployed.path))

    (unseen,) = world.json("status", "other", "--json")

    assert (unseen["suspended"]["reason"], unseen["suspended"]["scope"]) == ("freeze", "*/*")
    assert "with everything: freeze" in world.run("status", "other").stdout


def test_a_suspended_target_in_sync_says_since_when_by_whom_until_when_and_why(world: World, deployed: Origin):
    world.run("suspend", "shop", "production", "--reason", "moving the database", "--for", "2h")

    (row,) = world.json("status", "--json")
    shown = said(world)

    assert row["sync"] == "in_sync"
    (sentence,) = shown["suspended"]
    since, until = (datetime.fromisoformat(row["suspended"][key]).astimezone() for key in ("at", "until"))
    assert sentence.startswith(f"since {since:%H:%M} (")
    assert f"by {row['suspended']['by']} until" in sentence
    assert f"{until:%H:%M}: moving the database" in sentence
    assert shown["to go on"] == ["fraisier resume shop/production"]
    assert "suspended since" in world.run("status").stdout


def test_a_trial_and_a_pin_say_so(world: World, deployed: Origin):
    deployed.git("branch", "fix-x")
    world.run("try", "shop", "--ref", "fix-x", "--ttl", "2h", "--reason", "slow queries")

    assert said(world)["trial"][0].startswith("of fix-x until ")
    assert said(world)["trial"][0].endswith(": slow queries")
    assert "trial of fix-x until" in world.run("status").stdout
    assert world.json("status", "--json")[0]["override"]["kind"] == "try"

    world.run("pin", "shop", deployed.head())

    assert said(world)["pinned"][0].startswith(f"to {deployed.head()[:7]} since ")
    assert said(world)["to end it"] == ["fraisier unpin shop/production"]


def test_every_hold_is_shown_with_what_ends_it(world: World, deployed: Origin):
    world.document["fraises"]["shop"]["environments"]["production"]["deploy"] = {"approval": "required"}
    world.write()
    world.run("suspend", "shop", "--reason", "freeze")
    world.push(deployed)
    world.run("deploy", "shop", code=2)

    (row,) = world.json("status", "--json")
    shown = said(world)

    assert {hold["code"] for hold in row["held_by"]} == {"suspended", "approval"}
    assert set(shown["to go on"]) == {hold["to_go_on"] for hold in row["held_by"]}
    assert "all of shop: freeze" in shown["suspended"][0]
    assert shown["held by"] == [hold["message"] for hold in row["held_by"] if hold["code"] == "approval"]


def test_a_target_whose_configuration_is_broken_is_held_by_it_whatever_was_seen_last(world: World, deployed: Origin):
    world.document["fraises"]["shop"]["environments"]["production"]["keep_releases"] = "many"
    world.write()

    (row,) = world.json("status", "--json")

    assert (row["sync"], row["reason"]["code"], row["healthy"]) == ("held", "config_invalid", deployed.head())
    assert [hold["code"] for hold in row["held_by"]] == ["config_invalid"]
    assert said(world)["to go on"] == ["fraisier validate"]


# --- what has left ---------------------------------------------------------------------------


@pytest.fixture
def left(world: World, deployed: Origin) -> Origin:
    """`old` was deployed and is not configured any more."""
    world.fraise("old", str(deployed.path))
    world.run("apply", "--yes")
    del world.document["fraises"]["old"]
    world.write()
    return deployed


def test_what_left_the_configuration_is_listed_as_left(world: World, left: Origin):
    old, shop = world.json("list", "--json")
    row, _ = world.json("status", "--json")

    assert (old["identifier"], old["sync"], old["reason"]["code"]) == (
        "old/production",
        "unknown",
        "left_configuration",
    )
    assert (shop["sync"], shop["reason"], shop["selection"], shop["selects"]) == ("in_sync", None, "main", "branch")
    assert (row["sync"], row["health"], row["reason"]["code"]) == ("unknown", "unknown", "left_configuration")
    assert row["to_go_on"] == "fraisier plan --prune"
    assert row["healthy"] == left.head()
    for arguments in (["list"], ["status"], ["status", "old"]):
        text = world.run(*arguments).stdout
        assert "left" in text and "fraisier plan --prune" in text


def test_what_was_only_renamed_has_not_left(world: World, left: Origin):
    world.fraise("new", str(left.path), app_path=str(world.app_path("old")))

    assert [row["identifier"] for row in world.json("status", "--json")] == ["new/production", "shop/production"]
    assert [row["identifier"] for row in world.json("list", "--json")] == ["new/production", "shop/production"]


def test_nothing_has_left_a_configuration_that_cannot_be_used(world: World, left: Origin):
    world.write("version: 1\nfraises: [")

    assert {row["reason"]["code"] for row in world.json("status", "--json")} == {"in_sync"}


def test_what_was_removed_is_not_shown_but_its_past_is(world: World, left: Origin):
    world.run("apply", "--prune", "--yes")

    assert [row["identifier"] for row in world.json("status", "--json")] == ["shop/production"]
    assert [row["action"] for row in world.json("history", "old", "--json")] == ["remove", "deploy"]
    assert [row["identifier"] for row in world.json("stats", "old", "--json")] == ["old/production"]


# --- status --at -----------------------------------------------------------------------------


def test_status_at_a_moment_says_what_was_live_then(world: World, deployed: Origin):
    first = deployed.head()
    between = world.history()[0]["finished_at"]
    world.push(deployed)
    world.run("deploy", "shop")

    (then,) = world.json("status", "--at", between, "--json")
    (now,) = world.json("status", "shop", "--at", "now", "--json")

    assert (then["revision"], then["ref"], then["deployment"]) == (first, "main", None)
    assert now["revision"] == deployed.head()
    assert first[:7] in world.run("status", "--at", between).stdout


def test_status_at_says_that_a_deployment_ran_that_it_was_suspended_and_what_was_kept_out(
    world: World, deployed: Origin
):
    bad = world.push(deployed, mode="dies")
    world.run("deploy", "shop", code=1)
    world.run("suspend", "shop", "--reason", "freeze")
    failed = world.history()[0]

    during = world.run("status", "--at", failed["started_at"]).stdout
    after = world.run("status", "--at", "now").stdout

    assert f"deploy to {bad[:7]} was running" in during
    assert f"in quarantine: {bad[:7]}" in after
    assert ": freeze" in after and "suspended since" in after


def test_status_at_a_time_without_a_record_says_so(world: World, deployed: Origin):
    assert world.json("status", "--at", "3d", "--json") == []
    assert "the record begins" in world.run("status", "--at", "3d").stdout

    future = world.run("status", "--at", (datetime.now() + timedelta(hours=1)).isoformat(), code=2)
    assert "is still to come" in future.stderr
    assert "--at: 'soon' is no moment" in world.run("status", "--at", "soon", code=2).stderr


def test_status_at_without_any_record_says_so(world: World, origin: Origin):
    assert "Nothing was recorded yet." in world.run("status", "--at", "1h").stdout


# --- history ---------------------------------------------------------------------------------


@pytest.fixture
def past(world: World, deployed: Origin) -> list[str]:
    """Three commits, the second of which failed."""
    commits = [deployed.head(), world.push(deployed, mode="dies")]
    world.run("deploy", "shop", code=1)
    commits.append(world.push(deployed))
    world.run("deploy", "shop")
    return commits


def deployed_to(world: World, *arguments: str) -> list[str]:
    return [row["to_revision"] for row in world.json("history", "--json", *arguments)]


def test_history_shows_what_fits_everything_that_is_asked_for(world: World, past: list[str]):
    first, bad, last = past
    middle = world.history()[1]["started_at"]

    assert deployed_to(world) == [last, bad, first]
    assert deployed_to(world, "--outcome", "rolled_back") == [bad]
    assert deployed_to(world, "--outcome", "rolled_back", "--outcome", "converged") == [last, bad, first]
    assert deployed_to(world, "--outcome", "running") == []
    assert deployed_to(world, "--revision", first[:9].upper()) == [first]
    assert deployed_to(world, "--since", middle) == [last, bad]
    assert deployed_to(world, "--until", middle) == [bad, first]
    assert deployed_to(world, "--since", "1h ago", "--until", "now", "--outcome", "converged") == [last, first]
    assert deployed_to(world, "--action", "repair") == []
    assert deployed_to(world, "shop", "--revision", bad, "--outcome", "converged") == []
    assert "No deployment fits." in world.run("history", "--action", "repair").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--since", "1h", "--until", "2h"], "--since 1h is after --until 2h"),
        (["--since", "2999-01-01"], "still to come"),
        (["--revision", "main"], "not the beginning of a commit's SHA"),
        (["--before", "none"], "there is no deployment none"),
    ],
)
def test_history_refuses_what_cannot_be_meant(world: World, deployed: Origin, arguments: list[str], sentence: str):
    refused = world.run("history", *arguments, code=None)

    assert refused.returncode != 0
    assert sentence in refused.stderr


def test_history_says_how_to_see_the_next_page(world: World, past: list[str]):
    first = world.run("history", "--limit", "2")
    before = first.stderr.split()[-1]

    assert deployed_to(world, "--limit", "2", "--before", before) == [past[0]]
    assert world.run("history", "--before", before).stderr == ""


def test_history_with_events_tells_what_people_did_in_between(world: World, deployed: Origin):
    world.run("suspend", "shop", "production", "--reason", "the fair")
    world.run("resume", "shop", "production")
    world.push(deployed)
    world.run("deploy", "shop")

    rows = world.json("history", "--events", "--json")
    lines = world.run("history", "--events").stdout.splitlines()

    assert [row.get("event", "deployment") for row in rows] == ["deployment", "resumed", "suspended", "deployment"]
    assert rows[2]["message"] == "the fair" and rows[2]["by"]
    assert "suspended" in lines[3] and "the fair" in lines[3]
    assert "suspended" not in world.run("history").stdout


def test_a_repair_says_what_was_desired_and_what_was_found(world: World, deployed: Origin):
    pid = world.pid()
    os.kill(pid, signal.SIGKILL)
    world.until(lambda: not is_alive(pid))
    world.run("apply", "--yes")

    (repair,) = world.json("history", "--action", "repair", "--json")
    line = world.run("history", "--action", "repair").stdout.splitlines()[1]

    assert repair["status"] == "converged"
    assert "desired running, observed" in line


# --- stats -----------------------------------------------------------------------------------


def test_stats_count_deployments_failures_and_how_long_it_took(world: World, past: list[str]):
    (row,) = world.json("stats", "--json")
    heading, line = world.run("stats").stdout.splitlines()

    assert (row["deployments"], row["converged"], row["rolled_back"], row["window"]) == (3, 2, 1, "30d")
    assert row["average_lead_time_s"] is not None
    cells = dict(zip(heading.split("  "), line.split("  "), strict=False))
    assert cells["TARGET"] == "shop/production"
    assert "67 %" in line and "33 %" in line
    assert world.json("stats", "shop", "--window", "all", "--json")[0]["window"] == "all"


def test_stats_explain_their_columns(world: World):
    text = world.run("stats", "--help").stdout

    for heading in ("PER DAY", "SUCCESS", "LEAD TIME", "LONGEST", "FAILURES", "RESTORE", "REPAIRS"):
        assert sum(line.strip().startswith(heading) for line in text.splitlines()) == 1


def test_stats_of_nothing_say_so(world: World, origin: Origin):
    assert world.run("stats").stdout == "Nothing was deployed yet.\n"


# --- on a narrow terminal --------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["list"], ["status"], ["history", "--events"], ["stats"], ["status", "--at", "now"]]
)
def test_a_table_keeps_within_eighty_columns(world: World, deployed: Origin, arguments: list[str]):
    world.run("suspend", "shop", "--reason", "the database moves to another machine, which takes until the evening")

    with closing(Terminal(world, *arguments, columns=80)) as terminal:
        assert terminal.end() == 0

    assert "shop/production" in terminal.shown
    assert "…" not in terminal.shown
    assert max(map(len, terminal.lines)) <= 80
