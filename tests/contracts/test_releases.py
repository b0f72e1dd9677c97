"""Releases: the real ones and those in memory keep the same promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fraisier.host.releases import FileReleases
from fraisier.model.errors import Transient
from fraisier.model.secret import Secret
from fraisier.model.state import Layout, ReleaseMark, Stamp
from fraisier.services.api_look import runtime_of
from fraisier.testing import FakeHost, api_target
from fraisier.testing.clock import START

MARK = ReleaseMark("a" * 40, "b" * 32, START)


@dataclass(frozen=True)
class Side:
    releases: Any
    app: str
    fill: Callable[[str], None]


@pytest.fixture(params=["real", "fake"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Side:
    app = str(tmp_path / "app")
    if request.param == "real":
        return Side(FileReleases(), app, lambda directory: Path(directory, "main.py").touch() or None)
    host = FakeHost()
    return Side(host.releases, app, lambda directory: host.directories.update({directory: "a" * 40}))


def _layout(side: Side) -> Layout:
    layout = side.releases.layout(side.app)
    assert isinstance(layout, Layout)
    return layout


def _seal(side: Side, name: str) -> None:
    side.releases.create(side.app, name, side.fill)
    side.releases.seal(side.app, name, MARK)


def test_nothing_is_there_at_first(side: Side) -> None:
    assert _layout(side) == Layout()


def test_only_a_sealed_release_is_listed_and_activated(side: Side) -> None:
    side.releases.create(side.app, "one", side.fill)

    with pytest.raises(Transient):
        side.releases.activate(side.app, "one")
    assert _layout(side).releases == {}

    side.releases.seal(side.app, "one", MARK)
    side.releases.activate(side.app, "one")
    side.releases.activate(side.app, "one")
    assert (_layout(side).releases, _layout(side).current) == ({"one": MARK}, "one")


def test_a_sealed_release_is_not_made_again(side: Side) -> None:
    _seal(side, "one")
    filled: list[str] = []

    side.releases.create(side.app, "one", filled.append)

    assert filled == []


def test_current_is_never_removed(side: Side) -> None:
    _seal(side, "one")
    _seal(side, "two")
    side.releases.activate(side.app, "two")

    side.releases.remove(side.app, ["one", "two", "never"], ["0" * 32])

    assert list(_layout(side).releases) == ["two"]


def test_a_stamp_is_set_and_taken_away(side: Side) -> None:
    stamp = Stamp("one", "9" * 32)

    side.releases.stamp(side.app, stamp)
    set_to = _layout(side).stamp
    side.releases.stamp(side.app, None)
    side.releases.stamp(side.app, None)

    assert (set_to, _layout(side).stamp) == (stamp, None)


def test_a_runtime_is_kept_with_its_secrets(side: Side) -> None:
    runtime = runtime_of(api_target(app_path=side.app, env={"PASSWORD": Secret("s3cret")}))

    side.releases.keep_runtime(runtime)

    assert side.releases.runtime(side.app, runtime.digest) == runtime
    assert _layout(side).runtimes == {runtime.digest}
    with pytest.raises(Transient):
        side.releases.runtime(side.app, "0" * 32)
