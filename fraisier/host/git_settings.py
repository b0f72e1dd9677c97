"""The environment that git runs in: no configuration but ours, no prompts, no hooks, no surprises.

Everything is in the environment and in one file of our own, so that `git` itself and what it starts
(`upload-pack` for a local remote) see the same. Not set on purpose: `transfer.fsckObjects`. Names of
objects and packs are verified anyway, `read-tree` refuses paths that would leave the tree or write a
`.git`, submodules are never followed; what the check adds is refusing the old, harmless mistakes in
the history of many well-known repositories.
"""

from __future__ import annotations

import os
import shlex

from ..model import config
from . import files
from .users import find_user

_CONFIG = """\
# Written by Fraisier. The only configuration that its git reads.
[core]
\thooksPath = /dev/null
\tfsmonitor = false
\tattributesFile = /dev/null
\texcludesFile = /dev/null
[safe]
\t# Local remotes are named by the configuration on purpose, whoever owns them.
\tdirectory = *
[credential]
\thelper =
[fetch]
\trecurseSubmodules = false
\t# Always a whole pack: it becomes visible in one rename, while loose objects of a fetch
\t# that is cut off would be there without what they point at.
\tunpackLimit = 1
[submodule]
\trecurse = false
[gc]
\tautoDetach = false
\t# A branch that was rewound still has to be compared with what runs.
\tpruneExpire = never
[maintenance]
\tautoDetach = false
[http]
\tlowSpeedLimit = 1000
\tlowSpeedTime = 30
[advice]
\tdetachedHead = false
"""

_FROM_THE_DAEMON = (
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSH_AUTH_SOCK",
)
"""How to get out of a closed network, and whom to trust there: what the daemon's unit says, holds for git."""

_CONNECT_TIMEOUT = 15


def write_config(home: str) -> None:
    """Writes git's configuration into its own home where it differs."""
    path = os.path.join(home, "config")
    with files.disk_errors("writing git's configuration"):
        if files.read_bytes(path) != _CONFIG.encode():
            os.makedirs(home, mode=0o700, exist_ok=True)
            files.write_durably(path, _CONFIG.encode())


def config_in_memory() -> str:
    """The path of git's configuration for who may leave no trace on the disk. Good as long as this process lives."""
    handle = os.memfd_create("fraisier-git-config", os.MFD_CLOEXEC)
    os.write(handle, _CONFIG.encode())
    return f"/proc/{os.getpid()}/fd/{handle}"


def environment(home: str, settings: config.Git, ssh: str) -> dict[str, str]:
    """Without the protocols, which depend on the remote."""
    passed_on = {name: os.environ[name] for name in _FROM_THE_DAEMON if name in os.environ}
    return {
        **find_user(None).environment(),
        **passed_on,
        "HOME": home,
        # Where the state lies inside a checkout, that one's configuration (`url.*.insteadOf`) is not ours.
        "GIT_CEILING_DIRECTORIES": os.path.dirname(home),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.path.join(home, "config"),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "SSH_ASKPASS": "/bin/false",
        "GIT_SSH_COMMAND": _ssh_command(settings, ssh),
        "GIT_SSH_VARIANT": "ssh",
        "GIT_ALLOW_PROTOCOL": "https:ssh",
    }


def protocols(remote: str) -> dict[str, str]:
    """The file protocol is for remotes that are local paths, and only for those."""
    return {"GIT_ALLOW_PROTOCOL": "file"} if remote.startswith("/") else {}


def _ssh_command(settings: config.Git, ssh: str) -> str:
    """For the shell, since git takes a line and no list: every part is quoted for it.

    Nothing is read from ssh's configuration; keys and known hosts of the daemon's user are, unless
    the configuration names others. A host whose key is unknown or has changed is a stop.
    """
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": str(_CONNECT_TIMEOUT),
        "ServerAliveInterval": str(_CONNECT_TIMEOUT),
        "ClearAllForwardings": "yes",
        "ControlPath": "none",
    }
    if settings.ssh_known_hosts:
        options |= {"UserKnownHostsFile": _ssh_path(settings.ssh_known_hosts), "GlobalKnownHostsFile": "/dev/null"}
    if settings.ssh_key:
        options |= {"IdentityFile": _ssh_path(settings.ssh_key), "IdentitiesOnly": "yes"}
    return shlex.join([ssh, "-F", "/dev/null", *(part for item in options.items() for part in ("-o", "=".join(item)))])


def _ssh_path(path: str) -> str:
    """As ssh_config(5) reads it: quoted, with `%` not a token."""
    return '"' + path.replace("%", "%%") + '"'
