"""Who a command or a service runs as."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import Any

from ..model.errors import ConfigFault

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What an environment built from nothing finds programs in (the default of Debian's login and of systemd)."""


@dataclass(frozen=True, slots=True)
class User:
    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @property
    def is_me(self) -> bool:
        return self.uid == os.geteuid()

    def environment(self) -> dict[str, str]:
        """The environment that everything starts from: nothing of the daemon's own is in it."""
        return {"PATH": PATH, "HOME": self.home, "USER": self.name, "LOGNAME": self.name, "LANG": "C.UTF-8"}

    def popen(self) -> dict[str, Any]:
        """The arguments of `subprocess.Popen` that become this user; none when we are it already."""
        if self.is_me:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": list(self.groups)}


def find_user(run_as: str | None) -> User:
    """The user that `run_as` names, or the one we are.

    Raises `ConfigFault` when it does not exist or may not be become.
    """
    if run_as is None:
        return _myself()
    try:
        entry = pwd.getpwnam(run_as)
    except KeyError:
        raise ConfigFault(
            f"run_as: there is no user {run_as!r} on this server",
            code="run_as_unknown",
            hint=f"create it (adduser --system --group {run_as}) or name another one in run_as",
        ) from None
    user = _user(entry)
    if not user.is_me and os.geteuid() != 0:
        raise ConfigFault(
            f"run_as: not permitted to become {run_as!r} without being root",
            code="run_as_not_permitted",
            hint="run the daemon as root, or leave run_as out",
        )
    return user


def _myself() -> User:
    uid = os.geteuid()
    try:
        return _user(pwd.getpwuid(uid))
    except KeyError:  # containers run under user ids that have no name
        return User(str(uid), uid, os.getegid(), tuple(os.getgroups()), "/")


def _user(entry: pwd.struct_passwd) -> User:
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir)
