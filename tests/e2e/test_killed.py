"""Law 8: `kill -9` of the daemon at every point of a deployment, and at any moment.

Every kill is followed by a start that converges; throughout, `current` never dangles and the
service answers with the old or the new SHA.
"""

from __future__ import annotations

import random
import sys
import threading
from pathlib import Path

import pytest

from tests.support.gitrepo import Origin
from tests.support.waiting import is_alive
from tests.support.world import Watcher, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

LAUNCHER = Path(__file__).parents[1] / "support" / "killing_daemon.py"
NEVER = "never"
PARTS = 3
"""The points are dealt to so many tests, which run beside each other."""


class Killing:
    """A world whose daemon kills itself where it is told to."""

    def __init__(self, world: World, **health: str) -> None:
        self.world = world
        self.program = (sys.executable, str(LAUNCHER), str(world.folder))
        self.arm_file = world.folder / "arm"
        self.passed_file = world.folder / "passed"
        self.origin: Origin = world.origin()
        world.document["git"]["poll"] = "100ms"
        world.document["server"]["crash_limit"] = 0  # it is what is tried here
        build = ["sh -c 'sleep 1000 & echo building'"]  # what it leaves behind has to go, too
        world.fraise(build=build, keep_releases=2, health_check={"healthy_for": "60ms", "interval": "20ms", **health})
        self.start()
        self.good = self.origin.head()
        world.converges(self.good)

    def start(self) -> None:
        self.world.start_daemon(program=self.program)

    def arm(self, fault: str) -> None:
        draft = self.world.folder / "arm.draft"
        draft.write_text(fault)
        draft.rename(self.arm_file)

    def disarm(self) -> None:
        self.arm_file.unlink(missing_ok=True)

    def deploy(self, mode: str) -> str:
        """Pushes a revision and waits until it is live, or (a bad one) is left again and quarantined."""
        sha = self.world.push(self.origin, mode=mode)
        self.ends(sha, mode)
        return sha

    def ends(self, sha: str, mode: str) -> None:
        if mode == "ok":
            self.good = sha
            self.world.converges(sha)
        else:
            self.world.until(lambda: self.world.is_held("quarantined") and self.world.is_quarantined(sha))
            self.world.until(lambda: self.world.served() == self.good)

    def points(self, mode: str) -> list[str]:
        """Every fault point that a deployment of such a revision passes."""
        self.arm(NEVER)
        self.deploy(mode)
        self.disarm()
        found = self.passed_file.read_text().splitlines()
        assert any("close_attempt" in point for point in found)
        return sorted(set(found), key=found.index)

    def die_at(self, fault: str, mode: str) -> None:
        """One round: a push, a kill at `fault`, a start, and everything is well."""
        world, old = self.world, self.good
        self.arm(fault)
        with Watcher(world) as watcher:
            sha = world.push(self.origin, mode=mode)
            daemon = world.daemon
            assert daemon is not None
            world.until(lambda: daemon.poll() is not None, what=f"the kill {fault}")
            opened = world.open_attempts()
            assert opened <= 1
            self.start()
            self.ends(sha, mode)
        assert watcher.dangling == []
        assert set(watcher.answers) <= {old, sha if mode == "ok" else old}
        assert world.open_attempts() == 0
        assert [row for row in world.history() if row["status"] == "running"] == []
        assert self.interruptions() >= opened
        assert world.current() == self.good
        self.no_child_is_left()

    def interruptions(self) -> int:
        sha = self.origin.head()
        sql = (
            "SELECT count(*) FROM tb_deployment_events AS e JOIN tb_deployments AS d ON"
            " d.pk_deployment = e.fk_deployment WHERE e.kind = 'attempt_closed' AND d.to_revision IN (?, ?)"
            " AND json_extract(e.data, '$.outcome') = 'interrupted'"
        )
        return int(self.world.ask(sql, sha, self.good)[0][0])

    def no_child_is_left(self) -> None:
        """Besides the daemon and the service nothing works in the folder, once the daemon is idle."""
        daemon = self.world.daemon
        assert daemon is not None
        kept = {daemon.pid, self.world.pid()}
        self.world.until(lambda: set(self.world.processes()) <= kept, what="the end of all children")


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("mode", ["ok", "500"])
def test_a_kill_before_or_after_any_step_converges_after_the_next_start(world: World, mode: str, part: int):
    killing = Killing(world, **({} if mode == "ok" else {"deadline": "150ms"}))
    killing.deploy("ok")  # as many releases as are kept, so that the next one prunes
    killing.deploy("ok")
    points = killing.points(mode)
    if mode != "ok":  # up to its health gate it is a deployment like another
        points = points[next(n for n, point in enumerate(points) if "gate_opened" in point) :]
    assert len(points) >= 30
    assert any("step_started health" in point for point in points)

    for fault in points[part::PARTS]:
        killing.die_at(fault, mode)


def test_a_kill_at_any_moment_converges_after_the_next_start(world: World):
    killing = Killing(world)
    chance = random.Random(20260102)

    for _ in range(12):
        old = killing.good
        with Watcher(world) as watcher:
            sha = world.push(killing.origin, mode="ok")
            threading.Event().wait(chance.uniform(0.02, 0.7))
            world.kill_daemon()
            assert world.open_attempts() <= 1
            killing.start()
            killing.ends(sha, "ok")
        assert watcher.dangling == []
        assert set(watcher.answers) <= {old, sha}
        killing.no_child_is_left()


def test_what_a_build_was_doing_when_the_daemon_was_killed_is_ended_by_the_next_one(world: World):
    origin = world.origin()
    world.fraise(build=["sh build.sh"])
    script = "sleep 1001 & setsid sleep 1002 & echo $$ > pid; wait\n"
    world.push(origin, files={"build.sh": script})
    world.start_daemon()
    pid_file = world.app_path() / "releases" / origin.head() / "pid"
    world.until(lambda: pid_file.exists() and pid_file.read_text().strip())
    pid = int(pid_file.read_text())
    world.kill_daemon()
    assert is_alive(pid), "a killed daemon cannot end its build"

    fixed = world.push(origin, files={"build.sh": "true\n"})
    world.start_daemon()

    world.converges(fixed)
    assert not is_alive(pid)
    assert sorted(world.processes()) == sorted([world.daemon.pid, world.pid()])  # type: ignore[union-attr]
    outcomes = [row["status"] for row in world.history()]
    assert outcomes == ["converged", "interrupted"]


def test_a_daemon_that_is_killed_in_a_health_gate_goes_on_with_the_deadline_that_was_stored(world: World):
    origin = world.origin()
    world.fraise(health_check={"deadline": "4s", "interval": "50ms"})
    world.start_daemon()
    world.converges(origin.head())
    world.push(origin, mode="500")
    world.until(lambda: world.ask("SELECT 1 FROM tb_deployment_events WHERE kind = 'note' AND message LIKE '%500%'"))

    world.kill_daemon()
    world.start_daemon()
    world.until(lambda: world.is_held("quarantined"))

    sql = "SELECT json_extract(data, '$.deadline_at') FROM tb_deployment_events WHERE kind = 'gate_opened'"
    first, second, *rest = [row[0] for row in world.ask(sql)][1:]
    assert first == second
    assert len(rest) == 1  # the gate of the return
