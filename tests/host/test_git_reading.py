"""Files, dates and logs of mirrored commits, and looking without leaving a trace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fraisier.host import git_reading
from fraisier.host.git import GitRemotes
from fraisier.host.interrupt import Interruption
from fraisier.model.config import Verification
from fraisier.model.errors import RevisionFault, Transient
from fraisier.model.selection import Branch
from tests.support.gitremotes import remotes
from tests.support.gitrepo import Origin
from tests.support.signing import Gnupg, SshKey, gnupg_home

GONE = "1" * 40


@pytest.fixture
def git(tmp_path: Path) -> GitRemotes:
    return remotes(tmp_path / "state")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin")


@pytest.fixture
def gnupg() -> Iterator[Gnupg]:
    with gnupg_home() as keys:
        yield keys


def fetched(git: GitRemotes, origin: Origin) -> str:
    sha = origin.head()
    git.fetch(origin.path, "main", sha, Interruption())
    return sha


# -- files ----------------------------------------------------------------------------------------


def test_a_file_is_read_as_it_was_committed(git: GitRemotes, origin: Origin) -> None:
    old = origin.commit({"deploy/api.service": "[Unit]\r\n", "ä b": "odd\n"})
    origin.commit({"deploy/api.service": "new\n", "empty": ""})
    new = fetched(git, origin)

    assert git.read_file(origin.path, old, "deploy/api.service") == b"[Unit]\r\n"
    assert git.read_file(origin.path, new, "./deploy//api.service") == b"new\n"
    assert git.read_file(origin.path, new, "ä b") == b"odd\n"
    assert git.read_file(origin.path, new, "empty") == b""
    assert git.read_file(origin.path, old, "empty") is None


@pytest.mark.parametrize("name", ["*", ":(glob)*", ":/README", "-x", "--all", "[a]", ":!README"])
def test_a_path_is_a_name_and_nothing_else(git: GitRemotes, origin: Origin, name: str) -> None:
    without = origin.commit({"README": "one\n", "a": "two\n"})
    with_it = origin.commit({name: "itself\n"}) if not name.startswith(":/") else without
    fetched(git, origin)

    assert git.read_file(origin.path, without, name) is None
    assert git.read_file(origin.path, with_it, name) == (None if with_it == without else b"itself\n")


@pytest.mark.parametrize("path", ["link", "loop/secret", "folder", "folder/", ".", "", "/README", "../README", "a\0b"])
def test_links_and_folders_are_no_files(git: GitRemotes, origin: Origin, path: str) -> None:
    (origin.folder / "link").symlink_to("README")
    (origin.folder / "loop").symlink_to("folder")
    origin.commit({"README": "one\n", "folder/secret": "two\n"})
    sha = fetched(git, origin)

    assert git.read_file(origin.path, sha, path) is None


def test_what_the_mirror_lacks_has_no_files(git: GitRemotes, origin: Origin) -> None:
    origin.commit({"README": "one\n"})
    assert git.read_file(origin.path, origin.head(), "README") is None
    fetched(git, origin)

    assert git.read_file(origin.path, GONE, "README") is None


def test_a_file_that_is_too_large_is_the_revisions_fault(
    git: GitRemotes, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_reading, "LARGEST_FILE", 1 << 20)
    origin.commit({"fits": "x" * (1 << 20), "large": "x" * ((1 << 20) + 1)})
    sha = fetched(git, origin)

    assert git.read_file(origin.path, sha, "fits") == b"x" * (1 << 20)
    with pytest.raises(RevisionFault) as caught:
        git.read_file(origin.path, sha, "large")
    assert caught.value.code == "file_too_large"


def test_a_mirror_that_turns_out_damaged_is_made_again(git: GitRemotes, origin: Origin, tmp_path: Path) -> None:
    origin.commit({"README": "one\n"})
    sha = fetched(git, origin)
    mirror = Path(git._mirrors.path(origin.path))
    subprocess.run(["rm", "-rf", str(mirror / "objects" / "pack")], check=True)

    with pytest.raises(Transient) as caught:
        git.read_file(origin.path, sha, "README")

    assert caught.value.code == "mirror_corrupt"
    fetched(git, origin)
    assert git.read_file(origin.path, sha, "README") == b"one\n"


# -- dates and logs -------------------------------------------------------------------------------


def test_a_commit_knows_when_it_was_committed(git: GitRemotes, origin: Origin) -> None:
    origin.commit()
    origin.git("commit", "--amend", "--quiet", "--allow-empty", "--no-edit", "--date=2020-01-01T00:00:00Z")
    unknown = git.committed_at(origin.path, origin.head())
    sha = fetched(git, origin)

    assert git.committed_at(origin.path, sha) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert git.log(origin.path, None, sha, 1)[0].at == datetime(2020, 1, 1, tzinfo=UTC)
    assert (unknown, git.committed_at(origin.path, GONE)) == (None, None)


def test_a_date_that_is_none_is_not_known(git: GitRemotes, origin: Origin) -> None:
    origin.commit()
    raw = origin.folder / "raw"
    raw.write_text(f"tree {origin.head('HEAD^{tree}')}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> \n\nodd\n")
    origin.git(
        "update-ref", "refs/heads/main", origin.git("hash-object", "-t", "commit", "-w", "--literally", str(raw))
    )
    sha = fetched(git, origin)

    assert git.committed_at(origin.path, sha) is None


def test_the_log_goes_back_to_where_two_lines_part(git: GitRemotes, origin: Origin) -> None:
    base = origin.commit()
    left = origin.commit(message="left")
    fetched(git, origin)
    origin.rewind(base)
    origin.commit(message="right")
    right = fetched(git, origin)

    assert [commit.subject for commit in git.log(origin.path, left, right, 9)] == ["right"]
    assert len(git.log(origin.path, None, right, 1)) == 1


# -- without a trace ------------------------------------------------------------------------------


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    found = {str(path): path.lstat() for path in [folder, *folder.rglob("*")]}
    return {path: (stat.st_mtime_ns, stat.st_size) for path, stat in found.items()}


LOOK = """
import os, sys
from pathlib import Path
from fraisier.host.interrupt import Interruption
from fraisier.model.config import Verification
from tests.support.gitremotes import remotes
state, remote, base, sha, signers = sys.argv[1:]
git = remotes(Path(state), traceless=True)
known = git.has(remote, base)
git.fetch(remote, "v1.0.0", sha, Interruption())
signature = git.signature(remote, "v1.0.0", sha, Verification("both", signers))
print(known, git.lineage(remote, base, sha), [commit.subject for commit in git.log(remote, base, sha, 9)],
      git.read_file(remote, sha, "README"), git.committed_at(remote, sha) is not None, signature.is_good)
