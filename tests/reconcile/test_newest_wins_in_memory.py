"""Newest wins, within one tick of the real daemon; what was bad stays left."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from fraisier.model.errors import Transient
from fraisier.testing import Behaviour
from tests.reconcile.in_memory import InMemory, deployed, play


def test_a_fix_passes_by_a_revision_that_waits_for_its_health(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        await deployed(memory)
        bad = memory.push("bad", Behaviour.UNHEALTHY)
        await memory.tick()
        await memory.until(lambda: memory.is_in_gate(bad))

        good = memory.push("good")
        await memory.tick()
        await memory.settle()

        assert memory.serving() == good
        assert memory.store.recorded(memory.target.id).quarantines == ()
        assert [row["outcome"] for row in memory.store.history_rows(limit=2)] == ["converged", "superseded"]

    play(tmp_path, scene)


def test_a_fix_passes_by_a_revision_that_backs_off(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        await deployed(memory)
        memory.push("b")
        memory.host.faults.arm(1, "before", lambda: Transient("the remote hung up", code="remote_unreachable"))
        memory.host.commands.script = _fails
        await memory.tick()
        await memory.until(lambda: memory.status()["reason"]["code"] == "back_off")
        memory.host.faults.disarm()
        memory.host.commands.script = None

        good = memory.push("good")
        await memory.tick()
        await memory.settle()

        assert memory.serving() == good

    play(tmp_path, scene)


def _fails(*_: object) -> NoReturn:
    raise Transient("the disk is busy", code="host_error")


def test_a_branch_that_returns_to_what_is_live_deploys_nothing(tmp_path: Path) -> None:
    """A → B, which does not build → A."""

    async def scene(memory: InMemory) -> None:
        old = await deployed(memory)
        starts = len(memory.host.services.starts)
        bad = memory.push("bad", Behaviour.WONT_BUILD)
        await memory.tick()
        await memory.settle()
        assert memory.status()["reason"]["code"] == "quarantined"

        memory.host.git.remote(memory.target.remote).branches["main"] = old
        await memory.tick()
        await memory.settle()

        assert memory.status()["sync"] == "in_sync"
        assert (memory.serving(), len(memory.host.services.starts)) == (old, starts)
        assert bad not in {start.sha for start in memory.host.services.starts}

    play(tmp_path, scene)


@pytest.mark.parametrize("behaviour", [Behaviour.WONT_BUILD, Behaviour.ENDS])
def test_a_bad_revision_is_not_tried_again_after_another_one(tmp_path: Path, behaviour: Behaviour) -> None:
    """Bad → other → bad: still in quarantine, also for a daemon that was started anew."""

    async def scene(memory: InMemory) -> None:
        await deployed(memory)
        bad = memory.push("bad", behaviour)
        await memory.tick()
        await memory.settle()
        other = memory.push("other")
        await memory.tick()
        await memory.settle()
        assert memory.serving() == other
        rows = len(memory.store.history_rows(limit=100))

        memory.host.git.remote(memory.target.remote).branches["main"] = bad
        for _ in range(3):
            await memory.tick()
            await memory.settle()

        assert memory.status()["reason"]["code"] == "quarantined"
        assert memory.serving() == other
        assert len(memory.store.history_rows(limit=100)) == rows

    play(tmp_path, scene)
