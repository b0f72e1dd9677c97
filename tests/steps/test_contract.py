"""What every step promises, on each that is found: it may be applied twice, describes itself, shows no secret."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

import fraisier.steps
from fraisier.model.plan import Step
from fraisier.model.ports import Context
from fraisier.model.secret import Secret
from fraisier.model.state import ReleaseMark, Stamp
from fraisier.services.api_look import runtime_of
from fraisier.steps.activate import Activate
from fraisier.steps.build import Build
from fraisier.steps.condemn import Condemn
from fraisier.steps.configure import Configure
from fraisier.steps.fetch import Fetch
from fraisier.steps.health import HealthGate
from fraisier.steps.prune import PruneReleases
from fraisier.steps.release import CreateRelease
from fraisier.steps.remove import RemoveApp, Retire
from fraisier.steps.restart import Restart
from fraisier.steps.share import Share
from fraisier.steps.stop import Stop
from fraisier.testing import FakeHost, PowerCut, api_target

CANARY = "canary-5f3a9c"
TARGET = api_target(env={"DB_PASSWORD": Secret(CANARY)})
RUNTIME = runtime_of(TARGET)
APP = TARGET.app_path
UNIT = TARGET.service.unit
DIGEST = TARGET.runtime_digest
BUILD = TARGET.build_digest


def _found() -> list[type[Step]]:
    """Every class in the package that says what kind of step it is."""
    package = fraisier.steps
    modules = [import_module(f"{package.__name__}.{module.name}") for module in iter_modules(package.__path__)]
    classes = [found for module in modules for _, found in inspect.getmembers(module, inspect.isclass)]
    steps: set[Any] = {
        found for found in classes if hasattr(found, "kind") and found.__module__.startswith(package.__name__)
    }
    return sorted(steps, key=lambda found: found.__name__)


Example = Callable[[FakeHost, str], Step]
EXAMPLES: dict[type[Any], Example] = {
    Fetch: lambda host, sha: Fetch(TARGET.remote, "main", sha),
    CreateRelease: lambda host, sha: CreateRelease(APP, "new", TARGET.remote, sha, BUILD, (), None, has_build=False),
    Build: lambda host, sha: Build("shop/production", APP, "half", sha, BUILD, (("make",), ("make", "b")), TARGET.env),
    Configure: lambda host, sha: Configure(APP, sha, UNIT, DIGEST, RUNTIME),
    Activate: lambda host, sha: Activate(APP, sha),
    Restart: lambda host, sha: Restart(APP, sha, UNIT, DIGEST),
    HealthGate: lambda host, sha: HealthGate(APP, sha, UNIT, DIGEST, TARGET.health),
    PruneReleases: lambda host, sha: PruneReleases(APP, ("old",), ("0" * 32,)),
    Stop: lambda host, sha: Stop(RUNTIME),
    Share: lambda host, sha: Share(APP, sha, ("uploads", ".env")),
    Condemn: lambda host, sha: Condemn(APP, "old"),
    Retire: lambda host, sha: Retire("shop/production", APP, UNIT, DIGEST),
    RemoveApp: lambda host, sha: RemoveApp(APP),
}
"""One example of each step; `sha` is sealed as a release of that name, `half` is a release not yet sealed."""


@pytest.fixture
def host() -> FakeHost:
    """A machine on which a service runs, an old release is left, a new one is half made, and links are lost."""
    host = FakeHost("systemd")
    sha = host.git.remote(TARGET.remote).push("main", "a")
    host.git.mirrors[TARGET.remote] = {sha}
    for name in (sha, "old"):
        host.directories[host.releases.path(APP, name)] = sha
        host.releases.seal(APP, name, ReleaseMark(sha, BUILD, host.clock.now()))
    host.directories[host.releases.path(APP, "half")] = sha
    host.releases.keep_runtime(RUNTIME)
    host.services.restart(RUNTIME, host.releases.path(APP, sha), 10, host.interrupt())
    host.services.install(RUNTIME, host.releases.path(APP, sha))
    host.releases.stamp(APP, Stamp(sha, DIGEST))
    host.releases.lose_link(APP, sha, "uploads")
    host.releases.lose_link(APP, sha, ".env", "changed")
    host.faults.disarm()
    return host


def _sha(host: FakeHost) -> str:
    return host.git.remote(TARGET.remote).branches["main"]


def _apply(step: Step, host: FakeHost) -> None:
    ends_at = host.clock.monotonic() + 600
    step.apply(Context(host, host.interrupt(), ends_at, None, lambda message: None, lambda gate: None))


def _state(host: FakeHost) -> object:
    """Everything that lasts; not when it came about, nor under which pid."""
    app = host.releases.app(APP)
    return (
        {name: (mark.sha, mark.build_digest, mark.is_changed) for name, mark in app.marks.items()},
        {name: sorted(links) for name, links in app.links.items()},
        (app.current, app.stamp, sorted(app.runtimes)),
        dict(host.directories),
        {name: sorted(shas) for name, shas in host.git.mirrors.items()},
        {unit: (runtime.digest, release) for unit, (runtime, release) in host.services.installed.items()},
        {unit: (live.sha, live.runtime.digest) for unit, live in host.services.live.items()},
    )


def test_every_step_brings_its_example() -> None:
    assert set(_found()) == set(EXAMPLES)
    assert len({found.kind for found in _found()}) == len(EXAMPLES)


@pytest.mark.parametrize("kind", _found(), ids=lambda kind: kind.__name__)
def test_twice_is_as_once(kind: type[Step], host: FakeHost) -> None:
    step = EXAMPLES[kind](host, _sha(host))

    _apply(step, host)
    once = _state(host)
    _apply(step, host)

    assert _state(host) == once


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", _found(), ids=lambda kind: kind.__name__)
def test_cut_off_and_applied_again_is_as_once(kind: type[Step], at: int, where: Any, host: FakeHost) -> None:
    step = EXAMPLES[kind](host, _sha(host))
    host.faults.arm(at, where)
    try:
        _apply(step, host)
    except PowerCut:
        _apply(step, host)
    host.faults.disarm()
    cut = _state(host)

    _apply(step, host)

    assert _state(host) == cut


@pytest.mark.parametrize("kind", _found(), ids=lambda kind: kind.__name__)
def test_it_describes_itself_and_shows_no_secret(kind: type[Step], host: FakeHost) -> None:
    step = EXAMPLES[kind](host, _sha(host))

    words = (step.kind, step.summary(), step.undo, repr(step), str(step))

    assert all(words)
    assert all(CANARY not in word for word in words)
    assert len(step.summary()) <= 70
    assert "\n" not in step.summary()
