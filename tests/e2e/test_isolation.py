"""One remote that hangs and one build that never ends, beside two hundred targets that are well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from benchmarks.silence import Silence, silence
from benchmarks.world import BRANCHES, git, standing_service
from benchmarks.world import World as Crowd
from tests.support.waiting import pids_with
from tests.support.world import World, fetch

pytestmark = pytest.mark.slow

WELL = 200
REPOSITORIES = 4


@dataclass(frozen=True, slots=True)
class Beset:
    """`crowd` has `WELL` targets in sync, whose services are one process, and as many as there are per
    repository that come from a remote that never answers. `world` runs the daemon on it.
    """

    world: World
    crowd: Crowd
    quiet: Silence

    def sync_of_the_well(self) -> list[tuple[str, str]]:
        """Of all that comes from the crowd's other remotes: `sync`, and why."""
        declared = self.world.document["fraises"]
        remotes = set(self.crowd.declared_remotes[1:])
        rows = [row for row in self.world.rows() if declared[row["fraise"]]["repository"] in remotes]
        return [(row["sync"], row["reason"]["code"]) for row in rows]

    def delete_branches(self) -> None:
        for remote in self.crowd.remotes[1:]:
            for branch in BRANCHES:
                git(remote, "update-ref", "-d", f"refs/heads/{branch}")


@pytest.fixture
def beset(world: World, tmp_path: Path) -> Iterator[Beset]:
    with silence() as quiet, standing_service() as pid:
        each = WELL // REPOSITORIES
        crowd = Crowd(tmp_path / "crowd", WELL + each, REPOSITORIES + 1, quiet.remote)
        crowd.build(pid, poll="500ms")
        world.config_path, world.store = crowd.config, crowd.state
        world.document = yaml.safe_load(crowd.config.read_text())
        try:
            yield Beset(world, crowd, quiet)
        finally:
            world.close()  # before what it watches ends


def test_a_push_is_deployed_and_all_others_are_looked_at_while_a_remote_and_a_build_hang(
    beset: Beset,
) -> None:
    world, quiet = beset.world, beset.quiet
    origin = world.origin()
    world.origin("building", files={"build.sh": "sleep 1031\n"})
    world.fraise("building", build=["sh build.sh"])
    world.fraise()
    world.start_daemon()
    quiet.take()  # from here on it hangs
    world.converges(origin.head(), seconds=60)
    world.until(lambda: pids_with("sleep\x001031"), seconds=60)
    world.until(lambda: beset.sync_of_the_well() == [("in_sync", "in_sync")] * WELL, seconds=60)
    hanging = pids_with(quiet.remote)

    pushed = world.push(origin)
    beset.delete_branches()
    world.converges(pushed, seconds=60)
    world.until(lambda: beset.sync_of_the_well() == [("held", "branch_missing")] * WELL, seconds=60)

    assert (fetch(world.url("/healthz")) or (0,))[0] == 200
    assert world.row("building")["operation"] == "running"
    assert hanging
    assert pids_with(quiet.remote) == hanging
    quiet.insist_somebody_waits()
