"""What a configuration asks of this machine, and where its files are."""

from __future__ import annotations

import os
import secrets
import socket
import stat
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from fraisier.config import Loaded, SourceFile, load
from fraisier.model.config import ServiceManagerKind
from fraisier.model.errors import ConfigFault

_SYSTEM_CONFIG = Path("/etc/fraisier/fraises.yaml")
_NO_KEY = bytes(32)
_KEY_BYTES = 32
_GIT_TIMEOUT = 5.0
_LARGEST_VALUE = 1024 * 1024


class MachineLookup:
    """Answers from this machine.

    Digests hold secrets only as fingerprints keyed with the content of `key_path`. With `create`
    (the daemon) that file is made when it is missing; without it, or where it cannot be read, the
    key is zero and the digests are those of no daemon.
    """

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, key_path: str | None = None, create: bool = False
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._key_path = key_path
        self._create = create

    def env(self, name: str) -> str | None:
        return self._environ.get(name)

    def file(self, path: str) -> str:
        """At most 1 MiB; raises `OSError`, or `ValueError` when it is not UTF-8 text."""
        with open(path, "rb") as stream:
            content = stream.read(_LARGEST_VALUE + 1)
        if len(content) > _LARGEST_VALUE:
            raise OSError(27, "larger than 1 MiB", path)
        return content.decode()

    def credential(self, name: str) -> str:
        """From systemd's folder of credentials (systemd.exec(5), CREDENTIALS_DIRECTORY)."""
        folder = self._environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise FileNotFoundError(2, "systemd gave this process no credentials (LoadCredential=)", name)
        if "/" in name or name in {".", ".."}:
            raise FileNotFoundError(2, "not the name of a credential", name)
        return self.file(os.path.join(folder, name))

    def origin(self, app_path: str) -> str | None:
        return _origin(app_path)

    def hostname(self) -> str:
        return socket.gethostname()

    def service_manager(self) -> ServiceManagerKind:
        if os.path.isdir("/run/systemd/system") and os.geteuid() == 0:
            return "systemd"
        runtime = self._environ.get("XDG_RUNTIME_DIR", "")
        if runtime and os.path.isdir(os.path.join(runtime, "systemd")) and _user_manager_answers(runtime):
            return "systemd-user"
        return "process"

    def secret_key(self) -> bytes:
        if self._key_path is None:
            return _NO_KEY
        if self._create:
            _create_key(self._key_path)
        try:
            with open(self._key_path, "rb") as stream:
                return stream.read(_KEY_BYTES) or _NO_KEY
        except OSError:
            return _NO_KEY


def _origin(folder: str) -> str | None:
    """No includes are followed. What another user wrote does not decide what root runs."""
    config = _own_file(os.path.join(folder, ".git", "config"))
    if config is None:
        return None
    argv = ["git", "config", "--file", "-", "--no-includes", "--get", "remote.origin.url"]
    return _output(argv, {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}, config)


def _own_file(path: str) -> bytes | None:
    """None for what is no regular file of root's or ours, is a link, or is too large to be meant."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()):
                return None
            content = stream.read(_LARGEST_VALUE + 1)
    except OSError:
        return None
    return content if len(content) <= _LARGEST_VALUE else None


@lru_cache(maxsize=8)
def _user_manager_answers(runtime: str) -> bool:
    """Asked once: a manager that goes away is seen when a service is looked at."""
    argv = ["systemctl", "--user", "show", "--property=Version"]
    return bool(_output(argv, {"PATH": os.environ.get("PATH", os.defpath), "XDG_RUNTIME_DIR": runtime}))


def _output(argv: list[str], environ: Mapping[str, str], given: bytes = b"") -> str | None:
    """The one line a program says; None when it fails, is not there or takes too long."""
    try:
        done = subprocess.run(argv, env=environ, input=given, capture_output=True, timeout=_GIT_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = done.stdout.decode(errors="replace").rstrip("\n")
    return text if done.returncode == 0 and text else None


def _create_key(path: str) -> None:
    """Whole or not at all, and never over one that is there: a link of a complete file decides."""
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    draft = f"{path}.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(_KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another process made it in the meantime
    finally:
        os.unlink(draft)


def find_config(explicit: str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """`--config`, else FRAISIER_CONFIG, else ./fraises.yaml, else /etc/fraisier/fraises.yaml.

    What was named is taken whether it exists or not; raises `ConfigFault` when nothing was and
    neither default exists.
    """
    named = explicit or environ.get("FRAISIER_CONFIG")
    if named:
        return cwd / named
    for path in (cwd / "fraises.yaml", _SYSTEM_CONFIG):
        if path.exists():
            return path
    raise ConfigFault(
        f"there is no ./fraises.yaml and no {_SYSTEM_CONFIG}",
        code="config_missing",
        hint="name one with --config or FRAISIER_CONFIG, or write one with `fraisier init`",
    )


def read_sources(path: Path) -> list[SourceFile]:
    """The file, or the *.yaml and *.yml files of the folder by name. Raises `ConfigFault` when it cannot be read."""
    try:
        if not path.is_dir():
            return [_read(path, path.name)]
        found = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"} and file.is_file())
        sources = [_read(file, file.name) for file in found if not file.name.startswith(".")]
    except OSError as error:
        raise ConfigFault(
            f"{error.filename or path} cannot be read: {error.strerror or error}",
            code="config_unreadable",
            hint="name another with --config, or write one with `fraisier init`",
        ) from None
    if not sources:
        raise ConfigFault(f"{path} holds no *.yaml file", code="config_missing", hint="`fraisier init` writes one")
    return sources


def _read(path: Path, name: str) -> SourceFile:
    """What is no UTF-8 becomes a character that YAML refuses, so that the place is reported."""
    with open(path, "rb") as stream:
        content = stream.read(_LARGEST_VALUE + 4)
    text = content.decode("utf-8-sig", errors="surrogateescape")
    return SourceFile(name, text.replace("\r\n", "\n"))


def load_config(path: Path, *, environ: Mapping[str, str] | None = None, key_path: str | None = None) -> Loaded:
    """Reads and checks what is at `path`, as this machine sees it. Raises `ConfigFault` when it cannot be read."""
    return load(read_sources(path), MachineLookup(environ, key_path=key_path))
