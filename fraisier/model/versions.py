"""Semantic versions of tags: which one a range selects, and which of two is newer.

Versions are those of https://semver.org, ranges those of npm (https://docs.npmjs.com/cli/using-npm/semver),
parsed, matched and ordered by node-semver, a port that follows npm's own code. It was chosen over
semantic-version, whose NpmSpec errs in ranges that name pre-releases and has rested since 2022, and
over semver, which has no ranges. It is imported where it is used, for it takes a while to load.

Around it, here: prefixes (`api/v1.*` selects among the tags that begin with `api/`, a leading `v` being
neither here nor there), commas between comparators, tags with two parts (`v1.4` is 1.4.0), and a
grammar without npm's leniencies, so that what is a slip of the pen is refused rather than read as
"anything". In a range `1.4` is `1.4.*`, as with npm. One difference to npm is known and left: when `^1.4`
and `>=2.0.0-rc.0` are to hold at once, the pre-releases of 2.0.0 are in; npm says nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cmp_to_key, lru_cache
from typing import Any

from .selection import Pick

LONGEST = 256
"""Characters; nothing longer is a version or a range, as with npm."""

_EXAMPLES = "write for example v1.*, ^1.4, >=1.2 <2, 1.2.3 - 2.3.4 or api/v1.*"

_NUMBER = r"(?:0|[1-9][0-9]*)"
_LABEL = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SUFFIX = rf"(?:-{_LABEL}(?:\.{_LABEL})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_ANY = r"(?:\*|(?<![^\W\d_])[xX])"  # an x after a letter is the end of a word
_PREFIX = r"(?P<prefix>|(?!v?[0-9])(?:@|[^\W\d_])[^\s<>=~^|*,]*?(?<![0-9.]))"
_OPERATOR = r"(?:<=|>=|<|>|=|~>|~|\^)"

_TAG = re.compile(rf"{_PREFIX}v?(?P<core>{_NUMBER}\.{_NUMBER})(?P<patch>\.{_NUMBER})?(?P<suffix>{_SUFFIX})")
# node-semver reads `^1.0.0--1` as `^1.0.0-1`, hence `(?!--)`
_WORD = re.compile(
    rf"(?P<before>{_OPERATOR})?{_PREFIX}(?P<after>{_OPERATOR})?v?"
    rf"(?P<version>(?:{_NUMBER}|{_ANY})(?:\.(?:{_NUMBER}|{_ANY})(?:\.(?:{_NUMBER}(?!--){_SUFFIX}|{_ANY}))?)?)"
)


def check_range(text: str) -> None:
    """Raises `ValueError`, in words for people, when `text` is no range."""
    _range(text)


def newest(range_text: str, tags: Mapping[str, str]) -> Pick | None:
    """The highest version among `tags` (name to commit) that is in the range; None when none is.

    Of several of the same precedence (`v1.4`, `1.4.0+linux`) it is the one that the range spells out,
    else the name that sorts last. Tags that are no versions are passed over. Raises as `check_range`.
    """
    wanted = _range(range_text)
    inside = [(version, name) for name in tags if (version := wanted.admitted(name)) is not None]
    if not inside:
        return None
    order = _order()
    _, name = max(inside, key=lambda found: (order(found[0]), found[1] == range_text.strip(), found[1]))
    return Pick(name, tags[name])


def newer(tag: str, than: str) -> bool | None:
    """Whether one tag's version is the higher one; None when either is no version or their prefixes differ."""
    one, other = _shape(tag), _shape(than)
    if one is None or other is None or one["prefix"] != other["prefix"]:
        return None
    order = _order()
    return bool(order(_parsed(one)) > order(_parsed(other)))


@dataclass(frozen=True, slots=True)
class _Range:
    prefix: str
    parsed: Any
    """nodesemver.Range"""

    def admitted(self, tag: str) -> Any | None:
        """The version of a tag that is in the range."""
        shape = _shape(tag.removeprefix(self.prefix)) if tag.startswith(self.prefix) else None
        if shape is None or shape["prefix"]:
            return None
        version = _parsed(shape)
        return version if self.parsed.test(version) else None


@lru_cache(maxsize=256)
def _range(text: str) -> _Range:
    from nodesemver import make_range  # type: ignore[import-untyped]  # it ships no types

    if len(text) > LONGEST:
        raise ValueError(f"a range of versions has at most {LONGEST} characters, this has {len(text)}")
    prefixes: dict[str, None] = {}
    alternatives = [_alternative(part, text, prefixes) for part in text.split("||")]
    named = [prefix for prefix in prefixes if prefix]
    if len(named) > 1:
        raise ValueError(f"{text!r} names tags that begin with {' and with '.join(named)}: one range has one prefix")
    try:
        return _Range("".join(named), make_range(" || ".join(alternatives), loose=False))
    except ValueError as error:
        raise ValueError(f"{text!r} is no range of versions: {_EXAMPLES}") from error


def _alternative(part: str, text: str, prefixes: dict[str, None]) -> str:
    """One side of `||` as npm writes it; its prefixes are added to `prefixes`."""
    words = re.sub(rf"({_OPERATOR})\s+", r"\1", part.replace(",", " ")).split()
    if not words:
        raise ValueError(f"{text!r} is no range of versions, for a part of it is empty: {_EXAMPLES}")
    span = len(words) == 3 and words[1] == "-"
    return (" - " if span else " ").join(
        _comparator(word, text, prefixes, bare=span) for word in (words[::2] if span else words)
    )


def _comparator(word: str, text: str, prefixes: dict[str, None], *, bare: bool) -> str:
    """`<api/v2` as `<2`; `bare` ones have no operator."""
    match = _WORD.fullmatch(word)
    operators = [sign for sign in match.group("before", "after") if sign] if match is not None else []
    if match is None or len(operators) > (0 if bare else 1):
        raise ValueError(f"{text!r} is no range of versions, for {word!r} is none: {_EXAMPLES}")
    prefixes[match["prefix"]] = None
    return "".join(operators) + match["version"]


def _shape(tag: str) -> re.Match[str] | None:
    return _TAG.fullmatch(tag) if len(tag) <= LONGEST else None


def _parsed(shape: re.Match[str]) -> Any:
    """The nodesemver.SemVer of a match of `_TAG`, without its prefix."""
    from nodesemver import make_semver

    return make_semver(shape["core"] + (shape["patch"] or ".0") + shape["suffix"], False)


def _order() -> Any:
    """A sort key of versions, by precedence."""
    from nodesemver import SemVer

    return cmp_to_key(SemVer.compare)
