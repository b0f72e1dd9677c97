"""Signatures made with keys of this minute, verified by the real ssh-keygen and gpg."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fraisier.host import git_signatures
from fraisier.host.git import GitRemotes
from fraisier.host.interrupt import Interruption
from fraisier.model.config import Verification
from fraisier.model.errors import ConfigFault
from fraisier.model.selection import TagRange
from fraisier.model.state import Signature
from tests.support.gitremotes import remotes
from tests.support.gitrepo import Origin
from tests.support.signing import Gnupg, Options, SshKey, gnupg_home

ANN, BOB = "ann@example.com", "bob@example.com"

needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gnupg")


@pytest.fixture
def git(tmp_path: Path) -> GitRemotes:
    return remotes(tmp_path / "state")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin")


@pytest.fixture
def ann(tmp_path: Path) -> SshKey:
    return SshKey(tmp_path, "ann")


@pytest.fixture
def signers(tmp_path: Path, ann: SshKey) -> Path:
    path = tmp_path / "signers"
    path.write_text("# who may deploy\n" + ann.line(ANN))
    return path


@pytest.fixture
def gnupg() -> Iterator[Gnupg]:
    with gnupg_home() as keys:
        yield keys


def ssh(path: Path, what: str = "head") -> Verification:
    return Verification(what, ssh_allowed_signers=str(path))  # type: ignore[arg-type]


def fetched(git: GitRemotes, origin: Origin, verification: Verification, ref: str = "main") -> Signature:
    sha = origin.head(f"{ref}^{{commit}}")
    git.fetch(origin.path, ref, sha, Interruption())
    return git.signature(origin.path, ref, sha, verification)


# -- SSH ------------------------------------------------------------------------------------------


def test_a_commit_that_an_allowed_signer_signed_is_good(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path
) -> None:
    sha = origin.commit(sign=ann.sign)

    found = fetched(git, origin, ssh(signers))

    assert found.is_good is True
    assert found.message == f"commit {sha[:7]} is signed by {ANN} (ED25519 key {ann.fingerprint})"


def test_what_is_not_signed_is_not_good(git: GitRemotes, origin: Origin, signers: Path) -> None:
    sha = origin.commit()

    assert fetched(git, origin, ssh(signers)) == Signature(False, f"commit {sha[:7]} is not signed")


def test_a_stranger_is_named_by_the_key(git: GitRemotes, origin: Origin, signers: Path, tmp_path: Path) -> None:
    stranger = SshKey(tmp_path, "stranger")
    sha = origin.commit(sign=stranger.sign)

    found = fetched(git, origin, ssh(signers))

    said = f"commit {sha[:7]} is signed with the ED25519 key {stranger.fingerprint}, which is not in {signers}"
    assert found == Signature(False, said)


def test_a_commit_that_was_changed_after_it_was_signed_is_not_good(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path
) -> None:
    origin.commit(message="honest", sign=ann.sign)
    raw = origin.folder / "raw"
    raw.write_text(origin.git("cat-file", "commit", "HEAD").replace("honest", "forged") + "\n")
    origin.git("update-ref", "refs/heads/main", origin.git("hash-object", "-t", "commit", "-w", str(raw)))

    found = fetched(git, origin, ssh(signers))

    assert found.is_good is False
    assert "incorrect signature" in found.message


@pytest.mark.parametrize(
    ("options", "is_good", "says"),
    [
        ('valid-before="20250101Z"', False, "key has expired"),
        ('valid-after="20270101Z"', False, "key is not yet valid"),
        ('valid-after="20250101Z",valid-before="20270101Z"', True, ANN),
        ('namespaces="file"', False, "not permitted for use in signature namespace"),
        ('namespaces="git"', True, ANN),
    ],
)
def test_an_allowed_signer_is_one_at_the_time_of_the_commit_and_for_git(  # the commit is of 2026-01-02
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path, options: str, is_good: bool, says: str
) -> None:
    signers.write_text(ann.line(ANN, options))
    origin.commit(sign=ann.sign)

    found = fetched(git, origin, ssh(signers))

    assert found.is_good is is_good
    assert says in found.message


def test_who_has_a_certificate_of_an_authority_is_an_allowed_signer(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path, tmp_path: Path
) -> None:
    authority = SshKey(tmp_path, "authority")
    authority.certify(ann, ANN)
    ann.path = Path(f"{ann.path}-cert.pub")
    signers.write_text(authority.line("*@example.com", "cert-authority"))
    origin.commit(sign=ann.sign)

    found = fetched(git, origin, ssh(signers))

    assert found.is_good is True
    assert ANN in found.message


def test_lines_that_are_no_keys_are_passed_over(git: GitRemotes, origin: Origin, ann: SshKey, signers: Path) -> None:
    signers.write_text(f"{BOB} ssh-ed25519\n" + ann.line(ANN))
    origin.commit(sign=ann.sign)

    assert fetched(git, origin, ssh(signers)).is_good is True


def test_longer_object_names_are_verified_too(git: GitRemotes, tmp_path: Path, ann: SshKey, signers: Path) -> None:
    origin = Origin(tmp_path / "origin256", object_format="sha256")
    origin.commit(sign=ann.sign)
    origin.tag("v1.0.0", sign=ann.sign)

    assert fetched(git, origin, ssh(signers, "both"), "v1.0.0").is_good is True


# -- tags -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["head", "tag", "both"])
@pytest.mark.parametrize("signed", [{"head"}, {"tag"}, {"head", "tag"}, set()])
def test_what_is_asked_for_has_to_be_signed(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path, what: str, signed: set[str]
) -> None:
    origin.commit(sign=ann.sign if "head" in signed else ())
    origin.tag("v1.0.0", sign=ann.sign if "tag" in signed else ())

    found = fetched(git, origin, ssh(signers, what), "v1.0.0")

    asked = {"head", "tag"} if what == "both" else {what}
    assert found.is_good is (asked <= signed)
    assert found.is_good or "is not signed" in found.message


def test_a_lightweight_tag_bears_no_signature(git: GitRemotes, origin: Origin, ann: SshKey, signers: Path) -> None:
    origin.commit(sign=ann.sign)
    origin.tag("v1.2", lightweight=True)

    found = fetched(git, origin, ssh(signers, "tag"), "v1.2")

    assert found == Signature(False, "v1.2 is a lightweight tag; tags must be signed")


def test_a_signed_tag_under_another_name_is_not_good(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path
) -> None:
    origin.commit()
    old = origin.tag("v1.0.0", sign=ann.sign)
    origin.git("update-ref", "refs/tags/v9.0.0", old)

    found = fetched(git, origin, ssh(signers, "tag"), "v9.0.0")

    assert found == Signature(False, "tag v9.0.0 was made as v1.0.0 and has been given another name since")


def test_a_tag_that_was_signed_afterwards_is_good_once_it_is_fetched(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path
) -> None:
    sha = origin.commit()
    origin.tag("v1.0.0", lightweight=True)
    git.heads(origin.path, [TagRange("v1.*")])
    before = fetched(git, origin, ssh(signers, "tag"), "v1.0.0")
    origin.tag("v1.0.0", sign=ann.sign)
    git.heads(origin.path, [TagRange("v1.*")])

    seen = git.signature(origin.path, "v1.0.0", sha, ssh(signers, "tag"))
    after = fetched(git, origin, ssh(signers, "tag"), "v1.0.0")

    assert (before.is_good, seen.is_good, after.is_good) == (False, None, True)


def test_a_tag_that_was_moved_vouches_for_its_new_commit_only(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path
) -> None:
    old = origin.commit()
    origin.tag("v1.0.0", sign=ann.sign)
    first = fetched(git, origin, ssh(signers, "tag"), "v1.0.0")
    origin.commit()
    origin.tag("v1.0.0", sign=ann.sign)

    second = fetched(git, origin, ssh(signers, "tag"), "v1.0.0")

    assert (first.is_good, second.is_good) == (True, True)
    assert git.signature(origin.path, "v1.0.0", old, ssh(signers, "tag")).is_good is False


def test_a_commit_that_was_selected_without_a_tag_has_no_tag_to_be_signed(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path
) -> None:
    sha = origin.commit(sign=ann.sign)

    by_branch = fetched(git, origin, ssh(signers, "tag"))
    by_name = git.signature(origin.path, "", sha, ssh(signers, "both"))

    assert (by_branch.is_good, by_name.is_good) == (False, False)
    assert "main is a branch" in by_branch.message


def test_what_is_not_fetched_is_neither_good_nor_bad(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path
) -> None:
    sha = origin.commit(sign=ann.sign)
    origin.tag("v1.0.0", sign=ann.sign)

    nothing = git.signature(origin.path, "main", sha, ssh(signers))
    git.fetch(origin.path, "", sha, Interruption())
    no_tag = git.signature(origin.path, "v1.0.0", sha, ssh(signers, "both"))

    assert (nothing.is_good, no_tag.is_good) == (None, None)


# -- OpenPGP --------------------------------------------------------------------------------------


def gpg(path: Path, what: str = "head") -> Verification:
    return Verification(what, gpg_keys=str(path))  # type: ignore[arg-type]


@needs_gpg
def test_the_keys_of_the_file_are_good_and_no_others(
    git: GitRemotes, origin: Origin, gnupg: Gnupg, tmp_path: Path
) -> None:
    known, other, stranger = gnupg.make("known"), gnupg.make("other"), gnupg.make("stranger")
    keys = tmp_path / "keys.asc"
    keys.write_text(gnupg.export(known, other))

    def signed(fingerprint: str) -> Signature:
        origin.commit(sign=gnupg.sign(fingerprint))
        return fetched(git, origin, gpg(keys))

    good, also_good, bad = signed(known), signed(other), signed(stranger)

    assert (good.is_good, also_good.is_good, bad.is_good) == (True, True, False)
    assert good.message.endswith(f"is signed by known <known@example.com> (OpenPGP key {known})")
    assert bad.message.endswith(f"is signed with the OpenPGP key {stranger}, which is not in {keys}")


@needs_gpg
def test_keys_that_are_expired_or_revoked_and_signatures_that_are_over_are_not_good(
    git: GitRemotes, origin: Origin, gnupg: Gnupg, tmp_path: Path
) -> None:
    then = "20200101T000000"
    expired, revoked, good = gnupg.make("old", at=then, lasts="5d"), gnupg.make("revoked"), gnupg.make("good", at=then)
    keys = tmp_path / "keys.asc"

    def signed(sign: Options) -> Signature:
        origin.commit(sign=sign)
        return fetched(git, origin, gpg(keys))

    signs = [gnupg.sign(expired, at=then), gnupg.sign(revoked), gnupg.sign(good, at=then, lasts="1d")]
    keys.write_text(gnupg.export(expired, revoked, good))
    before = signed(signs[1])
    origin.commit()
    revoked_sign = origin.head("HEAD~1")
    gnupg.revoke(revoked)
    keys.write_text(gnupg.export(expired, revoked, good))

    assert before.is_good is True
    assert "whose key has expired" in (found := signed(signs[0])).message
    assert found.is_good is False
    assert "whose key is revoked" in (found := git.signature(origin.path, "main", revoked_sign, gpg(keys))).message
    assert found.is_good is False
    assert "whose signature has expired" in (found := signed(signs[2])).message
    assert found.is_good is False


@needs_gpg
def test_a_tag_signed_with_openpgp_is_good(git: GitRemotes, origin: Origin, gnupg: Gnupg, tmp_path: Path) -> None:
    known = gnupg.make("known")
    keys = tmp_path / "keys.gpg"
    keys.write_bytes(b"")
    gnupg.gpg("--yes", "--output", str(keys), "--export", known)  # not armoured
    origin.commit()
    origin.tag("v1.0.0", sign=gnupg.sign(known))

    assert fetched(git, origin, gpg(keys, "tag"), "v1.0.0").is_good is True
    assert fetched(git, origin, gpg(keys, "both"), "v1.0.0").is_good is False


@needs_gpg
def test_with_both_files_either_signature_is_good(
    git: GitRemotes, origin: Origin, gnupg: Gnupg, ann: SshKey, signers: Path, tmp_path: Path
) -> None:
    known = gnupg.make("known")
    keys = tmp_path / "keys.asc"
    keys.write_text(gnupg.export(known))
    both = Verification("both", str(signers), str(keys))
    origin.commit(sign=ann.sign)
    origin.tag("v1.0.0", sign=gnupg.sign(known))

    found = fetched(git, origin, both, "v1.0.0")

    assert found.is_good is True
    assert ANN in found.message
    assert known in found.message


@needs_gpg
def test_a_signature_of_the_other_sort_is_not_good(
    git: GitRemotes, origin: Origin, gnupg: Gnupg, ann: SshKey, signers: Path, tmp_path: Path
) -> None:
    known = gnupg.make("known")
    keys = tmp_path / "keys.asc"
    keys.write_text(gnupg.export(known))
    origin.commit(sign=gnupg.sign(known))
    by_gpg = fetched(git, origin, ssh(signers))
    origin.commit(sign=ann.sign)
    by_ssh = fetched(git, origin, gpg(keys))

    assert (by_gpg.is_good, by_ssh.is_good) == (False, False)
    assert "ssh_allowed_signers" not in by_gpg.message
    assert "names no gpg_keys" in by_gpg.message
    assert "names no ssh_allowed_signers" in by_ssh.message


@needs_gpg
def test_a_name_with_control_characters_is_shown_without_them(
    git: GitRemotes, origin: Origin, gnupg: Gnupg, tmp_path: Path
) -> None:
    evil = gnupg.make("evil\x1b[31mred")
    keys = tmp_path / "keys.asc"
    keys.write_text(gnupg.export(evil))
    origin.commit(sign=gnupg.sign(evil))

    found = fetched(git, origin, gpg(keys))

    assert found.is_good is True
    assert found.message.isprintable()
    assert "[31mred" in found.message


@needs_gpg
def test_keyrings_are_private_and_made_again_after_a_sweep(
    git: GitRemotes, origin: Origin, gnupg: Gnupg, tmp_path: Path
) -> None:
    known = gnupg.make("known")
    keys = tmp_path / "keys.asc"
    keys.write_text(gnupg.export(known))
    origin.commit(sign=gnupg.sign(known))
    fetched(git, origin, gpg(keys))
    (ring,) = (tmp_path / "state" / "git").glob("gnupg-*")

    git.sweep()

    assert not ring.exists()
    again = remotes(tmp_path / "state")
    assert fetched(again, origin, gpg(keys)).is_good is True
    assert stat.S_IMODE(ring.stat().st_mode) == 0o700
    assert list((tmp_path / "state" / "git").glob("gnupg-*")) == [ring]


# -- files of keys --------------------------------------------------------------------------------


def test_an_answer_is_kept_until_the_file_of_keys_changes(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = SshKey(tmp_path, "bob")
    sha = origin.commit(sign=bob.sign)
    before = fetched(git, origin, ssh(signers))
    with monkeypatch.context() as patch:
        patch.setattr(git._door._processes, "run", None)
        kept = git.signature(origin.path, "main", sha, ssh(signers))
    signers.write_text(ann.line(ANN) + bob.line(BOB))

    after = git.signature(origin.path, "main", sha, ssh(signers))

    assert kept == before
    assert (before.is_good, after.is_good) == (False, True)


def test_an_answer_is_not_kept_for_ever(git: GitRemotes, origin: Origin, ann: SshKey, signers: Path) -> None:
    origin.commit(sign=ann.sign)
    clock = iter([0.0, git_signatures.KEPT_FOR - 1, git_signatures.KEPT_FOR, git_signatures.KEPT_FOR])
    git._signatures._now = lambda: next(clock)

    for _ in range(3):
        assert fetched(git, origin, ssh(signers)).is_good is True

    assert next(clock, None) is None  # kept, used, made again and kept


@pytest.mark.parametrize("kind", ["missing", "empty", "folder", "nonsense"])
@pytest.mark.parametrize("sort", ["ssh", pytest.param("gpg", marks=needs_gpg)])
def test_a_file_that_is_no_file_of_keys_is_named(
    git: GitRemotes, origin: Origin, ann: SshKey, tmp_path: Path, kind: str, sort: str, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "keys"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_text({"empty": "", "nonsense": "ann@example.com a key that is none\n"}[kind])
    if sort == "gpg":
        gnupg = request.getfixturevalue("gnupg")
        origin.commit(sign=gnupg.sign(gnupg.make("known")))
    else:
        origin.commit(sign=ann.sign)

    with pytest.raises(ConfigFault) as caught:
        fetched(git, origin, gpg(path) if sort == "gpg" else ssh(path))

    assert caught.value.code == "keys_unusable"
    assert str(path) in str(caught.value)
    assert caught.value.hint
    assert not list((tmp_path / "state" / "git").glob("gnupg-*"))


@needs_gpg
def test_a_secret_key_is_refused(git: GitRemotes, origin: Origin, gnupg: Gnupg, tmp_path: Path) -> None:
    known = gnupg.make("known")
    keys = tmp_path / "keys.asc"
    keys.write_text(gnupg.export(known, secret=True))
    origin.commit(sign=gnupg.sign(known))

    with pytest.raises(ConfigFault) as caught:
        fetched(git, origin, gpg(keys))

    assert "secret key" in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(git: GitRemotes, origin: Origin, ann: SshKey, signers: Path) -> None:
    origin.commit(sign=ann.sign)
    signers.unlink()
    signers.mkdir()  # a mode would not keep root out

    with pytest.raises(ConfigFault) as caught:
        fetched(git, origin, ssh(signers))

    assert str(signers) in str(caught.value)


@needs_gpg
def test_a_verifier_that_is_not_installed_is_named_by_its_package(
    git: GitRemotes, origin: Origin, ann: SshKey, signers: Path, gnupg: Gnupg, tmp_path: Path
) -> None:
    known = gnupg.make("known")
    keys = tmp_path / "keys.asc"
    keys.write_text(gnupg.export(known))
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to(str(shutil.which("git")))
    git._door._env["PATH"] = str(programs)
    origin.commit(sign=ann.sign)
    with pytest.raises(ConfigFault) as no_ssh:
        fetched(git, origin, ssh(signers))
    origin.commit(sign=gnupg.sign(known))
    with pytest.raises(ConfigFault) as no_gpg:
        fetched(git, origin, gpg(keys))

    assert no_ssh.value.hint == "install it: apt install openssh-client"
    assert no_gpg.value.hint == "install it: apt install gnupg"


def test_nothing_of_the_user_makes_a_signature_good(
    origin: Origin, ann: SshKey, signers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = SshKey(tmp_path, "stranger")
    (tmp_path / "theirs").write_text(stranger.line(ANN))
    settings = f'[gpg "ssh"]\nallowedSignersFile = {tmp_path}/theirs\nprogram = /bin/true\n[gpg]\nprogram=/bin/true\n'
    (tmp_path / ".gitconfig").write_text(settings)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GNUPGHOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "gpg.ssh.allowedSignersFile")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(tmp_path / "theirs"))
    origin.commit(sign=stranger.sign)

    assert fetched(remotes(tmp_path / "state"), origin, ssh(signers)).is_good is False
