"""`diff` as text: whatever somebody wrote into a commit or a value, it is one plain line."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from fraisier.cli.console import THEME
from fraisier.cli.diff_text import change_text, diff_document, print_differences, unit_diff
from fraisier.host.output import clean
from fraisier.model.names import TargetId
from fraisier.model.plan import Action, Reason, ReasonCode
from fraisier.model.ports import Commit, UnitFile
from fraisier.model.state import Difference, Unknown
from fraisier.reconcile.difference import Change, Commits, Differences

NOW = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
OLD, NEW = "a" * 40, "b" * 40
ACTION = Action(
    TargetId("shop", "production"),
    "deploy",
    "pending",
    (Reason(ReasonCode.HEAD_MOVED, "branch main moved"),),
    from_revision=OLD,
    to_revision=NEW,
    ref="main",
)
COMMIT = Commit(NEW, "Speed up the index", "Ann", NOW - timedelta(hours=3))


def shown(*found: Differences, width: int | None = None) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, theme=THEME, highlight=False, width=width or 10_000, force_terminal=width is not None)
    print_differences(console, found, NOW, targets=3)
    return [line.rstrip() for line in clean(out.getvalue()).split("\n")]


def test_nothing_to_compare_is_said() -> None:
    assert shown() == ["Nothing to compare: 3 targets, and nothing is to be done.", ""]
    assert "      nothing differs" in shown(Differences(ACTION, None, (), ()))


def test_commits_are_lines_and_those_that_would_be_lost_are_marked() -> None:
    lost = Commit(OLD, "Old", "Bob", NOW - timedelta(days=2))

    lines = shown(Differences(ACTION, Commits((COMMIT,), (lost,), 13, 1), None, None))

    at = lines.index("      commits")
    assert lines[at + 1 : at + 4] == [
        "          bbbbbbb  Speed up the index  (Ann, 3 h ago)",
        "          and 12 more",
        "        - aaaaaaa  Old  (Bob, 2 d ago)",
    ]


@pytest.mark.parametrize("subject", ["\x1b[2Jgone\x07", "two\nlines", "[red]markup[/]", "\x9b31mC1"])
def test_a_subject_cannot_steer_the_terminal(subject: str) -> None:
    out = io.StringIO()
    commit = Commit(NEW, subject, "A\x1b[31mnn", NOW)
    console = Console(file=out, theme=THEME, highlight=False, width=10_000)

    print_differences(console, [Differences(ACTION, Commits((commit,), (), 1), None, None)], NOW, targets=1)

    (line,) = [line for line in out.getvalue().splitlines() if "bbbbbbb  " in line and "Ann" in line]
    assert all(character.isprintable() for character in line)
    if "[red]" in subject:
        assert subject in line


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change("k", "changed", "info", "debug"), "info → debug"),
        (Change("k", "changed", {"secret": "3b9e1c02"}, {"secret": "c0711f3a"}), "changed (3b9e1c02 → c0711f3a)"),
        (Change("k", "changed", {"secret": "3b9e1c02"}, "plain"), "secret 3b9e1c02 → plain"),
        (Change("k", "added", after=["make", "make it"]), "added: [make, make it]"),
        (Change("k", "removed", before=5), "removed: 5"),
        (Change("k", "changed", "", " x"), '"" → " x"'),
        (Change("k", "added", after="a\n\x1b[31m"), 'added: "a\\n\\u001b[31m"'),
    ],
)
def test_a_change_of_the_configuration_in_words(change: Change, text: str) -> None:
    assert change_text(change) == text


def test_keys_stand_in_a_column() -> None:
    found = (Change("env.A", "added", after="1"), Change("env.LONGER", "added", after="2"))

    lines = shown(Differences(ACTION, None, found, None))

    assert lines[2:4] == ["        env.A       added: 1", "        env.LONGER  added: 2"]


def test_units_are_a_unified_diff_from_what_is_to_what_should_be() -> None:
    unit = UnitFile("/etc/systemd/system/a.service", "[Service]\nA=1\n", "[Service]\nA=2\n")

    assert unit_diff(unit).split("\n") == [
        "--- /etc/systemd/system/a.service",
        "+++ /etc/systemd/system/a.service",
        "@@ -1,2 +1,2 @@",
        " [Service]",
        "-A=2",
        "+A=1",
    ]
    assert unit_diff(UnitFile("/a", "x\n", None)).startswith("--- /dev/null\n+++ /a\n")
    assert unit_diff(UnitFile("/a", None, "x\n")).startswith("--- /a\n+++ /dev/null\n")
    assert "        -A=2" in shown(Differences(ACTION, None, None, (unit,)))


def test_what_is_not_known_is_said_once() -> None:
    same = Unknown("offline", "nobody answered")

    lines = shown(Differences(ACTION, same, None, same))

    assert [line for line in lines if "nobody" in line] == ["      unknown     commits and units: nobody answered"]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_long_subjects_wrap_below_themselves(width: int) -> None:
    commit = Commit(NEW, "word " * 60, "Ann", NOW)

    lines = shown(Differences(ACTION, Commits((commit,), (), 1), None, None), width=width)

    assert max(map(len, lines)) <= width
    assert all(line.startswith(" " * 8) for line in lines if "word" in line)


def test_the_document_has_everything_and_null_for_what_is_not_known() -> None:
    unit = UnitFile("/a", "x\n", None)
    found = Differences(
        ACTION,
        Unknown("offline", "nobody answered"),
        (Change("k", "added", after=1),),
        (unit,),
        (Difference("f", "missing"),),
    )

    document: dict[str, Any] = diff_document(found)

    assert document["commits"] is None
    assert document["unknown"] == [{"what": "commits", "code": "offline", "message": "nobody answered"}]
    assert document["configuration"] == [{"key": "k", "change": "added", "before": None, "after": 1}]
    assert document["unit_files"] == [{"path": "/a", "desired": "x\n", "observed": None, "diff": unit_diff(unit)}]
    assert document["files"] == [{"path": "f", "found": "missing"}]
