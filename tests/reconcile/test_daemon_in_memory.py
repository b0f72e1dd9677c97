"""What the parts of the daemon do together, on a machine in memory: cancelling, arranging, waiting, removing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from fraisier.model.config import ApiTarget
from fraisier.model.names import Scope
from fraisier.testing import Behaviour, config_of
from tests.reconcile.in_memory import InMemory, deployed, play, quick

BLOG = quick("blog/production")


# -- cancel


def test_what_runs_is_cancelled_left_in_the_persons_name_and_returned_from_at_once(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        old = await deployed(memory)
        bad = memory.push("bad", Behaviour.UNHEALTHY)
        await memory.tick()
        await memory.until(lambda: memory.is_in_gate(bad))

        cancelled = await memory.ask("cancel")
        await memory.until(lambda: memory.serving() == old)
        await memory.settle()

        assert await memory.answer(cancelled) == ("done", "shop/production ends before its next step")
        quarantined = memory.store.recorded(memory.target.id).quarantines
        assert [(entry.sha, entry.fault, entry.message) for entry in quarantined] == [
            (bad, "person", "cancelled by ann")
        ]
        outcomes = [(row["action"], row["outcome"]) for row in memory.store.history_rows(limit=2)]
        assert outcomes == [("roll_back", "converged"), ("deploy", "interrupted")]

    play(tmp_path, scene)


def test_a_request_whose_attempt_is_cancelled_is_told_so(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        await deployed(memory)
        bad = memory.push("bad", Behaviour.UNHEALTHY)
        asked = await memory.ask("deploy")
        await memory.until(lambda: memory.is_in_gate(bad))

        await memory.ask("cancel")

        assert await memory.answer(asked) == ("failed", "cancelled by ann")

    play(tmp_path, scene)


def test_with_nothing_at_work_a_cancellation_is_refused(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        await deployed(memory)

        state, message = await memory.answer(await memory.ask("cancel"))

        assert (state, message.splitlines()[0]) == ("refused", "nothing is being done to shop/production")

    play(tmp_path, scene)


# -- suspensions


def test_everything_is_suspended_at_once_and_what_is_resumed_wakes(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        first = memory.push("x", to=BLOG)
        old = await deployed(memory)
        suspended = await memory.ask("suspend", {"reason": "an audit"}, Scope())
        assert memory.store.request_state(suspended)[0] == "done", "answered at once"
        new, second = memory.push("b"), memory.push("y", to=BLOG)
        await memory.tick()
        await memory.settle()
        assert (memory.serving(), memory.serving(BLOG)) == (old, first)
        assert memory.status(BLOG.id)["reason"]["code"] == "suspended"

        resumed = await memory.ask("resume", scope=Scope())
        await memory.settle()

        assert memory.store.request_state(resumed)[0] == "done"
        assert (memory.serving(), memory.serving(BLOG)) == (new, second), "nobody ticked"

    play(tmp_path, scene, quick(), BLOG)


def test_a_suspension_that_stops_is_answered_when_it_has_stopped(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        await deployed(memory)

        asked = await memory.ask("suspend", {"reason": "an audit", "stop": True})

        assert (await memory.answer(asked))[0] == "done"
        assert memory.serving() is None

    play(tmp_path, scene)


def test_one_fraise_is_suspended_and_the_others_go_on(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        memory.push("x", to=BLOG)
        old = await deployed(memory)
        await memory.ask("suspend", {"reason": "an audit"}, Scope("shop"))
        memory.push("b")
        blog = memory.push("y", to=BLOG)

        await memory.tick()
        await memory.settle()

        assert (memory.serving(), memory.serving(BLOG)) == (old, blog)

    play(tmp_path, scene, quick(), BLOG)


def test_what_nobody_configured_cannot_be_suspended(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        asked = await memory.ask("suspend", {"reason": "x"}, Scope("nothing"))

        assert memory.store.request_state(asked)[0] == "refused"
        assert memory.store.suspensions() == []

    play(tmp_path, scene)


# -- trials


def test_a_trial_that_is_over_wakes_its_target_without_a_poll(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        main = await deployed(memory)
        tried = memory.push("fix", branch="fix-x", onto=main)
        until = memory.host.clock.now() + timedelta(seconds=0.3)
        trial = {"kind": "branch", "value": "fix-x", "try": True, "until": until.isoformat()}
        assert (await memory.answer(await memory.ask("pin", trial)))[0] == "done"
        assert memory.serving() == tried

        memory.host.clock.advance(1)
        await memory.until(lambda: memory.serving() == main)

        await memory.settle()
        assert memory.status()["sync"] == "in_sync"

    play(tmp_path, scene)


# -- dependencies


def test_a_dependant_wakes_when_what_it_waits_for_is_healthy(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        bad = memory.push("bad", Behaviour.WONT_BUILD)
        waiting = memory.push("x", to=memory.targets[1])
        await memory.tick()
        await memory.settle()
        assert memory.status(BLOG.id)["reason"]["code"] == "dependency"
        good = memory.push("good", onto=bad)

        await memory.answer(await memory.ask("deploy"))
        await memory.until(lambda: memory.serving(memory.targets[1]) == waiting)

        assert memory.serving() == good

    play(tmp_path, scene, quick(), replace(BLOG, depends_on=(quick().id,)))


# -- removals


def _configure(memory: InMemory, *targets: ApiTarget) -> None:
    in_force = memory.daemon.in_force
    memory.daemon.in_force = replace(in_force, config=config_of(*targets))


def test_what_left_the_configuration_is_removed_when_a_person_asks(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        blog = memory.push("x", to=BLOG)
        shop = await deployed(memory)
        assert memory.serving(BLOG) == blog
        _configure(memory, memory.target)
        await memory.tick()
        await memory.settle()
        assert memory.serving(BLOG) == blog, "nothing is removed by itself"

        told = await memory.answer(await memory.ask("deploy", scope=Scope.of(BLOG.id)))
        removed = await memory.answer(await memory.ask("remove", scope=Scope.of(BLOG.id)))
        again = await memory.answer(await memory.ask("remove", scope=Scope.of(BLOG.id)))

        assert told[0] == "refused"
        assert removed == ("done", "removed; shared/ and data are left")
        assert (memory.serving(), memory.serving(BLOG)) == (shop, None)
        assert again[0] == "refused"
        assert "nothing of blog/production is left" in again[1]

    play(tmp_path, scene, quick(), BLOG)


def test_what_is_configured_is_not_removed(tmp_path: Path) -> None:
    async def scene(memory: InMemory) -> None:
        sha = await deployed(memory)

        state, message = await memory.answer(await memory.ask("remove"))

        assert (state, message.splitlines()[0]) == ("refused", "shop/production has not left the configuration")
        assert memory.serving() == sha

    play(tmp_path, scene)
