"""Git: real repositories and those in memory are read alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fraisier.host.git import GitRemotes
from fraisier.host.interrupt import Interruption
from fraisier.host.processes import Processes
from fraisier.model.config import Git
from fraisier.model.errors import Transient
from fraisier.testing import FakeHost
from tests.support.gitrepo import Origin


@dataclass(frozen=True)
class Side:
    git: Any
    remote: str
    push: Callable[[str], str]
    rewind: Callable[[str], None]
    missing: str
    interrupt: Any


@pytest.fixture(params=["real", "fake"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Side:
    if request.param == "real":
        origin = Origin(tmp_path / "origin")
        git = GitRemotes(str(tmp_path / "state"), Git(), Processes("contracts"))
        commit: Callable[[str], str] = lambda label: origin.commit({"file": label}, label)  # noqa: E731 - one of a pair
        return Side(git, origin.path, commit, origin.rewind, str(tmp_path / "missing"), Interruption())
    host = FakeHost()
    remote = host.git.remote("/git/shop.git")
    return Side(
        host.git,
        "/git/shop.git",
        lambda label: remote.push("main", label),
        lambda sha: remote.branches.update(main=sha),
        "/git/missing.git",
        host.interrupt(),
    )


def test_heads_are_those_that_exist(side: Side) -> None:
    sha = side.push("a")

    assert side.git.heads(side.remote, ["main", "never"]) == {"main": sha}


def test_a_remote_that_is_not_there_is_no_empty_one(side: Side) -> None:
    with pytest.raises(Transient):
        side.git.heads(side.missing, ["main"])


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
