"""What a remote that hangs costs the targets of all others."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fraisier.daemon.assembly import Assembly
from fraisier.daemon.surveyor import Surveyor
from fraisier.model.names import TargetId
from fraisier.store import SqliteStore

from .figures import Effort, Figure, Row
from .push import Bell, Fraisier, Site
from .silence import Silence, silence
from .survey import surveyor_of
from .timing import median, ratio, seconds
from .world import World, standing_service

PATIENCE = 120.0
WITHIN = 1.1
"""Of the time that it takes where no remote hangs."""


def measure(effort: Effort) -> Row:
    figures = [*_ticks(effort), *_cycles(effort)]
    return Row("Isolation", figures, HOW, PARTS)


@contextmanager
def _worlds(targets: int, repositories: int) -> Iterator[tuple[World, World, Silence]]:
    """The same twice; in the second, nobody answers at the first remote."""
    with tempfile.TemporaryDirectory() as folder, standing_service() as pid, silence() as quiet:
        sound = World(Path(folder) / "sound", targets, repositories)
        hanging = World(Path(folder) / "hanging", targets, repositories, quiet.remote)
        for world in (sound, hanging):
            world.build(pid)
        yield sound, hanging, quiet


# -- ticks of the survey


def _ticks(effort: Effort) -> list[Figure]:
    with _worlds(effort.pick(1000, 40), effort.pick(50, 5)) as (sound, hanging, quiet):
        taken = asyncio.run(_rounds(sound, hanging, quiet, effort.pick(15, 2)))
    words = f"{sound.targets:,} targets over {sound.repositories} remotes, 1 of which hangs"
    return [
        *_tick_figures(f"{words} since before", taken["sound"], taken["since before"]),
        *_tick_figures(f"{words} from the tick on", taken["sound, first"], taken["from now"]),
    ]


@dataclass(slots=True)
class _Looked:
    """When the statuses of each remote that answers were written."""

    assembly: Assembly
    expected: frozenset[str]
    at: dict[str, float] = field(default_factory=dict)
    all: threading.Event = field(default_factory=threading.Event)

    def __call__(self, targets: Iterable[TargetId]) -> None:
        """On the worker's thread."""
        now = time.perf_counter()
        for remote in {self.assembly.config.targets[target].remote for target in targets}:
            self.at.setdefault(remote, now)
        if self.expected <= self.at.keys():
            self.all.set()

    async def tick(self, surveyor: Surveyor) -> list[float]:
        """Seconds from its begin, for each remote that answers, in order."""
        self.at.clear()
        self.all.clear()
        begin = time.perf_counter()
        await surveyor.tick()
        if not await asyncio.to_thread(self.all.wait, PATIENCE):
            raise AssertionError(f"not looked at: {sorted(self.expected - self.at.keys())}")
        return sorted(self.at[remote] - begin for remote in self.expected)


Spread = Sequence[float]
"""Of one tick: seconds until each remote's targets were written, in order."""


async def _rounds(sound: World, hanging: World, quiet: Silence, rounds: int) -> dict[str, list[Spread]]:
    """Of each tick by name. Surveyors are new in each round: one that was failed by a remote leaves it alone."""
    well, ill = sound.assemble(), hanging.assemble()
    expected = frozenset(map(str, sound.remotes[1:])), frozenset(map(str, hanging.remotes[1:]))
    taken: dict[str, list[Spread]] = {"sound": [], "sound, first": [], "since before": [], "from now": []}
    for number in range(1 + rounds):
        first, second = await _two_ticks(well, expected[0], lambda: None)
        begun, on = await _two_ticks(ill, expected[1], quiet.take, quiet)
        if number:  # the first round reads every layout once, as the first poll does
            for name, spread in zip(taken, (second, first, on, begun), strict=True):
                taken[name].append(spread)
    for assembly, remotes in zip((well, ill), expected, strict=True):
        _insist_in_sync(assembly, remotes)
        assembly.store.close()
    return taken


async def _two_ticks(
    assembly: Assembly, expected: frozenset[str], begun: Callable[[], None], quiet: Silence | None = None
) -> tuple[Spread, Spread]:
    """One after the other has ended, neither with a look into the releases."""
    looked = _Looked(assembly, expected)
    surveyor = surveyor_of(assembly, looked=looked, ticks=1)
    first = await looked.tick(surveyor)
    await asyncio.to_thread(begun)
    await _settled(quiet)
    second = await looked.tick(surveyor)
    if quiet is not None:
        quiet.insist_somebody_waits()
        quiet.hang_up()
    await _settled(None)
    surveyor.close()
    surveyor.exits.close()
    return first, second


