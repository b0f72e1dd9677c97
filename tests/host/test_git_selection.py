"""What selections come to, and how a commit is fetched that no branch of a known name leads to."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fraisier.host.git import GitRemotes
from fraisier.host.interrupt import Interruption
from fraisier.host.mirrors import Mirrors
from fraisier.model.errors import ConfigFault, RevisionFault, Transient
from fraisier.model.selection import Branch, Exact, Pick, TagRange
from tests.support.gitremotes import remotes, ssh_stand_in
from tests.support.gitrepo import Origin

GONE = "1" * 40


@pytest.fixture
def git(tmp_path: Path) -> GitRemotes:
    return remotes(tmp_path / "state")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    origin = Origin(tmp_path / "origin")
    origin.commit({"README": "one\n"}, "first")
    return origin


class Counted:
    """The origin behind ssh, which counts who asks; `old`: a server that speaks the protocol of before 2018."""

    def __init__(self, folder: Path, origin: Origin, *, old: bool = False, slow: bool = False) -> None:
        self._calls = folder / "calls"
        before = (
            f"echo call >>{self._calls}" + ("; unset GIT_PROTOCOL" if old else "") + ("; sleep 0.5" if slow else "")
        )
        self.git = remotes(folder / "counted", ssh=ssh_stand_in(folder, before))
        self.remote = f"git@example.com:{origin.path}"

    @property
    def calls(self) -> int:
        return self._calls.read_text().count("call") if self._calls.exists() else 0


def mirrored(git: GitRemotes, remote: str, tag: str) -> str | None:
    return git._mirrors.resolve(remote, Mirrors.tag_ref(tag))


# -- heads ----------------------------------------------------------------------------------------


def test_branches_and_ranges_of_tags_are_answered_by_one_process(tmp_path: Path, origin: Origin) -> None:
    origin.tag("v1.2.0")
    newest = origin.commit()
    origin.tag("v1.10.0")
    origin.tag("v2.0.0-rc1")
    side = Counted(tmp_path, origin)

    wanted = [Branch("main"), TagRange("v1.*"), TagRange("v1.2.*"), TagRange("v3.*"), Exact(GONE)]
    heads = side.git.heads(side.remote, wanted)

    assert heads == {
        Branch("main"): Pick("main", newest),
        TagRange("v1.*"): Pick("v1.10.0", newest),
        TagRange("v1.2.*"): Pick("v1.2.0", origin.head("HEAD~1")),
        Exact(GONE): Pick("", GONE),
    }
    assert side.calls == 1


def test_commits_that_are_named_cost_no_process(git: GitRemotes, tmp_path: Path) -> None:
    assert git.heads(str(tmp_path / "nothing"), [Exact(GONE)]) == {Exact(GONE): Pick("", GONE)}


@pytest.mark.parametrize("lightweight", [True, False])
def test_a_tag_comes_to_the_commit_it_is_of(git: GitRemotes, origin: Origin, lightweight: bool) -> None:
    tag = origin.tag("v1.0.0", lightweight=lightweight)
    origin.tag("v1.0.1", "v1.0.0")  # a tag of a tag, where that one is annotated

    heads = git.heads(origin.path, [TagRange("1.0.0"), TagRange("1.0.1")])

    assert {pick.sha for pick in heads.values()} == {origin.head()}
    assert (tag == origin.head()) is lightweight


def test_a_tag_and_a_branch_of_one_name_are_told_apart(git: GitRemotes, origin: Origin) -> None:
    origin.tag("v1.0")
    tagged = origin.head()
    origin.git("checkout", "--quiet", "-b", "v1.0")
    branch = origin.commit()

    heads = git.heads(origin.path, [Branch("v1.0"), TagRange("v1.*")])

    assert heads == {Branch("v1.0"): Pick("v1.0", branch), TagRange("v1.*"): Pick("v1.0", tagged)}
    for pick in heads.values():
        git.fetch(origin.path, pick.ref, pick.sha, Interruption())
        assert git.has(origin.path, pick.sha)
    assert mirrored(git, origin.path, "v1.0") == origin.head("refs/tags/v1.0")


def test_what_is_no_range_is_the_fault_of_who_wrote_it(git: GitRemotes, origin: Origin) -> None:
    with pytest.raises(ConfigFault) as caught:
        git.heads(origin.path, [TagRange("one or other")])

    assert caught.value.code == "tag_range"


def test_those_who_ask_for_the_same_selections_at_once_share_one_process(tmp_path: Path, origin: Origin) -> None:
    origin.tag("v1.0.0")
    side = Counted(tmp_path, origin, slow=True)
    wanted = [Branch("main"), TagRange("^1")]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: side.git.heads(side.remote, wanted), range(8)))

    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0]) == 2
    assert side.calls == 1


# -- fetching tags --------------------------------------------------------------------------------


def test_a_tag_that_was_seen_is_fetched_at_once_with_its_object(tmp_path: Path, origin: Origin) -> None:
    tag = origin.tag("v1.0.0")
    side = Counted(tmp_path, origin)
    (pick,) = side.git.heads(side.remote, [TagRange("v1.*")]).values()

    for _ in range(2):
        side.git.fetch(side.remote, pick.ref, pick.sha, Interruption())

    assert side.git.has(side.remote, pick.sha)
    assert mirrored(side.git, side.remote, "v1.0.0") == tag != pick.sha
    assert side.calls == 2  # one listing, one fetch


def test_a_tag_is_fetched_that_nobody_has_seen(git: GitRemotes, origin: Origin) -> None:
    tag, sha = origin.tag("v1.0.0"), origin.head()

    git.fetch(origin.path, "v1.0.0", sha, Interruption())

    assert git.has(origin.path, sha)
    assert mirrored(git, origin.path, "v1.0.0") == tag


def test_a_tag_is_brought_along_for_a_commit_that_came_with_a_branch(git: GitRemotes, origin: Origin) -> None:
    git.fetch(origin.path, "main", origin.head(), Interruption())
    tag = origin.tag("v1.0.0")
    (pick,) = git.heads(origin.path, [TagRange("v1.*")]).values()

    git.fetch(origin.path, pick.ref, pick.sha, Interruption())

    assert mirrored(git, origin.path, "v1.0.0") == tag


def test_a_tag_that_was_made_anew_on_the_same_commit_takes_the_place_of_the_old_one(
    git: GitRemotes, origin: Origin
) -> None:
    origin.tag("v1.0.0", lightweight=True)
    git.heads(origin.path, [TagRange("v1.*")])
    git.fetch(origin.path, "v1.0.0", origin.head(), Interruption())
    tag = origin.tag("v1.0.0")
    git.heads(origin.path, [TagRange("v1.*")])

    git.fetch(origin.path, "v1.0.0", origin.head(), Interruption())

    assert mirrored(git, origin.path, "v1.0.0") == tag


def test_a_tag_that_was_moved_leads_to_the_new_commit_and_the_old_one_stays(git: GitRemotes, origin: Origin) -> None:
    base = origin.head()
    old = origin.commit({"README": "two\n"})
    origin.tag("v1.0.0")
    git.fetch(origin.path, "v1.0.0", old, Interruption())
    origin.rewind(base)
    new = origin.commit({"README": "three\n"})
    tag = origin.tag("v1.0.0")

    git.fetch(origin.path, "v1.0.0", new, Interruption())

    assert git.has(origin.path, old)
    assert git.has(origin.path, new)
    assert mirrored(git, origin.path, "v1.0.0") == tag


def test_a_tag_that_is_deleted_keeps_nobody_from_a_commit_that_is_here(tmp_path: Path, origin: Origin) -> None:
    side = Counted(tmp_path, origin)
    side.git.fetch(side.remote, "main", origin.head(), Interruption())
    origin.tag("v1.0.0")
    side.git.heads(side.remote, [TagRange("v1.*")])
    origin.git("tag", "--delete", "v1.0.0")

    side.git.fetch(side.remote, "v1.0.0", origin.head(), Interruption())

    assert side.git.has(side.remote, origin.head())
    assert mirrored(side.git, side.remote, "v1.0.0") is None
    assert side.calls == 3  # the branch, the listing, the tag that is gone


def test_a_fetched_tag_moves_nothing_else(git: GitRemotes, origin: Origin) -> None:
    git.fetch(origin.path, "main", origin.head(), Interruption())
    before = git._mirrors.resolve(origin.path, Mirrors.branch_ref("main"))
    tagged = origin.commit()
    origin.tag("main")

    git.fetch(origin.path, "main", tagged, Interruption())
    origin.git("tag", "--delete", "main")
    origin.tag("other", origin.commit())
    git.fetch(origin.path, "other", origin.head(), Interruption())

    assert before != tagged
    assert git._mirrors.resolve(origin.path, Mirrors.branch_ref("main")) == tagged


# -- fetching commits by their own name -----------------------------------------------------------


def test_a_commit_is_fetched_by_its_name_alone(tmp_path: Path, origin: Origin) -> None:
    sha = origin.head()
    origin.commit()
    side = Counted(tmp_path, origin)

    side.git.fetch(side.remote, "", sha, Interruption())

    assert side.git.has(side.remote, sha)
    assert side.calls == 1


@pytest.mark.parametrize(("allowed", "calls"), [("true", 1), ("false", 2)])
def test_an_old_server_gives_a_commit_by_name_or_all_it_has(
    tmp_path: Path, origin: Origin, allowed: str, calls: int
) -> None:
    sha = origin.head()
    origin.commit()
    origin.git("config", "uploadpack.allowReachableSHA1InWant", allowed)
    side = Counted(tmp_path, origin, old=True)

    side.git.fetch(side.remote, "", sha, Interruption())

    assert side.git.has(side.remote, sha)
    assert side.calls == calls


def test_a_commit_on_a_tag_only_is_found_on_an_old_server(tmp_path: Path, origin: Origin) -> None:
    base = origin.head()
    sha = origin.commit()
    origin.tag("v1.0.0")
    origin.rewind(base)
    side = Counted(tmp_path, origin, old=True)

    side.git.fetch(side.remote, "main", sha, Interruption())

    assert side.git.has(side.remote, sha)


def test_branches_that_clash_over_time_do_not_keep_a_commit_away(tmp_path: Path, origin: Origin) -> None:
    side = Counted(tmp_path, origin, old=True)
    for branch in ("a", "a/b"):
        origin.git("checkout", "--quiet", "-B", branch)
        sha = origin.commit(message=branch)
        origin.commit()
        side.git.fetch(side.remote, "", sha, Interruption())
        origin.git("checkout", "--quiet", "main")
        origin.git("branch", "--quiet", "-D", branch)
        assert side.git.has(side.remote, sha)


def test_a_commit_that_was_forced_away_is_had_as_long_as_the_remote_keeps_it(git: GitRemotes, origin: Origin) -> None:
    base = origin.head()
    sha = origin.commit()
    origin.rewind(base)

    git.fetch(origin.path, "main", sha, Interruption())

    assert git.has(origin.path, sha)


def test_a_commit_that_a_person_named_and_that_is_nowhere_is_missing(git: GitRemotes, origin: Origin) -> None:
    with pytest.raises(RevisionFault) as caught:
        git.fetch(origin.path, "", GONE, Interruption())

    assert caught.value.code == "revision_missing"
    assert GONE in str(caught.value)


def test_a_name_of_the_wrong_length_is_missing_and_spoils_no_mirror(git: GitRemotes, origin: Origin) -> None:
    for _ in range(2):
        with pytest.raises(RevisionFault) as caught:
            git.fetch(origin.path, "", "1" * 64, Interruption())
        assert caught.value.code == "revision_missing"

    git.fetch(origin.path, "main", origin.head(), Interruption())
    assert git.has(origin.path, origin.head())
    with pytest.raises(RevisionFault):
        git.fetch(origin.path, "", "1" * 64, Interruption())
    assert git.has(origin.path, origin.head())


def test_the_name_of_a_tags_object_is_no_commit(git: GitRemotes, origin: Origin) -> None:
    tag = origin.tag("v1.0.0")

    with pytest.raises(RevisionFault):
        git.fetch(origin.path, "", tag, Interruption())

    assert not git.has(origin.path, tag)


def test_a_remote_that_fails_is_no_missing_commit(git: GitRemotes, tmp_path: Path) -> None:
    with pytest.raises(Transient) as caught:
        git.fetch(str(tmp_path / "nothing"), "", GONE, Interruption())

    assert caught.value.code == "remote_not_found"


def test_tags_of_repositories_with_longer_names_are_read(git: GitRemotes, tmp_path: Path) -> None:
    origin = Origin(tmp_path / "origin256", object_format="sha256")
    sha = origin.commit({"README": "one\n"})
    origin.commit()
    tag = origin.tag("v1.0.0", sha)
    (pick,) = git.heads(origin.path, [TagRange("v1.*")]).values()

    git.fetch(origin.path, pick.ref, pick.sha, Interruption())

    assert pick.sha == sha
    assert mirrored(git, origin.path, "v1.0.0") == tag
    fresh = remotes(tmp_path / "other")
    fresh.fetch(origin.path, "", sha, Interruption())
    assert fresh.read_file(origin.path, sha, "README") == b"one\n"


def test_a_tag_is_found_after_the_mirror_was_packed(git: GitRemotes, origin: Origin) -> None:
    tag = origin.tag("v1.0.0")
    git.fetch(origin.path, "v1.0.0", origin.head(), Interruption())

    subprocess.run(["git", f"--git-dir={git._mirrors.path(origin.path)}", "pack-refs", "--all"], check=True)

    assert mirrored(git, origin.path, "v1.0.0") == tag
    assert mirrored(git, origin.path, "v1.0.1") is None
