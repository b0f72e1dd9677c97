"""Names that others choose: of refs, files and folders."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fraisier.host.crashes import CrashNotes
from fraisier.host.files import as_fault, shown
from fraisier.host.git import GitRemotes
from fraisier.host.git_names import is_ref
from fraisier.host.mounts import mounted_below
from fraisier.host.release_removal import remove_app
from fraisier.model.errors import ConfigFault
from fraisier.model.selection import Branch, Pick, TagRange
from fraisier.store.values import to_json
from tests.support.gitremotes import remotes
from tests.support.gitrepo import Origin


@pytest.fixture
def git(tmp_path: Path) -> GitRemotes:
    return remotes(tmp_path)


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085"])
def test_a_ref_whose_name_has_lines_passes_for_no_other(tmp_path: Path, git: GitRemotes, separator: str):
    origin = Origin(tmp_path / "origin")
    good = origin.commit({"a": "1"})
    origin.git("tag", "v1.0.0")
    origin.git("checkout", "-q", "-b", "other")
    evil = origin.commit({"a": "2"})
    origin.git("checkout", "-q", "main")
    origin.git("update-ref", f"refs/heads/main{separator}/refs/heads/main", evil)
    origin.git("update-ref", f"refs/tags/v9.0.0{separator}x", evil)

    found = git.heads(str(origin.path), [Branch("main"), TagRange("*")])

    assert found == {Branch("main"): Pick("main", good), TagRange("*"): Pick("v1.0.0", good)}
    assert not is_ref(f"a{separator}b")


def test_a_path_that_is_no_text_can_be_told_and_kept():
    path = os.fsdecode(b"bad\xff\x1b[2Jname")

    told = shown(path)

    assert told.isprintable()
    assert "\\xff" in told
    assert str(as_fault("reading", OSError(13, "Permission denied", path))).isprintable()
    assert to_json({"path": path}).encode()


def test_a_folder_that_only_begins_like_a_release_is_a_strangers(tmp_path: Path):
    app = tmp_path / "app"
    releases = app / "releases"
    for name in ("a" * 40, "a" * 40 + ".0123abcd", "a" * 40 + ".0123abcd.2", "a" * 40 + ".backup-by-ann"):
        (releases / name).mkdir(parents=True)
    (app / ".fraisier").mkdir(mode=0o700)

    remove_app(str(app))

    assert os.listdir(releases) == ["a" * 40 + ".backup-by-ann"]


def test_what_is_mounted_below_is_found_and_never_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert mounted_below("/proc") == "/proc"
    assert mounted_below(str(tmp_path)) is None
    app = tmp_path / "app"
    (app / "releases" / ("a" * 40)).mkdir(parents=True)
    (app / ".fraisier").mkdir(mode=0o700)
    # A mount needs more rights than tests have everywhere: the place is said, the rest is real.
    monkeypatch.setattr("fraisier.host.release_removal.mounted_below", lambda _: str(app / "releases" / "x"))

    with pytest.raises(ConfigFault, match="mounted"):
        remove_app(str(app))

    assert (app / "releases" / ("a" * 40)).is_dir()


def test_damaged_notes_of_crashes_end_nothing(tmp_path: Path):
    notes, now = tmp_path / "crashes", datetime.now(UTC)
    notes.write_bytes(b"\xff\xfe\n" + now.isoformat().encode() + b"\n")

    assert CrashNotes(notes).count(now, timedelta(minutes=1)) == 1