async def _settled(quiet: Silence | None) -> None:
    """Everything that a tick began has ended, but for the one survey that waits for the silent remote."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    while len(others) > (quiet is not None):
        _, others = await asyncio.wait(others, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)


def _insist_in_sync(assembly: Assembly, remotes: frozenset[str]) -> None:
    answering = {str(id) for id, target in assembly.config.targets.items() if target.remote in remotes}
    found = {row["sync"] for row in assembly.store.status_rows() if row["identifier"] in answering}
    if found != {"in_sync"}:
        raise AssertionError(f"the survey found {found} where everything is in sync")


def _tick_figures(words: str, sound: list[Spread], hanging: list[Spread]) -> list[Figure]:
    parts: Mapping[str, tuple[Callable[[Spread], float], float | None]] = {
        "until all targets of the others are looked at": (max, WITHIN),
        "the same per remote, p50": (lambda spread: _percentile(spread, 50), None),
        "the same per remote, p99": (lambda spread: _percentile(spread, 99), None),
    }
    return [
        _figure(f"tick over {words}: {what}", [of(each) for each in hanging], [of(each) for each in sound], budget)
        for what, (of, budget) in parts.items()
    ]


def _percentile(ordered: Spread, percent: int) -> float:
    """By nearest rank."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


# -- cycles of the daemon


def _cycles(effort: Effort) -> list[Figure]:
    healthy, repositories = effort.pick(200, 20), 10
    each = healthy // repositories
    with _worlds(healthy + each, repositories + 1) as (sound, hanging, quiet), ExitStack() as stack:
        bells = [stack.enter_context(_daemon_of(world, healthy)) for world in (sound, hanging)]
        quiet.take()
        well, ill = _cycle_times(bells, effort.pick(15, 2))
        quiet.insist_somebody_waits()
    words = f"wake-up to the end of the cycle of a target whose head moved, beside {healthy} others and a remote"
    return [_figure(f"{words} that hangs", ill, well, WITHIN)]


Deploy = Callable[[], float]
"""Pushes a new commit, wakes the target and waits for the end of its cycle; seconds since it was woken."""


@contextmanager
def _daemon_of(world: World, healthy: int) -> Iterator[Deploy]:
    """A daemon that has looked at everything that answers, and has deployed one more target: a `sleep`."""
    site = Site(world.folder, 0)
    world.config.write_text(world.config.read_text() + MOVING.format(site=site))
    site.commit()
    site.push()
    fraisier = Fraisier(site)

    def deploy() -> float:
        site.commit()
        site.push()
        return seconds(bell.ring)

    try:
        with fraisier.daemon(), closing(Bell(fraisier)) as bell:
            _await_looks(world, healthy + 1)
            yield deploy
    finally:
        fraisier.stop_service()


MOVING = """\
  shop:
    type: api
    repository: {site.origin}
    environments:
      production:
        branch: main
        app_path: {site.app}
        service: {{exec: sleep infinity}}
        health_check: {{interval: 50ms, healthy_for: 0s, deadline: 20s}}
"""


def _await_looks(world: World, wanted: int) -> None:
    pause, until = threading.Event(), time.monotonic() + PATIENCE
    with closing(SqliteStore.open(str(world.state))) as store:
        while sum(row["sync"] == "in_sync" for row in store.status_rows()) < wanted:
            if time.monotonic() > until:
                raise AssertionError((world.folder / "daemon.log").read_text())
            pause.wait(0.05)


def _cycle_times(deploys: Sequence[Deploy], rounds: int) -> list[list[float]]:
    taken = [[deploy() for deploy in deploys] for _ in range(1 + rounds)][1:]
    return [list(times) for times in zip(*taken, strict=True)]


# -- the page


def _figure(what: str, hanging: list[float], sound: list[float], budget: float | None) -> Figure:
    against, why = "where none hangs", "asking a remote over https costs more than asking a local one"
    return Figure(what, median(hanging) * 1e3, "ms", median(sound) * 1e3, against, ratio(hanging, sound), budget, why)


HOW = (
    "Two worlds as in the group above, in turn; in one of them the configuration names, instead of the first "
    "repository, a listener on the loopback that accepts and never answers, over https. The survey is the daemon's "
    "own, without looks into the releases; the clock starts with the tick and stops when the statuses of the last "
    "target of all other remotes are written. After each measured tick the process that asks the silent remote must "
    "still wait."
)
PARTS = (
    """A remote that hangs since before is not asked again, but keeps one of sixteen threads; one that hangs from the
tick on is asked first of all, and `git` starts its https helper while the others are looked at.""",
    """The cycle is that of a daemon as a process of its own: a commit is pushed to one more target, whose service is
`sleep infinity`, and a row wakes the daemon as a webhook does; the clock stops when the row is answered, after fetch,
release, restart and health gate.""",
)