packs = list(Path(git._mirrors.path(remote)).glob("objects/pack/*.pack"))
print(len(packs), sum(pack.stat().st_size for pack in packs) < 100_000, bool(os.listdir(os.environ["TMPDIR"])))
"""


def test_what_is_missing_is_fetched_without_a_trace(git: GitRemotes, origin: Origin, tmp_path: Path) -> None:
    ann = SshKey(tmp_path, "ann")
    (tmp_path / "signers").write_text(ann.line("ann@example.com"))
    (origin.folder / "large").write_bytes(os.urandom(1 << 20))
    origin.commit({"README": "one\n"})
    base = fetched(git, origin)
    sha = origin.commit({"README": "two\n"}, "news", sign=ann.sign)
    origin.tag("v1.0.0", sign=ann.sign)
    before = everything(tmp_path / "state")
    (tmp_path / "tmp").mkdir()

    arguments = [str(tmp_path / "state"), origin.path, base, sha, str(tmp_path / "signers")]
    looked = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOK, *arguments],
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )

    said, scratch = looked.stdout.splitlines()
    assert said == "True ('descends', 1) ['news'] b'two\\n' True True"
    assert scratch == "1 True True"  # only what is new was fetched, and to where it goes with the process
    assert os.listdir(tmp_path / "tmp") == []
    assert everything(tmp_path / "state") == before


def test_a_look_where_nothing_was_ever_made_makes_nothing(origin: Origin, tmp_path: Path) -> None:
    origin.commit({"README": "one\n"})
    git = remotes(tmp_path / "state", traceless=True)
    ann = SshKey(tmp_path, "ann")
    (tmp_path / "signers").write_text(ann.line("ann@example.com"))

    assert git.heads(origin.path, [Branch("main")])
    sha = fetched(git, origin)

    assert git.read_file(origin.path, sha, "README") == b"one\n"
    assert git.signature(origin.path, "main", sha, Verification("head", str(tmp_path / "signers"))).is_good is False
    assert not (tmp_path / "state").exists()


@pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gnupg")
def test_openpgp_is_verified_without_a_trace(origin: Origin, tmp_path: Path, gnupg: Gnupg) -> None:
    known = gnupg.make("known")
    (tmp_path / "keys").write_text(gnupg.export(known))
    origin.commit(sign=gnupg.sign(known))
    git = remotes(tmp_path / "state", traceless=True)
    sha = fetched(git, origin)
    before = set(Path(tempfile.gettempdir()).glob("gnupg*"))

    assert git.signature(origin.path, "main", sha, Verification("head", gpg_keys=str(tmp_path / "keys"))).is_good
    assert not (tmp_path / "state").exists()
    assert set(Path(tempfile.gettempdir()).glob("gnupg*")) == before


@pytest.mark.parametrize("left", [b"", b"garbage", None])
def test_a_look_past_a_damaged_mirror_leaves_it_to_its_owner(
    git: GitRemotes, origin: Origin, tmp_path: Path, left: bytes | None
) -> None:
    origin.commit({"README": "one\n"})
    fetched(git, origin)
    for pack in Path(git._mirrors.path(origin.path)).glob("objects/pack/*"):
        pack.unlink()
        if left is not None:
            pack.write_bytes(left)
    before = everything(tmp_path / "state")
    origin.commit({"README": "two\n"})
    looking = remotes(tmp_path / "state", traceless=True)

    sha = fetched(looking, origin)

    assert looking.read_file(origin.path, sha, "README") == b"two\n"
    assert everything(tmp_path / "state") == before


def test_refs_that_are_damaged_are_not_borrowed_twice(git: GitRemotes, origin: Origin, tmp_path: Path) -> None:
    origin.commit({"README": "one\n"})
    fetched(git, origin)
    next(Path(git._mirrors.path(origin.path)).glob("refs/fraisier/*")).write_bytes(b"\0" * 41)
    origin.commit({"README": "two\n"})
    looking = remotes(tmp_path / "state", traceless=True)

    sha = fetched(looking, origin)

    assert looking.read_file(origin.path, sha, "README") == b"two\n"


def test_a_mirror_whose_damage_shows_at_a_look_is_left_to_its_owner(
    git: GitRemotes, origin: Origin, tmp_path: Path
) -> None:
    origin.commit({"README": "one\n"})
    sha = fetched(git, origin)
    looking = remotes(tmp_path / "state", traceless=True)
    assert looking.has(origin.path, sha)
    for pack in Path(git._mirrors.path(origin.path)).glob("objects/pack/*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(b"x" * pack.stat().st_size)
    before = everything(tmp_path / "state")

    with pytest.raises(Transient):
        looking.read_file(origin.path, sha, "README")
    fetched(looking, origin)

    assert looking.read_file(origin.path, sha, "README") == b"one\n"
    assert everything(tmp_path / "state") == before
