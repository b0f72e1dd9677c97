"""Git: real repositories and those in memory are read alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fraisier.host.git import GitRemotes
from fraisier.host.interrupt import Interruption
from fraisier.host.processes import Processes
from fraisier.model.config import Git, Verification
from fraisier.model.errors import RevisionFault, Transient
from fraisier.model.selection import Branch, Exact, Pick, TagRange
from fraisier.testing import FakeHost
from fraisier.testing.clock import START
from tests.support.gitrepo import Origin
from tests.support.signing import SshKey


class Real:
    """A repository that others push to, and what it is signed with."""

    def __init__(self, folder: Path) -> None:
        self._origin = Origin(folder / "origin")
        self._key = SshKey(folder, "ann")
        (folder / "signers").write_text(self._key.line("ann@example.com"))
        self.signers = str(folder / "signers")
        self.git = GitRemotes(str(folder / "state"), Git(), Processes("contracts"))
        self.remote = self._origin.path
        self.missing = str(folder / "missing")
        self.interrupt: Any = Interruption()

    def push(self, label: str, *, signed: bool = False) -> str:
        return self._origin.commit({"file": label}, label, sign=self._key.sign if signed else ())

    def tag(self, name: str, *, signed: bool = False) -> None:
        self._origin.tag(name, sign=self._key.sign if signed else ())

    def branch(self, name: str) -> None:
        self._origin.git("branch", name)

    def rewind(self, to: str) -> None:
        self._origin.rewind(to)
        self._origin.prune()


class Fake:
    def __init__(self) -> None:
        host = FakeHost()
        self.git = host.git
        self.remote = "/git/shop.git"
        self.missing = "/git/missing.git"
        self.signers = "/signers"
        self.interrupt = host.interrupt()
        self._origin = host.git.remote(self.remote)

    def push(self, label: str, *, signed: bool = False) -> str:
        sha = self._origin.push("main", label)
        self._origin.files[sha] = {"file": label.encode()}
        if signed:
            self._origin.signed.add(sha)
        return sha

    def tag(self, name: str, *, signed: bool = False) -> None:
        self._origin.tags[name] = self._origin.branches["main"]
        if signed:
            self._origin.signed.add(name)

    def branch(self, name: str) -> None:
        self._origin.branches[name] = self._origin.branches["main"]

    def rewind(self, to: str) -> None:
        self._origin.branches["main"] = to


Side = Real | Fake


@pytest.fixture(params=["real", "fake"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Side:
    return Real(tmp_path) if request.param == "real" else Fake()


def test_heads_are_those_that_exist(side: Side) -> None:
    sha = side.push("a")

    assert side.git.heads(side.remote, [Branch("main"), Branch("never")]) == {Branch("main"): Pick("main", sha)}


def test_a_remote_that_is_not_there_is_no_empty_one(side: Side) -> None:
    with pytest.raises(Transient):
        side.git.heads(side.missing, [Branch("main")])


def test_lineage_of_what_was_fetched(side: Side) -> None:
    first, second = side.push("a"), side.push("b")
    before = side.git.has(side.remote, second)

    side.git.fetch(side.remote, "main", second, side.interrupt)
    side.git.fetch(side.remote, "main", second, side.interrupt)

    assert (before, side.git.has(side.remote, first)) == (False, True)
    assert side.git.lineage(side.remote, first, second) == ("descends", 1)
    assert side.git.lineage(side.remote, second, first)[0] == "rewind"
    assert side.git.lineage(side.remote, first, first)[0] == "same"
    assert [commit.sha for commit in side.git.log(side.remote, first, second, 9)] == [second]


def test_a_fork_does_not_descend(side: Side) -> None:
    base, left = side.push("a"), side.push("b")
    side.git.fetch(side.remote, "main", left, side.interrupt)
    side.rewind(base)
    right = side.push("c")

    side.git.fetch(side.remote, "main", right, side.interrupt)

    assert side.git.lineage(side.remote, left, right)[0] == "rewind"
    assert side.git.lineage(side.remote, base, right) == ("descends", 1)


def test_what_was_not_fetched_is_unknown(side: Side) -> None:
    first = side.push("a")
    side.git.fetch(side.remote, "main", first, side.interrupt)

    assert side.git.lineage(side.remote, first, "0" * 40) == ("unknown", None)
    assert side.git.log(side.remote, "0" * 40, first, 9) == ()
    assert side.git.log(side.remote, None, "0" * 40, 9) == ()


def test_the_newest_tag_of_a_range_is_picked_and_commits_are_what_they_are(side: Side) -> None:
    side.push("a")
    side.tag("v1.2.0")
    newest = side.push("b")
    side.tag("v1.10.0")
    exact = Exact("0" * 40)

    heads = side.git.heads(side.remote, [TagRange("v1.*"), TagRange("v2.*"), exact])

    assert heads == {TagRange("v1.*"): Pick("v1.10.0", newest), exact: Pick("", exact.sha)}


def test_a_named_commit_needs_no_remote(side: Side) -> None:
    exact = Exact("0" * 40)

    assert side.git.heads(side.missing, [exact]) == {exact: Pick("", exact.sha)}


def test_a_commit_is_fetched_by_tag_by_its_own_name_and_by_a_name_that_misleads(side: Side) -> None:
    first = side.push("a")
    side.tag("v1.0.0")
    second = side.push("b")
    third = side.push("c")

    side.git.fetch(side.remote, "v1.0.0", first, side.interrupt)
    side.git.fetch(side.remote, "", second, side.interrupt)
    side.git.fetch(side.remote, "never", third, side.interrupt)

    assert all(side.git.has(side.remote, sha) for sha in (first, second, third))


def test_a_commit_that_was_forced_away_is_gone_and_one_that_a_person_named_is_missing(side: Side) -> None:
    base, away = side.push("a"), side.push("b")
    side.rewind(base)

    with pytest.raises(Transient) as gone:
        side.git.fetch(side.remote, "main", away, side.interrupt)
    with pytest.raises(RevisionFault) as missing:
        side.git.fetch(side.remote, "", away, side.interrupt)

    assert (gone.value.code, missing.value.code) == ("revision_gone", "revision_missing")


@pytest.mark.parametrize("what", ["head", "tag", "both"])
@pytest.mark.parametrize("signed", [{"head"}, {"tag"}, {"head", "tag"}])
def test_what_is_asked_for_has_to_be_signed(side: Side, what: str, signed: set[str]) -> None:
    sha = side.push("a", signed="head" in signed)
    side.tag("v1.0.0", signed="tag" in signed)
    verification = Verification(what, side.signers)  # type: ignore[arg-type]
    before = side.git.signature(side.remote, "v1.0.0", sha, verification)

    side.git.fetch(side.remote, "v1.0.0", sha, side.interrupt)

    after = side.git.signature(side.remote, "v1.0.0", sha, verification)
    asked = {"head", "tag"} if what == "both" else {what}
    assert (before.is_good, after.is_good) == (None, asked <= signed)
    assert after.message


def test_a_tag_that_is_asked_for_has_to_be_one(side: Side) -> None:
    sha = side.push("a", signed=True)
    side.branch("stable")
    verification = Verification("tag", side.signers)

    side.git.fetch(side.remote, "stable", sha, side.interrupt)

    assert side.git.signature(side.remote, "stable", sha, verification).is_good is False
    assert side.git.signature(side.remote, "", sha, verification).is_good is False
    assert side.git.signature(side.remote, "v1.0.0", sha, verification).is_good is None


def test_a_tag_that_was_picked_comes_along_although_its_commit_is_here(side: Side) -> None:
    sha = side.push("a")
    side.git.fetch(side.remote, "main", sha, side.interrupt)
    side.tag("v1.0.0", signed=True)
    side.git.heads(side.remote, [TagRange("v1.*")])
    verification = Verification("tag", side.signers)
    before = side.git.signature(side.remote, "v1.0.0", sha, verification)

    side.git.fetch(side.remote, "v1.0.0", sha, side.interrupt)

    after = side.git.signature(side.remote, "v1.0.0", sha, verification)
    assert (before.is_good, after.is_good) == (None, True)


def test_files_and_dates_are_those_of_the_commit(side: Side) -> None:
    first, second = side.push("a"), side.push("b")
    assert side.git.read_file(side.remote, first, "file") is None
    assert side.git.committed_at(side.remote, first) is None

    side.git.fetch(side.remote, "main", second, side.interrupt)

    assert side.git.read_file(side.remote, first, "file") == b"a"
    assert side.git.read_file(side.remote, second, "file") == b"b"
    assert side.git.read_file(side.remote, second, "other") is None
    assert side.git.committed_at(side.remote, second) == START
