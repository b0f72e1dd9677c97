"""The files of keys that revisions are verified with: what they have to be like, and a keyring for gpg."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import threading
from tempfile import mkdtemp

from ..model.config import Verification
from ..model.errors import ConfigFault
from . import files
from .git_door import KEYS, GitDoor

Identity = tuple[int, ...]
"""Of a file's content, without reading it."""

_IMPORT_TIMEOUT = 60.0

_GPG_CONF = b"""\
# Written by Fraisier for one file of keys: to be in that file is to be trusted.
batch
no-tty
trust-model always
no-autostart
no-auto-key-retrieve
disable-dirmngr
display-charset utf-8
"""

_SIGNER = re.compile(
    r"^\s*[^#\s].*?\s(?:(?:ssh|ecdsa|sk-ssh|sk-ecdsa|rsa)-[a-z0-9@.-]+)\s+AAAA[A-Za-z0-9+/]+=*(?:\s|$)", re.MULTILINE
)
"""A line of ssh-keygen(1), ALLOWED SIGNERS: principals, options, type and key."""


class GitKeys:
    def __init__(self, door: GitDoor) -> None:
        self._door = door
        self._making = threading.Lock()

    def identities(self, verification: Verification) -> tuple[Identity, ...]:
        """Raises `ConfigFault` for a file that is missing, empty or may not be read."""
        return tuple(_identity(path) for path in (verification.ssh_allowed_signers, verification.gpg_keys) if path)

    def signers(self, path: str) -> str:
        """The absolute path, once there is a key in the file. ssh-keygen passes over lines that it cannot read."""
        if not _SIGNER.search(_read(path).decode(errors="replace")):
            raise _unusable(
                path, "holds no key", "write lines such as: ann@example.com ssh-ed25519 AAAA… (ssh-keygen(1))"
            )
        if shutil.which("ssh-keygen", path=self._door.environment()["PATH"]) is None:
            raise _missing("ssh-keygen", "SSH", "openssh-client")
        return os.path.abspath(path)

    def keyring(self, path: str) -> str:
        """A GNUPGHOME with the keys of the file and no others; made once for each content."""
        data = _read(path)
        home = os.path.join(self._door.private_home(), KEYS + hashlib.sha256(data).hexdigest()[:16])
        with self._making, files.disk_errors("making a keyring"):
            if not os.path.isdir(home):
                self._make(path, data, home)
        return home

    def _make(self, path: str, data: bytes, home: str) -> None:
        fresh = mkdtemp(prefix=f"{KEYS}new-", dir=os.path.dirname(home))
        try:
            files.write_durably(os.path.join(fresh, "gpg.conf"), _GPG_CONF)
            files.write_durably(os.path.join(fresh, "keys"), data)
            self._import(path, fresh)
            os.rename(fresh, home)
        finally:
            files.remove_tree(fresh)

    def _import(self, path: str, home: str) -> None:
        try:
            ended = self._door.program(
                *("gpg", "--homedir", home, "--quiet", "--status-fd", "1", "--import", "--", f"{home}/keys"),
                timeout=_IMPORT_TIMEOUT,
            )
        except FileNotFoundError:
            raise _missing("gpg", "OpenPGP", "gnupg") from None
        found = re.search(rb"^\[GNUPG:\] IMPORT_RES ((?:\d+ ?)+)$", ended.stdout, re.MULTILINE)
        counts = [int(count) for count in found[1].split()] if found else []
        if len(counts) > 9 and counts[9]:
            raise _unusable(path, "holds a secret key", "export the public one: gpg --armor --export NAME")
        if len(counts) < 3 or not counts[2]:
            raise _unusable(path, "holds no OpenPGP key that can be used", "write it with: gpg --armor --export NAME")


def _identity(path: str) -> Identity:
    try:
        found = os.stat(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(path, "is no file", "name a file of keys")
    if not found.st_size:
        raise _unusable(path, "is empty", "write the keys of those who may sign into it")
    if not os.access(path, os.R_OK):
        raise _unusable(path, "may not be read", "make it readable for the user Fraisier runs as")
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: str, error: OSError) -> ConfigFault:
    return _unusable(path, f"cannot be read: {error.strerror}", "make the file, or name another one under verify")


def _unusable(path: str, what: str, hint: str) -> ConfigFault:
    return ConfigFault(f"{path} {what}: no signature can be verified with it", code="keys_unusable", hint=hint)


def _missing(program: str, kind: str, package: str) -> ConfigFault:
    return ConfigFault(
        f"{kind} signatures are verified with {program}, which is not installed",
        code="verifier_missing",
        hint=f"install it: apt install {package}",
    )
