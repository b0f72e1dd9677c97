"""What the verifiers say, in the cases that no honest key brings about."""

from __future__ import annotations

import pytest

from fraisier.host import git_verdicts
from fraisier.host.git_verdicts import Kind

GOOD = "[GNUPG:] GOODSIG 6017A09B6B4A46CF Ann <ann@example.com>\n"
VALID = "[GNUPG:] VALIDSIG {0} 2026-01-02 1767322800 0 4 0 22 8 00 {0}\n".format("99C87F35" * 5)
SSH = 'Good "git" signature for ann@example.com with ED25519 key SHA256:abc\n'


@pytest.mark.parametrize(
    ("exit_code", "said", "is_good"),
    [
        (0, GOOD + VALID, True),
        (1, GOOD + VALID, False),
        (0, GOOD, False),
        (0, VALID, False),
        (0, GOOD + VALID + GOOD + VALID, False),
        (0, GOOD + VALID + "[GNUPG:] REVKEYSIG 1 x\n", False),
        (0, GOOD + VALID + "[GNUPG:] EXPSIG 1 x\n", False),
        (0, GOOD.replace("[GNUPG:] ", "") + VALID, False),
        (0, "", False),
        (1, "[GNUPG:] ERRSIG\n[GNUPG:] NO_PUBKEY\n", False),
        (1, "[GNUPG:] BADSIG\n", False),
        (1, "[GNUPG:] ERRSIG 60 99 8 00 1 4 -\n", False),
    ],
)
def test_openpgp_is_good_where_everything_says_so(exit_code: int, said: str, is_good: bool) -> None:
    assert git_verdicts.of_openpgp(exit_code, said, "keys").is_good is is_good


@pytest.mark.parametrize(
    ("exit_code", "said", "is_good"),
    [(0, SSH, True), (1, SSH, False), (0, SSH.replace(" for ann@example.com", ""), False), (0, "", False)],
)
def test_ssh_is_good_where_everything_says_so(exit_code: int, said: str, is_good: bool) -> None:
    assert git_verdicts.of_ssh(exit_code, said, "signers").is_good is is_good


@pytest.mark.parametrize(
    ("raw", "is_tag", "kind"),
    [
        (b"tree 1\ngpgsig -----BEGIN SSH SIGNATURE-----\n\nhello\n", False, "ssh"),
        (b"tree 1\ngpgsig-sha256 -----BEGIN PGP SIGNATURE-----\n\nhello\n", False, "openpgp"),
        (b"tree 1\ngpgsig -----BEGIN SIGNED MESSAGE-----\n\nhello\n", False, "other"),
        (b"tree 1\n\n-----BEGIN SSH SIGNATURE-----\n", False, "none"),
        (b"object 1\n\nquotes\n-----BEGIN PGP SIGNATURE-----\nx\n-----BEGIN SSH SIGNATURE-----\n", True, "ssh"),
        (b"object 1\n\nhello\n", True, "none"),
    ],
)
def test_a_signature_is_found_where_git_looks_for_it(raw: bytes, is_tag: bool, kind: Kind) -> None:
    assert git_verdicts.kind_of(raw, is_tag=is_tag) == kind
