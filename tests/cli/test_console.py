"""Tables keep their shape on a narrow terminal, and lose nothing there."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from fraisier.cli.console import THEME, print_rows

HEADINGS = ("TARGET", "ACTION", "FROM", "OUTCOME", "TRIES")
ROWS = [
    ("[name]a_rather_long_name/production[/]", "reconfigure", "1a2b3c4", "rolled back", "3"),
    ("[name]api/staging[/]", "deploy", "none", "converged", ""),
]
NOTES = ["the health check did not answer in time", ""]


def printed(width: int, *, is_terminal: bool = True, spare: tuple[str, ...] = ("TRIES", "FROM")) -> list[str]:
    out = Console(
        file=io.StringIO(),
        theme=THEME,
        width=width,
        force_terminal=is_terminal,
        no_color=True,
        soft_wrap=not is_terminal,
    )
    print_rows(out, HEADINGS, ROWS, NOTES, note="MESSAGE", spare=spare)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]


def test_where_there_is_room_every_column_stays_and_the_note_is_below():
    lines = printed(100)

    assert lines[0].split() == list(HEADINGS)
    assert lines[1].split()[-1] == "3"
    assert lines[2] == "    the health check did not answer in time"
    assert len(lines) == 4


def test_columns_that_can_be_spared_go_below_one_by_one():
    lines = printed(68)

    assert lines[0].split() == ["TARGET", "ACTION", "FROM", "OUTCOME"]
    assert lines[1].endswith("rolled back")
    assert lines[2:4] == ["    the health check did not answer in time", "    tries 3"]
    assert lines[4].startswith("api/staging")
    assert len(lines) == 5  # nothing is said of a cell that is empty


@pytest.mark.parametrize("width", [30, 40, 50, 60, 80])
def test_no_line_is_wider_than_the_terminal_and_each_word_is_somewhere(width: int):
    lines = printed(width)

    assert max(map(len, lines)) <= width
    said = "".join(line.strip() for line in lines).replace(" ", "")
    for word in ("a_rather_long_name/production", "reconfigure", "1a2b3c4", "rolledback", "answerintime"):
        assert word in said


def test_piped_a_row_is_one_line_with_the_note_last():
    lines = printed(10_000, is_terminal=False)

    assert lines[0].split() == [*HEADINGS, "MESSAGE"]
    assert lines[1].endswith(NOTES[0])
    assert len(lines) == 3
