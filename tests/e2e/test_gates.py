"""What keeps a plan from running, and how people end it, with a daemon at work."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.gitrepo import Origin
from tests.support.world import World


def _running(world: World, **environment: object) -> tuple[Origin, str]:
    origin = world.origin()
    world.fraise(**environment)
    world.start_daemon()
    world.converges(origin.head())
    return origin, origin.head()


def test_a_suspended_server_does_nothing_until_it_is_resumed(world: World):
    origin, first = _running(world)
    world.run("suspend", "--all", "--reason", "release night")
    newer = world.push(origin)

    world.until(lambda: world.is_held("suspended"))

    assert world.served() == first
    assert "release night" in world.row()["reason"]["message"]
    assert world.row()["to_go_on"] == "fraisier resume --all"
    assert world.run("deploy", "shop", code=2).stdout.startswith("held")
    world.run("resume", "shop/production", code=2)  # it is not what is suspended
    assert world.served() == first
    world.run("resume", "--all")
    world.converges(newer)


def test_a_suspension_ends_by_itself_without_a_poll(world: World):
    world.document["git"]["poll"] = "1h"
    origin, _ = _running(world)
    world.run("suspend", "shop", "--reason", "a moment", "--for", "2s")
    newer = world.push(origin)
    world.run("deploy", "shop", code=2)

    world.converges(newer)


def test_a_frozen_friday_holds_deployments_and_an_emergency_passes(world: World):
    origin, first = _running(world)
    world.document["windows"] = {"freeze": {"kind": "deny", "timezone": "Europe/Paris"}}
    world.document["fraises"]["shop"]["environments"]["production"]["deploy"] = {"windows": ["freeze"]}
    world.write()
    newer = world.push(origin)

    world.until(lambda: world.is_held("window"))

    assert world.served() == first
    assert "freeze" in world.row()["reason"]["message"]
    assert "--emergency" in world.row()["to_go_on"]
    world.run("deploy", "shop", "--emergency", "CVE-2026-1")
    world.converges(newer)
    newest = world.push(origin)
    world.until(lambda: world.row()["desired"] == newest and world.is_held("window"))
    assert world.served() == newer


@pytest.mark.slow
def test_an_allow_window_opens_by_itself(world: World):
    """The minute that comes next; nothing polls meanwhile."""
    world.document["git"]["poll"] = "1h"
    origin = world.origin()
    opens = (datetime.now(UTC) + timedelta(minutes=1)).replace(second=0, microsecond=0)
    closes = opens + timedelta(hours=1)
    window = {"from": f"{opens:%H:%M}", "to": f"{closes:%H:%M}", "timezone": "UTC"}
    world.document["windows"] = {"soon": window}
    world.fraise(deploy={"windows": ["soon"]})
    world.start_daemon()
    world.until(lambda: world.is_held("window") or world.is_in_sync(origin.head()))

    world.converges(origin.head(), seconds=90)

    assert datetime.now(UTC) >= opens


def test_a_deployment_waits_for_approval_of_just_that(world: World):
    origin, first = _running(world)
    world.document["fraises"]["shop"]["environments"]["production"]["deploy"] = {"approval": "required"}
    world.write()
    world.push(origin)
    world.until(lambda: world.is_held("approval"))
    (waiting,) = [action["hash"] for action in world.json("plan", "--format", "json")["actions"]]
    newer = world.push(origin)
    world.until(lambda: world.row()["desired"] == newer and world.is_held("approval"))

    refused = world.run("approve", "shop", "--hash", waiting, code=2)

    assert "moved" in refused.stderr
    assert world.served() == first
    world.run("approve", "shop")
    world.converges(newer)
    world.run("approve", "shop", code=2)


def test_a_pin_holds_against_the_branch_and_its_end_follows_it(world: World):
    origin, first = _running(world)
    second = world.push(origin)
    world.converges(second)

    world.run("pin", "shop", first[:8], "--reason", "the new one is slow")
    newest = world.push(origin)

    world.until(lambda: world.served() == first and world.row()["sync"] == "in_sync")
    assert world.row()["override"]["kind"] == "pin"
    assert "the new one is slow" in world.run("plan").stdout
    assert "the new one is slow" in world.run("status", "shop").stdout
    world.run("unpin", "shop")
    world.converges(newest)
    assert world.row()["override"] is None


def test_a_trial_follows_its_branch_and_returns_by_itself(world: World):
    world.document["git"]["poll"] = "1h"
    origin, first = _running(world)
    origin.git("checkout", "-q", "-b", "fix-x")
    tried = world.push(origin)
    origin.git("checkout", "-q", "main")

    world.run("try", "shop", "--ref", "fix-x", "--ttl", "3s")

    assert world.served() == tried
    assert world.row()["override"]["kind"] == "try"
    world.converges(first)
    assert "has ended" in world.history()[0]["message"]


def test_a_trial_that_fails_returns_and_is_held_until_it_ends(world: World):
    origin, first = _running(world, health_check={"deadline": "1s"})
    origin.git("checkout", "-q", "-b", "fix-x")
    bad = world.push(origin, mode="500")
    origin.git("checkout", "-q", "main")

    world.run("try", "shop", "--ref", "fix-x", "--ttl", "1h", code=1)

    world.until(lambda: world.is_held("quarantined"))
    assert world.served() == first
    assert world.is_quarantined(bad)
    world.run("unpin", "shop")
    world.until(lambda: world.is_in_sync(first))


def test_tags_are_followed_by_version(world: World):
    origin = world.origin()
    origin.git("tag", "v1.2.0")
    first = origin.head()
    world.fraise(branch=None, tag="v1.*")
    del world.document["fraises"]["shop"]["environments"]["production"]["branch"]
    world.write()
    world.start_daemon()
    world.converges(first)
    second = world.push(origin)
    origin.git("tag", "-a", "-m", "1.10", "v1.10.0")
    world.converges(second)
    third = world.push(origin)
    origin.git("tag", "v2.0.0")
    origin.git("tag", "v1.11.0-rc.1")
    before = len(world.events())
    world.run("deploy", "shop")
    assert world.served() == second != third

    origin.git("tag", "-d", "v1.10.0")

    world.until(lambda: world.is_held("rewind"))
    assert world.served() == second
    assert len(world.events()) >= before
    assert world.row()["to_go_on"].endswith(f"--allow-rewind {first}")


def test_a_force_push_is_held_until_it_is_accepted_by_name(world: World):
    origin, first = _running(world)
    second = world.push(origin)
    world.converges(second)
    origin.git("reset", "-q", "--hard", first)
    rewritten = world.push(origin, mode="ok", again=1)

    world.until(lambda: world.is_held("rewind"))

    assert world.served() == second
    for said in (world.run("plan").stdout, world.run("explain", "shop").stdout, world.run("status", "shop").stdout):
        assert f"--allow-rewind {rewritten}" in said.replace("\n", " ")
    world.run("deploy", "shop", "--allow-rewind", rewritten)
    world.converges(rewritten)


def test_an_unsigned_commit_advances_nothing(world: World):
    key = world.folder / "signer"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signers = world.folder / "signers"
    signers.write_text(f"ann@example.com {key.with_suffix('.pub').read_text()}")
    origin = world.origin()
    for name, value in (("gpg.format", "ssh"), ("user.signingkey", str(key)), ("commit.gpgsign", "true")):
        origin.git("config", name, value)
    first = world.push(origin)
    world.fraise(verify={"ssh_allowed_signers": str(signers)})
    world.start_daemon()
    world.converges(first)
    origin.git("config", "commit.gpgsign", "false")
    unsigned = world.push(origin)

    world.until(lambda: world.is_held("signature"))

    assert world.served() == first
    assert world.row()["healthy"] == first
    assert not world.is_quarantined(unsigned)
    assert str(signers) in world.row()["to_go_on"]
    origin.git("config", "commit.gpgsign", "true")
    origin.git("reset", "-q", "--hard", first)
    signed = world.push(origin, again=2)  # takes the unsigned one out: no rewind of what is deployed
    world.converges(signed)


def test_a_cancelled_attempt_ends_and_is_not_begun_again(world: World):
    origin, first = _running(world, health_check={"deadline": "60s"})
    bad = world.push(origin, mode="500")
    world.until(
        lambda: (
            world.row()["operation"] == "running"
            and world.ask("SELECT 1 FROM tb_deployment_events WHERE kind = 'gate_opened' AND message = '' LIMIT 1")
        )
    )
    world.until(lambda: (world.get() or (0,))[0] == 500)

    world.run("cancel", "shop")

    world.until(lambda: world.is_held("quarantined") and world.served() == first)
    assert world.is_quarantined(bad)
    assert "cancelled by" in world.row()["reason"]["message"]
    world.run("cancel", "shop", code=2)
    newer = world.push(origin)
    world.converges(newer)


def test_a_command_at_work_without_a_daemon_can_be_cancelled(world: World):
    origin = world.origin()
    world.fraise(health_check={"deadline": "60s"})
    world.run("apply", "--yes")
    bad = world.push(origin, mode="500")
    working = world.start("deploy", "shop")
    world.until(lambda: (world.get() or (0,))[0] == 500)

    world.run("cancel", "shop")

    assert working.wait(20) == 1
    assert world.is_quarantined(bad)


def test_a_pin_to_a_tag_stays_where_the_tag_was(world: World):
    origin = world.origin()
    first = origin.head()
    origin.git("tag", "v1.0.0")
    world.fraise()
    world.start_daemon()
    world.converges(first)
    second = world.push(origin)
    world.converges(second)

    world.run("pin", "shop", "v1.0.0")
    origin.git("tag", "--force", "v1.0.0", second)
    world.run("deploy", "shop")

    assert world.served() == first
    assert world.row()["override"]["reason"] == "v1.0.0"


def test_a_stopped_target_is_held_for_who_wants_it_deployed(world: World):
    origin, _ = _running(world)
    world.run("suspend", "shop/production", "--stop", "--reason", "moving")

    told = world.run("deploy", "shop", code=2).stdout

    assert "fraisier resume shop/production" in told
    assert world.run("suspend", "shop/production", "--stop", "--reason", "again").returncode == 0
    assert origin.head()
