"""A plan as text: one line for what is in sync, and for the rest why, what keeps it, and how to go on."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from fraisier.cli.console import THEME
from fraisier.cli.plan_markdown import markdown
from fraisier.cli.plan_text import print_plan, until_text
from fraisier.host.output import clean
from fraisier.model.names import TargetId
from fraisier.model.plan import Action, Basis, Drift, Hold, Plan, Reason, ReasonCode
from fraisier.steps.activate import Activate

NOW = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
OLD, NEW = "a" * 40, "b" * 40
BASE = Action(
    TargetId("shop", "production"),
    "deploy",
    "pending",
    (Reason(ReasonCode.HEAD_MOVED, "branch main moved"),),
    (Activate("/srv/shop", NEW),),
    OLD,
    NEW,
    "main",
    3,
    on_failure="back to aaaaaaa",
)
IN_SYNC = Action(
    TargetId("blog", "production"),
    "none",
    "in_sync",
    (Reason(ReasonCode.IN_SYNC, "in sync"),),
    from_revision=OLD,
    to_revision=OLD,
    ref="main",
)
WINDOW = Hold(ReasonCode.WINDOW, "office forbids it until Wed 2026-11-25 09:00 CET", "wait", NOW + timedelta(hours=20))


@pytest.fixture(autouse=True)
def paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The terminal is in a place that is not on UTC."""
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shown(*actions: Action, width: int | None = None, **manner: Any) -> list[str]:
    """Lines as piped, or as on a terminal of `width`."""
    out = io.StringIO()
    console = Console(
        file=out, theme=THEME, highlight=False, width=width or 10_000, force_terminal=width is not None, no_color=True
    )
    plan = Plan(Basis("web-1", "c" * 64, heads_seen_at=NOW - timedelta(seconds=4)), actions)
    around: Any = SimpleNamespace(
        host=SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW)), config_path=Path("fraises.yaml")
    )
    print_plan(console, plan, around, **manner)
    return [line.rstrip() for line in clean(out.getvalue()).split("\n")]


def labelled(lines: list[str]) -> list[tuple[str, str]]:
    """What is said of targets: label and text."""
    inner = [line for line in lines if line.startswith(" " * 6)]
    return [(line[6:18].strip(), line[18:]) for line in inner]


def test_the_head_says_where_of_what_and_how_old() -> None:
    assert shown(IN_SYNC)[0] == "web-1 · fraises.yaml ccccccc · heads 4.0 s old"


def test_what_is_in_sync_is_one_line() -> None:
    assert shown(IN_SYNC)[2:] == ["  = blog/production    aaaaaaa  main    in sync", "", "Plan: 1 in sync", ""]


def test_what_is_in_sync_is_one_line_with_its_notes() -> None:
    note = Hold(ReasonCode.PINNED, "pinned to v1", "fraisier unpin blog/production", NOW + timedelta(seconds=8))

    lines = labelled(shown(replace(IN_SYNC, notes=(note,))))

    assert lines == [
        ("note", "pinned to v1"),
        ("until", "12:00:08 CET (in 8.0 s)"),
        ("to go on", "fraisier unpin blog/production"),
    ]


def test_first_lines_stand_in_columns_with_the_estimate_at_the_end() -> None:
    lines = shown(replace(BASE, estimate=41.0), IN_SYNC)

    assert lines[2] == "  ~ shop/production    aaaaaaa → bbbbbbb  main, 3 commits    deploy     about 41 s"
    in_sync = next(line for line in lines if "in sync" in line)
    assert in_sync.startswith("  = blog/production    aaaaaaa  main ")
    assert in_sync.index("in sync") == lines[2].index("deploy")


@pytest.mark.parametrize("width", [80, 78])
def test_where_the_terminal_is_narrow_the_columns_move_together(width: int) -> None:
    lines = shown(replace(BASE, estimate=41.0), IN_SYNC, width=width)

    assert lines[2] == "  ~ shop/production  aaaaaaa → bbbbbbb  main, 3 commits  deploy   about 41 s"


def test_where_that_is_not_enough_revisions_of_what_changes_go_below() -> None:
    lines = shown(replace(BASE, estimate=41.0), IN_SYNC, width=60)

    assert lines[2:4] == ["  ~ shop/production  deploy   about 41 s", "      aaaaaaa → bbbbbbb  main, 3 commits"]
    assert lines[lines.index("  = blog/production  in sync") + 1] == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.3, "less than 1 s"), (2.4, "about 2 s"), (41.0, "about 41 s"), (200.0, "about 3 min")]
)
def test_estimates_are_as_exact_as_they_can_be_known(seconds: float, text: str) -> None:
    assert shown(replace(BASE, estimate=seconds))[2].endswith(f"deploy    {text}")


@pytest.mark.parametrize("width", [40, 80, 100, 160])
def test_no_line_is_longer_than_the_terminal_and_none_begins_below_its_label(width: int) -> None:
    reason = Reason(ReasonCode.HEAD_MOVED, "a long story of many words " * 12)
    lines = shown(replace(BASE, reasons=(reason,), estimate=3.0), IN_SYNC, width=width, explains=True)

    assert max(map(len, lines)) <= width
    wrapped = [line for line in lines if "story" in line][1:]
    assert wrapped
    assert all(line.startswith(" " * 18) for line in wrapped)


