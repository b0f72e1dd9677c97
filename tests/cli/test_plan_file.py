"""`plan --out`: a file that is whole, for its owner alone, and never instead of something else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fraisier.cli.plan_file import check_place, save_plan
from fraisier.model.errors import Refused
from fraisier.model.plan import Basis, Plan
from fraisier.planning.saved import read_saved

EMPTY = Plan(Basis("web-1", "c" * 64))
OTHER = Plan(Basis("web-2", "c" * 64))


def test_a_plan_is_saved_for_its_owner_alone_with_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    os.umask(os.umask(0))

    save_plan(str(path), EMPTY)

    assert read_saved(path.read_text()).server == "web-1"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]


def test_an_older_plan_gives_way_whatever_its_version(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save_plan(str(path), EMPTY)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": "9.0"}))

    save_plan(str(path), OTHER)

    assert read_saved(path.read_text()).server == "web-2"


@pytest.mark.parametrize("content", [b"", b"precious", b"[]", b'{"plan_hash": 1}', b"\xff\xfe"])
def test_what_is_no_plan_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)

    with pytest.raises(Refused, match="is there and is no plan"):
        check_place(str(path))
    with pytest.raises(Refused, match="is there and is no plan"):
        save_plan(str(path), EMPTY)

    assert path.read_bytes() == content


def test_a_folder_and_a_dangling_link_are_no_plan(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")

    for path in (tmp_path, tmp_path / "link"):
        with pytest.raises(Refused, match="no plan"):
            check_place(str(path))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="none is no folder"):
        check_place(str(tmp_path / "none" / "plan.json"))


def test_where_nothing_can_be_written_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)

    with pytest.raises(Refused, match="cannot be written: File name too long"):
        save_plan(str(path), EMPTY)

    assert list(tmp_path.iterdir()) == []
