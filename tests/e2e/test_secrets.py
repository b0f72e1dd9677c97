"""Canaries: secret values reach the service and its build, and nothing that others may read (law 18)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.support.world import World

pytestmark = pytest.mark.slow

FROM_ENV = "canary-7f3e9a1b-env"
FROM_FILE = "canary-2c8d4e6f-file"


def leaks(folder: Path, private: Path) -> list[str]:
    """Files with a canary in them, apart from those in `private` that only their owner may read."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if FROM_ENV.encode() not in content and FROM_FILE.encode() not in content:
            continue
        is_private = private in path.parents and stat.S_IMODE(path.stat().st_mode) == 0o600
        if not is_private:
            found.append(str(path))
    return found


def command_lines() -> str:
    texts = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                texts.append(Path(f"/proc/{name}/cmdline").read_bytes().decode(errors="replace"))
            except OSError:
                continue
    return "\n".join(texts)


def test_secret_values_are_nowhere_but_in_the_service(world: World, tmp_path: Path):
    secret = tmp_path / "elsewhere" / "secret"
    secret.parent.mkdir()
    secret.write_text(f"{FROM_FILE}\n")
    secret.chmod(0o600)
    script = 'echo "using $DB_PASSWORD and $API_KEY"\ntest -z "$FAIL" || exit 1\nsleep "${PAUSE:-0}"\n'
    origin = world.origin(files={"build.sh": script})
    env = {"DB_PASSWORD": "${DB_PASSWORD}", "API_KEY": {"file": str(secret)}, "PLAIN": "visible"}
    declared = world.fraise(build=["sh build.sh"], env=env, health_check={"deadline": "1s"})
    world.env["DB_PASSWORD"] = FROM_ENV
    said: list[str] = []

    world.start_daemon()
    world.converges(origin.head())
    seen = (world.get(path="/env") or (0, {}))[1]
    assert seen["DB_PASSWORD"] == FROM_ENV
    assert seen["API_KEY"].strip() == FROM_FILE
    assert seen["PLAIN"] == "visible"
    said.append(command_lines())

    declared["env"]["PAUSE"] = "1"
    world.write()
    world.until(lambda: world.row()["operation"] == "running")
    said.append(command_lines())
    world.until(lambda: world.history()[0]["action"] == "reconfigure" and world.history()[0]["status"] == "converged")

    bad = world.push(origin, files={"build.sh": "echo $DB_PASSWORD $API_KEY; exit 1\n"})
    world.until(lambda: world.is_quarantined(bad))
    for verb in (
        ["plan"],
        ["plan", "--json"],
        ["--verbose", "plan"],
        ["plan", "--format", "markdown"],
        ["status"],
        ["status", "--json"],
        ["status", "shop"],
        ["history"],
        ["history", "--json"],
        ["explain", "shop"],
        ["explain", "shop", "--json"],
        ["logs", "shop"],
        ["list", "--json"],
        ["validate"],
    ):
        done = world.run(*verb, code=None)
        said += [done.stdout, done.stderr]
    retried = world.run("retry", "shop", code=1)
    said += [retried.stdout, retried.stderr]
    world.stop_daemon()
    said.append(world.tail())
    alone = world.run("retry", "shop", code=1)
    said += [alone.stdout, alone.stderr]

    text = "\n".join(said) + world.log.read_text()
    assert "visible" not in command_lines()
    assert FROM_ENV not in text
    assert FROM_FILE not in text
    notes = world.app_path() / ".fraisier"
    assert stat.S_IMODE(notes.stat().st_mode) == 0o700
    assert leaks(world.state_dir, world.state_dir / "none") == []
    assert leaks(world.app_path(), notes) == []


def test_what_the_service_wrote_is_shown_without_secrets(world: World):
    origin = world.origin()
    world.fraise(env={"PASSWORD": "${DB_PASSWORD}"})
    world.env["DB_PASSWORD"] = "at work"  # what the service prints when it starts
    world.start_daemon()
    world.converges(origin.head())

    assert "ok ***" in world.run("logs", "shop", "--service").stdout


def test_a_password_in_a_remotes_url_is_never_shown(world: World):
    world.fraise(repository=f"https://user:{FROM_ENV}@127.0.0.1:1/shop.git")
    world.start_daemon()
    world.until(lambda: world.events("remote.failed") or world.row())

    said = [world.run(*verb, code=None) for verb in (["plan"], ["plan", "--json"], ["status"], ["explain", "shop"])]
    world.stop_daemon()

    for done in said:
        assert FROM_ENV not in done.stdout + done.stderr
    assert FROM_ENV not in world.log.read_text()
    assert leaks(world.state_dir, world.state_dir / "none") == []
