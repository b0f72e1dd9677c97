"""Which remotes are accepted: https, ssh, scp-like and local paths, by strict pattern.

Everything else is refused, above all what git would run as a command (`ext::`) or take as an
option (a leading `-`), and whatever carries a password. The text is never repeated in a problem.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from .problems import Wrong
from .values import parse_absolute_path

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_REST = r"[^\x00-\x20\x7f]+"
_HTTPS = re.compile(rf"https://{_HOST}(?::[0-9]{{1,5}})?/(?!/){_REST}")
_SSH = re.compile(rf"ssh://(?:{_USER}@)?{_HOST}(?::[0-9]{{1,5}})?/{_REST}")
_SCP = re.compile(rf"(?:{_USER}@)?{_HOST}:(?![/:-]*:)(?!-){_REST}")
_USERINFO = re.compile(r"[a-z+]+://[^/]*@", re.IGNORECASE)
_SSH_PASSWORD = re.compile(r"[^/@]*:[^/@]*@")
_KINDS = "write an https, ssh or scp-like URL (git@host:path), or an absolute local path"


def parse_remote(text: str) -> str:
    """Local paths and `file://` URLs come back as a normalised path; URLs as they are."""
    _refuse_dangerous(text)
    if text.startswith("/"):
        return parse_absolute_path(text)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _matched(_SCP, text)
    match scheme.lower():
        case "https":
            return _https(text)
        case "ssh":
            return _ssh(text, rest)
        case "file":
            return _file(rest)
        case "http" | "git":
            raise Wrong(f"{scheme.lower()}:// is neither private nor safe", "use https:// or ssh://")
        case _:
            raise Wrong("is no remote that Fraisier reads", _KINDS)


def _refuse_dangerous(text: str) -> None:
    if text.startswith("-"):
        raise Wrong("must not begin with -", _KINDS)
    if any(not character.isprintable() for character in text):
        raise Wrong("must not hold control characters", _KINDS)
    if re.match(r"(?:file|https?|ssh|git):(?!//)", text, re.IGNORECASE):
        raise Wrong("lacks the // after its scheme", _KINDS)
    if re.match(r"[A-Za-z0-9+.-]+::", text):
        raise Wrong("remote helpers such as ext:: are not run", _KINDS)


def _https(text: str) -> str:
    if _USERINFO.match(text):
        raise Wrong(
            "must not carry credentials: URLs are shown in plans and logs",
            "use an ssh URL with git.ssh_key",
        )
    return _matched(_HTTPS, text)


def _ssh(text: str, rest: str) -> str:
    if _SSH_PASSWORD.match(rest.partition("/")[0]):
        raise Wrong("must not carry a password: URLs are shown in plans and logs", "use git.ssh_key")
    return _matched(_SSH, text)


def _file(rest: str) -> str:
    path = unquote(rest.removeprefix("localhost"))
    if not path.startswith("/"):
        raise Wrong("a file:// URL must name an absolute path", "such as /srv/git/my_api.git")
    return parse_absolute_path(path)


def _matched(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise Wrong("is no remote that Fraisier reads", _KINDS)
    return text
