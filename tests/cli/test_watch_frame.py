"""The screen of `watch`: trouble first, within its size, nothing left out without a word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fraisier.cli.watch_frame import frame
from fraisier.cli.watch_lines import changes
from fraisier.cli.watch_scene import Scene, Work, trouble_first
from fraisier.model.records import Event
from tests.support.stores import T0, A, B, at

NOW = at(3600)


def row(name: str, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "identifier": f"{name}/production",
        "running": A,
        "healthy": A,
        "sync": "in_sync",
        "health": "healthy",
        "operation": "idle",
        "reason": {"code": "in_sync", "message": "in sync"},
        "held_by": [],
        "drift": [],
        "suspended": None,
        "override": None,
    }
    return values | changes


def held(name: str, message: str = "waits for approval") -> dict[str, Any]:
    hold = {"code": "approval", "message": message, "to_go_on": "fraisier approve", "until": None}
    return row(name, sync="held", reason={"code": "approval", "message": message}, held_by=[hold])


def event(pk: int, kind: Any, seconds: float, message: str = "", **data: Any) -> Event:
    position = 1 if kind.startswith("step") else None
    return Event(pk, kind, "shop/production", at(seconds), "a1", "d1", "build", position, message, data)


def scene(*rows: dict[str, Any], **changes: Any) -> Scene:
    return Scene("web-1", trouble_first(rows), **changes)


def shown(scene: Scene, width: int = 120, height: int | None = None) -> list[str]:
    return [line.plain.rstrip() for line in frame(scene, NOW, width, height)]


MANY = [row(f"s{number:02}") for number in range(30)]


def test_trouble_comes_first_and_what_simply_runs_last():
    suspended = {"by": "al", "at": T0.isoformat(), "until": None, "reason": "", "stop": False, "scope": "c/production"}
    targets = scene(
        row("b"),
        row("a"),
        row("c", suspended=suspended),
        row("d", sync="pending", operation="running"),
        row("e", sync="drifted"),
        held("f"),
        row("g", health="degraded"),
    )

    names = [line.split("/")[0] for line in shown(targets) if "/production" in line]

    assert names == ["g", "f", "e", "d", "c", "a", "b"]


@pytest.mark.parametrize("width", [20, 40, 80, 140])
@pytest.mark.parametrize("height", [1, 3, 5, 8, 12, 24, 60])
def test_a_frame_is_as_high_as_the_screen_and_no_wider(width: int, height: int):
    work = [Work("shop/production", "deploy", B, 1, at(3590), "build", at(3595))] * 9
    journal = [event(number, "note", number, "a note " * 30) for number in range(1, 50)]
    targets = scene(held("f", "a long reason " * 20), *MANY, work=work, journal=journal, problem="No daemon is running")

    lines = frame(targets, NOW, width, height)

    assert len(lines) == height
    assert max(line.cell_len for line in lines) <= width


def test_targets_that_have_no_room_are_counted():
    lines = shown(scene(held("f"), *MANY), height=14)

    named = [line for line in lines if "/production" in line]
    assert named[0].startswith("f/production")
    assert f"and {31 - len(named)} more in sync" in lines


def test_of_targets_that_differ_without_room_each_sort_is_counted():
    lines = shown(scene(*(held(f"h{number}") for number in range(20)), *MANY), height=14)

    named = sum("/production" in line for line in lines)
    assert f"and {50 - named} more: {20 - named} held, 30 in sync" in lines


def test_a_target_that_is_all_there_is_left_to_show_is_shown_instead_of_counted():
    for height in range(8, 40):
        assert not any("and 1 more" in line for line in shown(scene(*MANY), height=height))


def test_a_reason_stands_beside_its_target_where_there_is_room_and_below_it_where_not():
    targets = scene(held("shop", "main was rewound from 1a2b3c4 to 5d6e7f8, and nobody has accepted that"))

    (wide,) = [line for line in shown(targets, 140) if "shop" in line]
    narrow = shown(targets, 80)

    assert "nobody has accepted" in wide
    assert "nobody has accepted" in narrow[narrow.index(next(line for line in narrow if "shop" in line)) + 1]


def test_a_reason_of_several_lines_takes_no_more_lines_than_one():
    suspended = {"by": "al", "at": T0.isoformat(), "until": None, "stop": False, "scope": "shop/production"}
    targets = scene(row("shop", suspended={**suspended, "reason": "first\nsecond"}))

    assert not any("\n" in line.plain for line in frame(targets, NOW, 200, 20))
    assert any(line.endswith("first second") for line in shown(targets, 200))


def test_what_runs_is_shown_with_its_step_and_how_long_both_have_taken():
    work = Work("shop/production", "deploy", B, 2, NOW - timedelta(seconds=75), "npm ci", NOW - timedelta(seconds=4))

    lines = shown(scene(row("shop"), work=[work]))

    assert f"shop/production  deploy to {B[:7]}, try 2  1:15  npm ci  0:04" in lines


def test_the_journal_says_how_long_a_step_took_and_how_it_ended():
    start = event(1, "step_started", 0, "npm ci")
    end, closed = event(2, "step_finished", 42), event(3, "attempt_closed", 43, "exit 3", outcome="rolled_back")

    lines = shown(scene(row("shop"), journal=[start, end, closed], starts={("a1", 1): start}))

    assert [line.partition("production  ")[2] for line in lines[-2:]] == ["✓ npm ci  42 s", "< rolled back: exit 3"]


# --- where nobody sees a screen --------------------------------------------------------------


def test_a_change_is_a_line_and_what_stays_is_none():
    told: dict[str, object] = {}
    first = list(changes(scene(row("a"), row("b")), told, NOW))

    again = list(changes(scene(row("a"), row("b")), told, NOW + timedelta(hours=5)))
    (changed,) = changes(scene(row("a"), held("b")), told, NOW)
    (gone,) = changes(scene(held("b")), told, NOW)

    assert len(first) == 2
    assert again == []
    assert changed.endswith("  b/production  held  healthy  aaaaaaa  waits for approval")
    assert gone.endswith("  a/production  gone")
