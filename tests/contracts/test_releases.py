"""Releases: the real ones and those in memory keep the same promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fraisier.host.releases import FileReleases
from fraisier.model.errors import ConfigFault, Transient
from fraisier.model.secret import Secret
from fraisier.model.state import Difference, Inspection, Layout, ReleaseMark, Stamp
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


def _edit(side: Side, name: str, path: str) -> None:
    if isinstance(side.releases, FileReleases):
        Path(side.releases.path(side.app, name), path).write_text("by hand")
    else:
        side.releases.change_file(side.app, name, path)


def _lose_link(side: Side, name: str, entry: str) -> None:
    if isinstance(side.releases, FileReleases):
        Path(side.releases.path(side.app, name), entry).unlink()
    else:
        side.releases.lose_link(side.app, name, entry)


def _occupy_link(side: Side, name: str, entry: str) -> None:
    if isinstance(side.releases, FileReleases):
        Path(side.releases.path(side.app, name), entry).unlink()
        Path(side.releases.path(side.app, name), entry).write_text("worth keeping")
    else:
        side.releases.occupy_link(side.app, name, entry)


def _layout(side: Side) -> Layout:
    layout = side.releases.layout(side.app)
    assert isinstance(layout, Layout)
    return layout


def _seal(side: Side, name: str) -> None:
    side.releases.create(side.app, name, side.fill, shared=["uploads", "var/log"])
    side.releases.seal(side.app, name, MARK)


def _inspect(side: Side, name: str = "one") -> Inspection:
    inspection = side.releases.inspect(side.app, name, ["var/log", "uploads"])
    assert isinstance(inspection, Inspection)
    return inspection


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


# -- what somebody changed --------------------------------------------------------------------------


def test_a_release_as_it_was_sealed_has_no_differences(side: Side) -> None:
    _seal(side, "one")

    assert _inspect(side) == Inspection("one")


def test_a_file_that_somebody_changed_and_a_link_that_is_lost_show(side: Side) -> None:
    _seal(side, "one")

    _edit(side, "one", "main.py")
    _lose_link(side, "one", "uploads")

    found = Inspection("one", (Difference("main.py", "changed"),), (Difference("uploads", "missing"),))
    assert (_inspect(side), _inspect(side)) == (found, found)


def test_sealing_again_hides_no_change(side: Side) -> None:
    _seal(side, "one")
    _edit(side, "one", "main.py")

    _seal(side, "one")

    assert _inspect(side).files == (Difference("main.py", "changed"),)


def test_links_are_made_again_and_only_they(side: Side) -> None:
    _seal(side, "one")
    _edit(side, "one", "main.py")
    _lose_link(side, "one", "uploads")
    _lose_link(side, "one", "var/log")

    for _ in range(2):
        side.releases.share(side.app, "one", ["uploads", "var/log"], None)

    assert _inspect(side) == Inspection("one", (Difference("main.py", "changed"),))


def test_nothing_of_worth_makes_room_for_a_link(side: Side) -> None:
    _seal(side, "one")
    _occupy_link(side, "one", "uploads")

    with pytest.raises(ConfigFault) as caught:
        side.releases.share(side.app, "one", ["uploads"], None)

    assert caught.value.code == "shared_occupied"
    assert _inspect(side).shared == (Difference("uploads", "changed"),)


def test_a_condemned_release_is_listed_as_changed_and_never_activated_again(side: Side) -> None:
    _seal(side, "one")

    side.releases.condemn(side.app, "one")
    side.releases.condemn(side.app, "one")
    _seal(side, "one")

    assert _layout(side).releases == {"one": replace(MARK, is_changed=True)}
    with pytest.raises(Transient) as caught:
        side.releases.activate(side.app, "one")
    assert caught.value.code == "release_changed"


def test_only_a_sealed_release_is_condemned(side: Side) -> None:
    side.releases.create(side.app, "one", side.fill)

    side.releases.condemn(side.app, "one")
    side.releases.condemn(side.app, "never")

    assert _layout(side).releases == {}


def test_what_is_made_under_the_name_of_a_removed_release_is_new(side: Side) -> None:
    _seal(side, "one")
    _edit(side, "one", "main.py")
    side.releases.condemn(side.app, "one")
    side.releases.remove(side.app, ["one"])

    _seal(side, "one")

    assert (_layout(side).releases, _inspect(side)) == ({"one": MARK}, Inspection("one"))


def test_an_app_is_removed_with_all_that_was_noted(side: Side) -> None:
    _seal(side, "one")
    side.releases.activate(side.app, "one")
    side.releases.stamp(side.app, Stamp("one", "9" * 32))
    side.releases.keep_runtime(runtime_of(api_target(app_path=side.app)))

    side.releases.remove_app(side.app)
    side.releases.remove_app(side.app)

    assert _layout(side) == Layout()
