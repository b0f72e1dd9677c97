"""What git's own words mean for what must happen next.

git has no exit codes for it, so its messages are read, in English (`LC_ALL=C.UTF-8`), as the
strings stand in its source and in OpenSSH's and curl's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..model.errors import Transient


@dataclass(frozen=True, slots=True)
class _Sort:
    code: str
    hint: str
    words: re.Pattern[str]


def _sort(code: str, hint: str, *words: str) -> _Sort:
    return _Sort(code, hint, re.compile("|".join(words), re.IGNORECASE))


_SORTS = (
    _sort(
        "disk_full",
        "free space on the file systems of the daemon's state and of app_path",
        "no space left on device",
        "unable to write file",  # in a folder that was made just now
        "disk quota exceeded",
    ),
    _sort(
        "host_key_changed",
        "compare the host's key with what its operator publishes, then put it into git.ssh_known_hosts",
        "host key verification failed",
        "remote host identification has changed",
        r"no \S+ host key is known",
    ),
    _sort(
        "revision_gone",
        "the branch was deleted or moved on meanwhile; its head is read again by itself",
        "couldn't find remote ref",
        "not our ref",
        "no such remote ref",
        "does not allow request for unadvertised object",
    ),
    _sort(
        "remote_denied",
        "give the daemon access: a deploy key in git.ssh_key, or a remote that may be read without a password",
        "permission denied",
        "authentication failed",
        "could not read username",
        "could not read password",
        r"returned error: 40[137]",
        "access denied",
        "access rights? (?:is|are) insufficient",
        "dubious ownership",
        r"transport '[^']*' not allowed",
    ),
    _sort(
        "remote_not_found",
        "check the spelling of repository, and that the daemon's key may see it",
        "repository .*not found",
        r"returned error: 404",
        "does not appear to be a git repository",
        "does not exist",
        "project .*could not be found",
    ),
    _sort(
        "remote_timeout",
        "look at the network and at the remote; it is tried again by itself",
        "timed out",
        "operation too slow",
        "timeout",
    ),
)
_UNREACHABLE = _sort("remote_unreachable", "look at the network and at the remote; it is tried again by itself", "$.")

_CORRUPT = re.compile(
    r"not a git repository|bad object|corrupt|unable to read|invalid sha1 pointer|bad config|bad signature"
    r"|does not point to a valid object|unresolved delta|inflate:|object file .* is empty|failed to read"
    r"|packfile |pack index|did not send all necessary objects|missing (?:blob|tree|commit|necessary object)"
    r"|could not parse|unknown repository extension|expected git repo version|not a tree|not a valid object"
    r"|failed to traverse|invalid object|mismatched algorithms",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"://[^/@\s'\"]*@")
_PREFIX = re.compile(r"(?:(?:fatal|error|remote|warning|ERROR): )+")


def without_userinfo(text: str) -> str:
    """URLs without user and password: what may be shown (law 18)."""
    return _USERINFO.sub("://", text)


class Damaged(Exception):
    """Our own mirror cannot be read. Never leaves the git modules: `mirror_fault` is what others see."""

    def __init__(self, stderr: bytes = b"") -> None:
        super().__init__()
        self.stderr = stderr


def remote_fault(remote: str, stderr: bytes) -> Transient:
    """The error of a conversation with a remote that failed."""
    lines = _lines(stderr)
    for sort in _SORTS:
        telling = next((line for line in lines if sort.words.search(line)), None)
        if telling is not None:
            return _fault(remote, telling, sort)
    return _fault(remote, _most_useful(lines), _UNREACHABLE)


def timeout_fault(remote: str, seconds: float) -> Transient:
    return Transient(
        f"{without_userinfo(remote)}: no answer within {seconds:g} s",
        code="remote_timeout",
        hint="look at the network and at the remote; it is tried again by itself",
    )


def mirror_fault(remote: str, stderr: bytes) -> Transient:
    """The error of reading a mirror that is made again at the next try."""
    return Transient(
        f"the mirror of {without_userinfo(remote)} was damaged and is made again: {_most_useful(_lines(stderr))}",
        code="mirror_corrupt",
        hint="nothing to do, unless it happens again: then look at the disk",
    )


_MOST_BYTES = 65_536
_LONGEST = 500
"""What a remote says is shown to people and kept: not without end, and nothing that a terminal obeys."""


def is_corrupt(stderr: bytes) -> bool:
    """Whether our own mirror is to blame; what the other side says about its repository is not ours."""
    return any(_CORRUPT.search(line) for line in _lines(stderr) if not line.startswith("remote:"))


def _lines(stderr: bytes) -> list[str]:
    text = without_userinfo(stderr[:_MOST_BYTES].decode(errors="replace"))
    lines = ("".join(c if c.isprintable() else " " for c in line).strip() for line in re.split(r"[\r\n]+", text))
    return [line[:_LONGEST] for line in lines if line]


def _most_useful(lines: list[str]) -> str:
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))]
    return (fatal or lines[-1:] or ["git said nothing"])[0]


def _fault(remote: str, line: str, sort: _Sort) -> Transient:
    shown = _PREFIX.sub("", line, count=1)
    return Transient(f"{without_userinfo(remote)}: {shown}", code=sort.code, hint=sort.hint)
