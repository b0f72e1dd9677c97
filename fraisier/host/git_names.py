"""Names that may be handed to git: of branches, tags and commits."""

from __future__ import annotations

import re

from ..model.errors import ConfigFault
from ..model.names import SHA

_REF = re.compile(
    r"(?!.*(?:\.\.|@\{|//|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\.\-/][^\x00-\x20\x7f~^:?*\[\\]*(?<![./])"
)
"""The rules of git-check-ref-format(1), and no leading dash. Nor may a name hold what cannot be seen."""


def is_ref(name: str) -> bool:
    return _REF.fullmatch(name) is not None and name.isprintable()


def checked(name: str) -> str:
    """A short name of a branch or tag. Raises `ConfigFault` for what is none: it never reaches git."""
    if not is_ref(name):
        raise ConfigFault(
            f"{name!r} is no name of a branch or tag", code="branch_name", hint="see git-check-ref-format(1)"
        )
    return name


def commit(sha: str) -> str:
    """Raises `ValueError` for what is not the full name of an object."""
    if not SHA.fullmatch(sha):
        raise ValueError(f"{sha!r} is not the full name of a commit")
    return sha
