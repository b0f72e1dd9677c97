"""A look at a thousand targets that finds nothing to do."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from fraisier.daemon.answers import Answers
from fraisier.daemon.assembly import Assembly
from fraisier.daemon.surveyor import INSPECTED_EVERY, Surveyor
from fraisier.host.interrupt import Interruption
from fraisier.model.names import TargetId
from fraisier.model.state import Inspection, Unknown
from fraisier.reconcile.look import Eyes
from fraisier.reconcile.loop import Loop
from fraisier.sources.exits import ExitWatch

from .figures import Effort, Figure, Row
from .timing import median, ratio
from .world import BRANCHES, FILES, GIT, World, standing_service


def measure(effort: Effort) -> Row:
    with tempfile.TemporaryDirectory() as folder, standing_service() as pid:
        world = World(Path(folder) / "world", effort.pick(1000, 40), effort.pick(50, 5))
        world.build(pid)
        return asyncio.run(_measure(world, effort.pick(6, 1)))


@dataclass(slots=True)
class _Ticks:
    """Some ticks, each beside its baselines."""

    ours: list[_Cost] = field(default_factory=list)
    alone: list[_Cost] = field(default_factory=list)
    crowd: list[_Cost] = field(default_factory=list)


async def _measure(world: World, rounds: int) -> Row:
    """A round has one tick with a look into the releases, and all those until the next."""
    assembly = world.assemble()
    surveyor, listing = surveyor_of(assembly), _Listing(world)
    plain, inspecting = _Ticks(), _Ticks()
    await survey(surveyor)  # reads every layout and release once, as the first poll does
    for number in range(1, rounds * INSPECTED_EVERY + 1):
        ticks = plain if number % INSPECTED_EVERY else inspecting
        ticks.ours.append(await survey(surveyor))
        ticks.alone.append(listing.one_after_another())
        ticks.crowd.append(listing.sixteen_at_a_time())
    surveyor.close()
    insist_in_sync(assembly)
    assembly.store.close()
    return _row(world, plain, inspecting)


class _Cost:
    """Of everything between two moments, children included."""

    def __init__(self) -> None:
        self._begin, self._times, self._children = time.perf_counter(), os.times(), _spawned()
        self.wall = self.cpu = self.children = 0.0

    def stop(self) -> _Cost:
        self.wall = time.perf_counter() - self._begin
        self.cpu = sum(os.times()[:4]) - sum(self._times[:4])
        self.children = _spawned() - self._children
        return self


_SPAWNED = [0]


def _count(event: str, _: object) -> None:
    if event in {"subprocess.Popen", "os.fork", "os.posix_spawn"}:
        _SPAWNED[0] += 1


sys.addaudithook(_count)


def _spawned() -> int:
    """Processes started by this process so far, however they were started."""
    return _SPAWNED[0]


def surveyor_of(
    assembly: Assembly, *, looked: Callable[[Iterable[TargetId]], None] = lambda _: None, ticks: int = 0
) -> Surveyor:
    """As the daemon wires it, after so many `ticks`; its loop has no work, since nothing is to be done.

    `looked` is told on a worker's thread whose status was just written.
    """
    inspections: dict[TargetId, Inspection | Unknown] = {}

    def eyes() -> Eyes:
        return Eyes(assembly.host, assembly.store, assembly.config, {}, inspections)

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a target wants something although all are in sync")

    loop = Loop(
        config=lambda: assembly.config,
        has_to_ask=refuse,
        ask=refuse,
        cycle=refuse,
        interrupt=Interruption,
        clock=assembly.host.clock,
        workers=1,
        ended=refuse,
        leave=refuse,
    )
    exits = ExitWatch(refuse)
    return Surveyor(
        host=assembly.host,
        store=assembly.store,
        loop=loop,
        exits=exits,
        config=lambda: assembly.config,
        eyes=eyes,
        answers=Answers(eyes),
        probes={},
        inspections=inspections,
        report=refuse,
        jitter=lambda: 0.5,
        looked=looked,
        store_answers=lambda _: None,
        _ticks=ticks,
    )


async def survey(surveyor: Surveyor) -> _Cost:
    """One tick, and everything that it begins, to the end."""
    cost = _Cost()
    await surveyor.tick()
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
    return cost.stop()


def insist_in_sync(assembly: Assembly) -> None:
    found = {row["sync"] for row in assembly.store.status_rows()}
    if found != {"in_sync"}:
        raise AssertionError(f"the survey found {found} where everything is in sync")


class _Listing:
    """The baseline: what anybody would do who only wants to know the heads."""

    def __init__(self, world: World) -> None:
        remotes = " ".join(str(remote) for remote in world.remotes)
        ask = f"git ls-remote --heads --quiet -- {{}} {' '.join('refs/heads/' + branch for branch in BRANCHES)}"
        self._in_turn = f"for remote in {remotes}; do {ask.format('$remote')}; done"
        self._crowd = f"printf '%s\\n' {remotes} | xargs -P 16 -I@ {ask.format('@')}"

    def one_after_another(self) -> _Cost:
        return self._run(self._in_turn)

    def sixteen_at_a_time(self) -> _Cost:
        return self._run(self._crowd)

    @staticmethod
    def _run(script: str) -> _Cost:
        cost = _Cost()
        subprocess.run(["sh", "-c", script], env=GIT, check=True, stdout=subprocess.DEVNULL)
        return cost.stop()


def _row(world: World, plain: _Ticks, inspecting: _Ticks) -> Row:
    what = f"cycle with nothing to do, {world.targets:,} targets over {world.repositories} repositories"
    in_turn = f"{world.repositories} times `git ls-remote` in a shell loop"
    looking = "that cycle with a look into all releases"
    figures = [
        _milliseconds(what, _wall(plain.ours), _wall(plain.alone), in_turn, 1.2),
        _milliseconds("that cycle, CPU time of all processes", _cpu(plain.ours), _cpu(plain.alone), in_turn, None),
        _milliseconds("that cycle", _wall(plain.ours), _wall(plain.crowd), "`xargs -P 16 git ls-remote`", None),
        Figure(
            "child processes of that cycle",
            max(cost.children for cost in (*plain.ours, *inspecting.ours)),
            "processes",
            budget=world.repositories,
        ),
        _milliseconds(looking, _wall(inspecting.ours), _wall(inspecting.alone), in_turn, None),
        _milliseconds(f"{looking}, CPU time", _cpu(inspecting.ours), _cpu(inspecting.alone), in_turn, None),
    ]
    return Row("Polling", figures, HOW, PARTS)


def _wall(costs: list[_Cost]) -> list[float]:
    return [cost.wall for cost in costs]


def _cpu(costs: list[_Cost]) -> list[float]:
    return [cost.cpu for cost in costs]


HOW = (
    "The daemon's own surveyor, one tick to its end: one `ls-remote` per remote, the layout of every target, its "
    "service's state, its recorded past, its plan and its status. Repositories, layouts and store are real, on disk "
    "and read for the second time. The services are not a thousand: every target's process note names the same "
    "living process, which is looked up in /proc for each. No target has a health check over HTTP."
)
PARTS = (
    f"""The first figures are of ticks without a look into the releases. Every {INSPECTED_EVERY}th tick begins one, on a
thread of its own: nobody waits for it, but it takes its share of Python's one lock. The last two figures are of those
ticks, until that look has ended too. Here each release has {FILES} files.""",
    "Sixteen remotes are asked at a time, which the shell loop does not do; hence the CPU time, and the crowd.",
    "An audit hook inside the process counts its child processes. What `git` starts itself is not among them.",
)


def _milliseconds(what: str, ours: list[float], theirs: list[float], against: str, budget: float | None) -> Figure:
    why = "the looks at the targets (files, plan, status) come on top of git, and hold Python's one lock"
    return Figure(what, median(ours) * 1e3, "ms", median(theirs) * 1e3, against, ratio(ours, theirs), budget, why)
