"""What git, ssh-keygen and gpg say about a signature, in a sentence for people.

Good is only what git accepts (exit code 0) and what the verifier's own lines say is good, of a signer
who is in the file. Anything that is not understood is not good.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

Kind = Literal["none", "ssh", "openpgp", "other"]

_COMMIT_HEADER = re.compile(rb"^gpgsig(?:-sha256)? (-----BEGIN [A-Z ]+-----)", re.MULTILINE)
_TAG_BLOCK = re.compile(rb"^(-----BEGIN [A-Z ]+-----)", re.MULTILINE)
_KINDS: Mapping[bytes, Kind] = {
    b"-----BEGIN SSH SIGNATURE-----": "ssh",
    b"-----BEGIN PGP SIGNATURE-----": "openpgp",
    b"-----BEGIN PGP MESSAGE-----": "openpgp",
}

_SSH_GOOD = re.compile(r'^Good "git" signature for (.+) with (\S+) key (\S+)$', re.MULTILINE)
_SSH_UNKNOWN = re.compile(r'^Good "git" signature with (\S+) key (\S+)$', re.MULTILINE)
_SSH_VALIDITY = re.compile(r": (key (?:has expired|is not yet valid)|[^:\n]*certificate[^:\n]*)(?::|$)", re.MULTILINE)
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    is_good: bool
    words: str
    """What follows after "commit 1a2b3c4 "."""


UNSIGNED = Verdict(False, "is not signed")


def kind_of(raw: bytes, *, is_tag: bool) -> Kind:
    """What sort of signature an object bears, as `git cat-file` prints it."""
    headers, _, body = raw.partition(b"\n\n")
    # A message may quote a signature; that of a tag itself comes last.
    found = _COMMIT_HEADER.findall(headers) + (_TAG_BLOCK.findall(body) if is_tag else [])
    return _KINDS.get(found[-1], "other") if found else "none"


def header(raw: bytes, name: str) -> str:
    """The value of an object's header; empty where it has none."""
    found = re.search(rb"^" + name.encode() + rb" (.*)$", raw.partition(b"\n\n")[0], re.MULTILINE)
    return found[1].decode(errors="replace") if found else ""


def of_ssh(exit_code: int, said: str, file: str) -> Verdict:
    """`said` as `git verify-commit --raw` prints it, in the words of ssh-keygen."""
    if good := _SSH_GOOD.search(said):
        who, type, key = map(plain, good.groups())
        if exit_code == 0:
            return Verdict(True, f"is signed by {who} ({type} key {key})")
    if unknown := _SSH_UNKNOWN.search(said):
        type, key = map(plain, unknown.groups())
        why = _SSH_VALIDITY.search(said)
        reason = f"is not good by {file}: {plain(why[1])}" if why else f"is not in {file}"
        return Verdict(False, f"is signed with the {type} key {key}, which {reason}")
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "no reason is given")
    return Verdict(False, f"bears an SSH signature that is not good by {file}: {plain(last)}")


def of_openpgp(exit_code: int, said: str, file: str) -> Verdict:
    """`said` as gpg writes to `--status-fd` (doc/DETAILS of GnuPG)."""
    lines = [line.removeprefix("[GNUPG:] ").split(" ") for line in said.splitlines() if line.startswith("[GNUPG:] ")]
    status = {line[0]: line[1:] for line in lines}
    if ("ERRSIG" in status or "NO_PUBKEY" in status) and not status.keys() & {"GOODSIG", "BADSIG"}:
        return _unknown(status, file)
    for word, wrong in _WRONG.items():
        if word in status:
            return Verdict(False, f"is signed by {_who(status, word)}, {wrong}")
    names = [line[0] for line in lines]
    if exit_code == 0 and names.count("GOODSIG") == 1 and names.count("VALIDSIG") == 1:
        return Verdict(True, f"is signed by {_who(status, 'GOODSIG')}")
    return Verdict(False, "bears an OpenPGP signature that cannot be checked")


_WRONG = {
    "BADSIG": "but the signature does not fit it",
    "REVKEYSIG": "whose key is revoked",
    "EXPKEYSIG": "whose key has expired",
    "EXPSIG": "whose signature has expired",
    "KEYREVOKED": "whose key is revoked",
}


def _who(status: Mapping[str, list[str]], word: str) -> str:
    """`Ann <ann@example.com> (OpenPGP key 99C8…)`, by the fingerprint of the primary key where gpg gives it."""
    key, *name = status[word] or [""]
    valid = status.get("VALIDSIG", [])
    fingerprint = valid[9] if len(valid) > 9 else key
    return f"{plain(unquote(' '.join(name)))} (OpenPGP key {plain(fingerprint)})"


def _unknown(status: Mapping[str, list[str]], file: str) -> Verdict:
    error = status.get("ERRSIG", [])
    whole = error[6] if len(error) > 6 and error[6] != "-" else ""
    key = plain(whole or (status.get("NO_PUBKEY") or error or ["?"])[0])
    if "NO_PUBKEY" in status or (len(error) > 5 and error[5] == "9"):
        return Verdict(False, f"is signed with the OpenPGP key {key}, which is not in {file}")
    return Verdict(False, f"bears a signature of the OpenPGP key {key} that this gpg cannot check")


def plain(text: str) -> str:
    """Without characters that a terminal obeys, and not without an end."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "…"
