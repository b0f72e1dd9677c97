"""Keys that are made for one test, and the options of git that sign with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Options = tuple[str, ...]
"""Of git, before its verb."""


def _run(*argv: str, **more: Any) -> str:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, **more)
    return done.stdout


class SshKey:
    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.path))
        self.public = self.path.with_name(f"{name}.pub").read_text().strip()

    @property
    def sign(self) -> Options:
        return ("-c", "gpg.format=ssh", "-c", f"user.signingkey={self.path}")

    @property
    def fingerprint(self) -> str:
        return _run("ssh-keygen", "-lf", f"{self.path}.pub").split()[1]

    def line(self, principal: str, options: str = "") -> str:
        """For a file of allowed signers."""
        return f"{principal} {options} {self.public}\n"

    def certify(self, key: SshKey, principal: str) -> None:
        """As an authority: `key` signs with its certificate from now on."""
        _run("ssh-keygen", "-q", "-s", str(self.path), "-I", "id", "-n", principal, f"{key.path}.pub")


class Gnupg:
    """A home of gpg with secret keys. `folder` has a short path, since an agent listens in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o700)

    def gpg(self, *arguments: str, at: str | None = None) -> str:
        return _run(*self._argv(at), *arguments, env={"PATH": os.environ["PATH"], "HOME": str(self.folder)})

    def _argv(self, at: str | None) -> tuple[str, ...]:
        time = ("--faked-system-time", at) if at else ()
        secret = ("--pinentry-mode", "loopback", "--passphrase", "")
        return ("gpg", "--homedir", str(self.folder), "--batch", "--quiet", *secret, *time)

    def make(self, name: str, *, at: str | None = None, lasts: str = "never") -> str:
        """A key of `NAME <NAME@example.com>`; its fingerprint."""
        self.gpg("--quick-gen-key", f"{name} <{name}@example.com>", "ed25519", "sign", lasts, at=at)
        listed = self.gpg("--with-colons", "--list-keys", f"{name}@example.com")
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))

    def revoke(self, fingerprint: str) -> None:
        certificate = self.folder / "openpgp-revocs.d" / f"{fingerprint}.rev"
        certificate.write_text(certificate.read_text().replace(":-----BEGIN", "-----BEGIN"))
        self.gpg("--import", str(certificate))

    def export(self, *fingerprints: str, secret: bool = False) -> str:
        how = "--export-secret-keys" if secret else "--export"
        return "".join(self.gpg("--armor", how, fingerprint) for fingerprint in fingerprints)

    def sign(self, fingerprint: str, *, at: str | None = None, lasts: str | None = None) -> Options:
        program = self.folder / f"gpg-{at}-{lasts}"
        limit = f"--default-sig-expire {lasts}" if lasts else ""
        argv = " ".join(f"'{part}'" for part in self._argv(at))
        program.write_text(f'#!/bin/sh\nexec {argv} {limit} "$@"\n')
        program.chmod(0o755)
        return ("-c", f"gpg.program={program}", "-c", f"user.signingkey={fingerprint}")

    def end(self) -> None:
        _run("gpgconf", "--homedir", str(self.folder), "--kill", "all")


@contextmanager
def gnupg_home() -> Iterator[Gnupg]:
    folder = Path(tempfile.mkdtemp(prefix="fg-"))
    keys = Gnupg(folder)
    try:
        yield keys
    finally:
        keys.end()
        shutil.rmtree(folder)