def test_each_drift_is_a_line_with_what_was_desired_and_observed() -> None:
    drifts = [Drift("service", "running", "failed"), Drift("enabled", "enabled", "disabled")]
    reasons = tuple(Reason(ReasonCode.DRIFT_SERVICE, f"drift: {drift}", drift) for drift in drifts)

    lines = labelled(shown(replace(BASE, action="repair", reasons=reasons)))

    assert lines[:2] == [
        ("because", "drift: desired running, observed failed"),
        ("because", "drift: desired enabled, observed disabled"),
    ]


def test_each_hold_says_how_to_go_on_and_when_it_ends_unless_it_says_so_itself() -> None:
    waits = Hold(ReasonCode.BACK_OFF, "waits after 1 try", "fraisier retry", NOW + timedelta(seconds=90))
    suspended = Hold(
        ReasonCode.SUSPENDED, "suspended until 2026-11-24 13:00 UTC by ann", "fraisier resume", NOW + timedelta(hours=2)
    )

    lines = labelled(shown(replace(BASE, held_by=(waits, WINDOW, suspended))))

    assert lines == [
        ("because", "branch main moved"),
        ("held by", "waits after 1 try"),
        ("until", "12:01:30 CET (in 1 min)"),
        ("to go on", "fraisier retry"),
        ("held by", "office forbids it until Wed 2026-11-25 09:00 CET"),
        ("to go on", "wait"),
        ("held by", "suspended until 2026-11-24 13:00 UTC by ann"),
        ("to go on", "fraisier resume"),
    ]


def test_a_reason_that_is_the_hold_is_said_once() -> None:
    reason = Reason(ReasonCode.WINDOW, WINDOW.message)

    assert [label for label, _ in labelled(shown(replace(BASE, reasons=(reason,), held_by=(WINDOW,))))] == [
        "held by",
        "to go on",
    ]


def test_steps_and_estimate_of_what_is_held_are_shown_when_asked_for() -> None:
    held = replace(BASE, held_by=(WINDOW,), estimate=9.0)

    assert ("steps", "activate") not in labelled(shown(held))
    assert ("steps", "activate") in labelled(shown(held, verbose=1))
    assert not any("about" in line for line in shown(held))


def test_what_a_person_stopped_is_not_called_in_sync() -> None:
    reason = Reason(ReasonCode.STOPPED_BY_PERSON, "ann stopped it")
    stopped = replace(IN_SYNC, sync="held", reasons=(reason,))

    lines = shown(stopped)

    assert lines[2] == "  x blog/production    aaaaaaa  main    stopped"
    assert labelled(lines) == [("because", "ann stopped it")]


def test_explain_says_of_each_step_how_it_is_undone_and_what_the_plan_was_made_from() -> None:
    lines = labelled(
        shown(replace(BASE, basis={"desired": NEW, "service": "running"}, hash="0123456789ab"), explains=True)
    )

    assert ("steps", " 1. activate") in lines
    assert ("", f"    {Activate.undo}") in lines
    assert lines[-3:] == [("basis", f"desired  {NEW}"), ("", "service  running"), ("hash", "0123456789ab")]


def test_a_removal_shows_what_it_removes_and_is_counted() -> None:
    removal = replace(BASE, action="remove", to_revision=None, ref="", commits=None)

    lines = shown(removal, IN_SYNC)

    assert lines[2] == "  - shop/production    aaaaaaa          to remove"
    assert ("steps", "activate") in labelled(lines)
    assert lines[-2] == "Plan: 1 in sync, 1 to remove"
    assert shown(IN_SYNC, prunes=True)[-2] == "Plan: 1 in sync, 0 to remove"


def test_what_a_remote_says_is_no_markup() -> None:
    reason = Reason(ReasonCode.HEAD_MOVED, "[bold]branch[/] [x")

    assert labelled(shown(replace(BASE, reasons=(reason,), ref="a[b]"), width=100))[0] == (
        "because",
        "[bold]branch[/] [x",
    )


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        ({"seconds": 8}, "12:00:08 CET (in 8.0 s)"),
        ({"minutes": 59}, "12:59:00 CET (in 59 min)"),
        ({"hours": 5}, "17:00 CET"),
        ({"hours": 13}, "Wed 01:00 CET"),
        ({"days": 5}, "Sun 12:00 CET"),
        ({"days": 30}, "2026-12-24 12:00 CET"),
        ({"days": 180}, "2027-05-23 13:00 CEST"),
    ],
)
def test_moments_are_local_and_as_exact_as_they_are_near(ahead: Mapping[str, int], text: str) -> None:
    assert until_text(NOW + timedelta(**ahead), NOW) == text


def test_markdown_says_the_same() -> None:
    note = Hold(ReasonCode.PINNED, "pinned | to v1", "fraisier unpin", None)
    plan = Plan(
        Basis("web-1", "c" * 64),
        (replace(BASE, held_by=(WINDOW,)), replace(IN_SYNC, notes=(note,)), replace(BASE, estimate=41.0)),
    )

    text = markdown(plan, prunes=True)

    assert "| `~` | `shop/production` | `aaaaaaa` → `bbbbbbb` main | deploy, about 41 s |" in text
    assert f"- held by: {WINDOW.message}\n- until: 2026-11-25 07:00:00 UTC\n- to go on: `wait`" in text
    assert "- note: pinned \\| to v1" in text
    assert "0 to remove" in text
