"""Single values: text to what the model wants. Each raises `Wrong` and never repeats the text, which may be secret."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from datetime import timedelta
from posixpath import normpath

from fraisier.model.config import Argv

from .problems import Wrong

_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=3650)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_BUT_SPACE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\-]+(?:@[A-Za-z0-9:_.\\-]+)?")
_UNIT_SUFFIX = re.compile(
    r"\.(?:service|socket|timer|target|mount|automount|swap|path|slice|scope|device|snapshot)(?=$)"
)
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^/|/$|\.$|^-|^@$|(?:^|/)\.|\.lock(?:/|$)")
_REDIRECTION = re.compile(r"[0-9&]*[<>]")
_SHELL_WORDS = frozenset({"|", "||", "&&", "&", ";", "(", ")", "{", "}"})
_BUILTINS = frozenset({"cd", "export", "source", ".", "eval", "set", "unset", "ulimit", "umask", "alias"})
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "busybox", "fish"})
_EXPANSION = re.compile(r"\$\(|`|\$[A-Za-z_{]")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def parse_duration(text: str) -> timedelta:
    """`1h30m`: the sum of its parts. The schema has checked the form."""
    try:
        parts = (timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _DURATION.findall(text))
        total = sum(parts, timedelta(0))
    except (OverflowError, ValueError):
        total = timedelta.max
    if total > _LONGEST:
        raise Wrong("is longer than ten years")
    return total


def parse_positive(text: str) -> timedelta:
    """A duration that is not zero."""
    if not (total := parse_duration(text)):
        raise Wrong("must be longer than 0s")
    return total


def parse_absolute_path(text: str) -> str:
    """Normalised: no `//`, no `.`, no slash at the end."""
    if _CONTROL.search(text):
        raise Wrong("must not hold control characters")
    if not text.startswith("/"):
        raise Wrong("must be an absolute path", "it begins with /")
    if ".." in text.split("/"):
        raise Wrong("must not hold ..")
    return normpath(text.replace("//", "/") if text.startswith("//") else text)


def parse_app_path(text: str) -> str:
    """Raises `Wrong` for `/` too, below which everything lies."""
    path = parse_absolute_path(text)
    if path == "/":
        raise Wrong("must not be /", "give the target a folder of its own, such as /srv/my_api")
    return path


def parse_relative_path(text: str) -> str:
    """A path below the release, normalised."""
    if _CONTROL.search(text):
        raise Wrong("must not hold control characters")
    if text.startswith(("/", "~")) or ".." in text.split("/"):
        raise Wrong("must be a path inside the release", "write it relative and without ..")
    if (path := normpath(text)) in {".", ""}:
        raise Wrong("must be a path inside the release", "name a file or folder in it")
    return path


def parse_unit_file(text: str) -> str:
    path = parse_relative_path(text)
    if not path.endswith(".service"):
        raise Wrong("must be the path of a .service file in the repository")
    return path


def parse_unit(text: str) -> str:
    """A unit name with its suffix, as systemctl would complete it."""
    name = text if _UNIT_SUFFIX.search(text) else f"{text}.service"
    if not name.endswith(".service"):
        raise Wrong("must be a service unit", "it ends in .service")
    stem = name.removesuffix(".service")
    if stem.endswith("@"):
        raise Wrong("is a template and needs an instance", "such as api@1.service")
    if not _UNIT.fullmatch(stem) or stem.startswith(("-", ".")) or len(name) > 255:
        raise Wrong("is no name of a systemd unit", "such as api.service")
    return name


def parse_user(text: str) -> str:
    if not _USER.fullmatch(text):
        raise Wrong("must be the name of a user")
    return text


def parse_branch(text: str) -> str:
    """The rules of git-check-ref-format(1), and those of `git branch`."""
    if text.startswith("refs/"):
        raise Wrong("must be the short name of a branch", "write main, not refs/heads/main")
    if not text or text == "HEAD" or len(text) > 200 or _BAD_IN_REF.search(text):
        raise Wrong("is no name of a branch", "see git-check-ref-format(1)")
    return text


def parse_listen(text: str) -> tuple[str, int]:
    """`127.0.0.1:8780`, `[::1]:8780`; port 0 is any free one."""
    return _host_port(text, lowest=0, example="127.0.0.1:8780")


def parse_tcp(text: str) -> tuple[str, int]:
    """`host:port`; a port alone is on this machine."""
    bare = text.removeprefix(":")
    return _host_port(f"127.0.0.1:{bare}" if bare.isdecimal() else text, lowest=1, example="127.0.0.1:8000")


def _host_port(text: str, *, lowest: int, example: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not colon or not re.fullmatch(r"[0-9A-Fa-f:.]+" if bracketed else r"[A-Za-z0-9_.-]+", bare):
        raise Wrong("must be address:port", f"such as {example}")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not lowest <= int(port) <= 65535:
        raise Wrong(f"must have a port from {lowest} to 65535", f"such as {example}")
    return bare, int(port)


def parse_status(text: str) -> range:
    """`200` or `200-399`; the schema has checked the form."""
    first, _, last = text.partition("-")
    if int(last or first) < int(first):
        raise Wrong("must be a range from low to high", "such as 200-399")
    return range(int(first), int(last or first) + 1)


def split_command(text: str) -> Argv:
    """Words as a shell would split them; whatever would need a shell for more than that is refused."""
    if _CONTROL_BUT_SPACE.search(text):
        raise Wrong("must not hold control characters")
    try:
        argv = tuple(shlex.split(text))
    except ValueError:
        raise Wrong("has a quote that is not closed") from None
    if not argv or not argv[0]:
        raise Wrong("must not be empty")
    _refuse_shell(argv)
    return argv


def take_arguments(words: Sequence[str]) -> Argv:
    """One argument list, exactly as written."""
    if not words[0]:
        raise Wrong("must begin with a program")
    if any("\0" in word for word in words):
        raise Wrong("must not hold control characters")
    return tuple(words)


def _refuse_shell(argv: Argv) -> None:
    advice = "write [sh, -c, '…'] if you mean one"
    if _ASSIGNMENT.match(argv[0]):
        raise Wrong("commands run without a shell, and this begins with a variable", "set it under env")
    if argv[0] in _BUILTINS:
        raise Wrong(f"commands run without a shell, which {argv[0]} is part of", advice)
    if argv[0].rpartition("/")[2] in _SHELLS and "-c" in argv:
        return
    if any(_is_shell_word(word) for word in argv):
        raise Wrong("commands run without a shell", advice)


def _is_shell_word(word: str) -> bool:
    return word in _SHELL_WORDS or word.endswith(";") or bool(_REDIRECTION.match(word)) or bool(_EXPANSION.search(word))
