"""Whether a revision bears the signature that the configuration asks for (law 13)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..model.config import Verification
from ..model.errors import Transient
from ..model.names import short
from ..model.state import Signature
from . import git_faults, git_verdicts
from .git_door import GitDoor
from .git_heads import GitHeads
from .git_keys import GitKeys
from .git_reading import READ_TIMEOUT, GitReading
from .git_verdicts import Verdict, plain
from .mirrors import Mirrors

KEPT_FOR = 3600.0
"""Seconds that an answer is good for: a key may expire although no file changes."""

_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str
    object: str


class GitSignatures:
    def __init__(
        self,
        door: GitDoor,
        mirrors: Mirrors,
        reading: GitReading,
        heads: GitHeads,
        keys: GitKeys,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._door = door
        self._mirrors = mirrors
        self._reading = reading
        self._heads = heads
        self._keys = keys
        self._now = now
        self._kept: dict[object, tuple[float, Signature]] = {}

    def check(self, remote: str, ref: str, sha: str, verification: Verification) -> Signature:
        """See `ports.Git`. Raises `Damaged`."""
        identities = self._keys.identities(verification)
        if not self._reading.has(remote, sha):
            return Signature(None, f"commit {short(sha)} is not fetched yet")
        tag = None if verification.what == "head" else self._tag(remote, ref, sha)
        if isinstance(tag, Signature):
            return tag
        key = (remote, tag, sha, verification, identities)
        kept = self._kept.get(key)
        if kept is not None and self._now() - kept[0] < KEPT_FOR:
            return kept[1]
        return self._keep(key, self._judge(remote, tag, sha, verification))

    def _keep(self, key: object, signature: Signature) -> Signature:
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[key] = (self._now(), signature)
        return signature

    def _tag(self, remote: str, ref: str, sha: str) -> _Tag | Signature:
        """The annotated tag in the mirror, or why there is none to look at."""
        if not ref:
            return Signature(False, f"{short(sha)} was selected by its own name and not by a tag; a tag must be signed")
        object = self._mirrors.resolve(remote, Mirrors.tag_ref(ref))
        seen = self._heads.seen(remote, ref)
        if seen is not None and seen.sha == sha and seen.object != object:
            return Signature(None, f"tag {ref} is not fetched yet")
        if object is None:
            if self._mirrors.resolve(remote, Mirrors.branch_ref(ref)) is not None:
                return Signature(False, f"{ref} is a branch and no tag; a tag must be signed")
            return Signature(None, f"tag {ref} is not fetched yet")
        if object == sha:
            return Signature(False, f"{ref} is a lightweight tag; tags must be signed")
        return _Tag(ref, object)

    def _judge(self, remote: str, tag: _Tag | None, sha: str, verification: Verification) -> Signature:
        found = [] if tag is None else [self._judge_tag(remote, tag, sha, verification)]
        if verification.what != "tag":
            verdict = self._verdict(remote, "commit", sha, self._raw(remote, "commit", sha), verification)
            found.append(Signature(verdict.is_good, f"commit {short(sha)} {verdict.words}"))
        wrong = [signature for signature in found if not signature.is_good]
        return wrong[0] if wrong else Signature(True, "; ".join(signature.message for signature in found))

    def _judge_tag(self, remote: str, tag: _Tag, sha: str, verification: Verification) -> Signature:
        """A good signature counts for the name and the commit that it was made for: a tag may be pushed under
        another name, or moved.
        """
        if self._reading.peeled(remote, tag.object) != sha:
            return Signature(False, f"tag {tag.name} is of another commit by now than {short(sha)}")
        raw = self._raw(remote, "tag", tag.object)
        signed_name = plain(git_verdicts.header(raw, "tag"))
        if signed_name != tag.name:
            return Signature(False, f"tag {tag.name} was made as {signed_name} and has been given another name since")
        verdict = self._verdict(remote, "tag", tag.object, raw, verification)
        return Signature(verdict.is_good, f"tag {tag.name} {verdict.words}")

    def _raw(self, remote: str, type: Literal["commit", "tag"], object: str) -> bytes:
        return self._reading.output(remote, "cat-file", type, object)

    def _verdict(
        self, remote: str, type: Literal["commit", "tag"], object: str, raw: bytes, verification: Verification
    ) -> Verdict:
        kind = git_verdicts.kind_of(raw, is_tag=type == "tag")
        if kind == "ssh":
            return self._ssh(remote, type, object, verification.ssh_allowed_signers)
        if kind == "openpgp":
            return self._openpgp(remote, type, object, verification.gpg_keys)
        return git_verdicts.UNSIGNED if kind == "none" else Verdict(False, "bears a signature of an unknown kind")

    def _ssh(self, remote: str, type: str, object: str, file: str | None) -> Verdict:
        if file is None:
            return Verdict(False, "bears an SSH signature, and verify names no ssh_allowed_signers")
        signers = self._keys.signers(file)
        options = (f"gpg.ssh.allowedSignersFile={signers}", "gpg.ssh.program=ssh-keygen", "gpg.program=/bin/false")
        return git_verdicts.of_ssh(*self._verify(remote, type, object, options, {}), file)

    def _openpgp(self, remote: str, type: str, object: str, file: str | None) -> Verdict:
        if file is None:
            return Verdict(False, "bears an OpenPGP signature, and verify names no gpg_keys")
        home = self._keys.keyring(file)
        options = ("gpg.program=gpg", "gpg.ssh.program=/bin/false")
        return git_verdicts.of_openpgp(*self._verify(remote, type, object, options, {"GNUPGHOME": home}), file)

    def _verify(
        self, remote: str, type: str, object: str, options: tuple[str, ...], more: dict[str, str]
    ) -> tuple[int, str]:
        """The exit code of git, which decides by itself what sort of signature there is, and the verifier's words."""
        settings = [part for option in ("gpg.x509.program=/bin/false", *options) for part in ("-c", option)]
        mirror = f"--git-dir={self._mirrors.path(remote)}"
        ended = self._door.git(
            mirror, *settings, f"verify-{type}", "--raw", object, remote=remote, more=more, timeout=READ_TIMEOUT
        )
        if ended.timed_out:
            raise Transient(
                f"{git_faults.without_userinfo(remote)}: the signature of {short(object)} was not verified "
                f"within {READ_TIMEOUT:g} s",
                code="signature_timeout",
                hint="look at the load of this server; it is tried again by itself",
            )
        return ended.exit_code, ended.stderr.decode(errors="replace")
