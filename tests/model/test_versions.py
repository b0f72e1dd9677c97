"""Versions as semver.org has them, ranges as npm documents them, and what Fraisier adds or refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fraisier.model.selection import Pick
from fraisier.model.versions import LONGEST, check_range, newer, newest
from tests.support.profiles import examples


def _commits(*tags: str) -> dict[str, str]:
    return {tag: f"commit of {tag}" for tag in tags}


def _newest(text: str, *tags: str) -> str | None:
    pick = newest(text, _commits(*tags))
    assert pick is None or pick == Pick(pick.ref, f"commit of {pick.ref}")
    return pick.ref if pick else None


def _inside(text: str, tag: str) -> bool:
    return newest(text, _commits(tag)) is not None


# semver.org, section 11 and the grammar

ASCENDING = [
    "0.0.0", "0.0.1", "0.0.2", "0.0.10", "0.1.0", "0.10.0",
    "1.0.0-0", "1.0.0-1", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
    "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc.1.0", "1.0.0",
    "2.0.0", "2.1.0", "2.1.1", "10.0.0",
]  # fmt: skip


@pytest.mark.parametrize(("lower", "higher"), list(pairwise(ASCENDING)))
def test_precedence_is_that_of_semver_org(lower: str, higher: str) -> None:
    assert newer(higher, lower) is True
    assert newer(lower, higher) is False
    assert newer(f"v{higher}", lower) is True


@pytest.mark.parametrize("tag", ["1.0.0+20130313144700", "1.0.0+exp.sha.5114f85", "1.0.0+21AF26D3---117B344092BD"])
def test_build_metadata_has_no_precedence(tag: str) -> None:
    assert newer(tag, "1.0.0") is newer("1.0.0", tag) is False


@pytest.mark.parametrize(
    "tag",
    [
        "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay", "1.0.0--", "1.0.0-0A.is.legal",
        "1.2.3----R-S.12.9.1--.12", "99999999999999999999999.999999999999999999.99999999999999999", "1.0.0-0",
        "1.1.2+meta-valid", "v1.4", "v1.4-rc.1",
    ],
)  # fmt: skip
def test_versions(tag: str) -> None:
    assert newer(tag, "0.1.0") is True


@pytest.mark.parametrize(
    "tag",
    [
        "", "v", "1", "v1", "1.2.3.4", "01.1.1", "1.01.1", "1.1.01", "1.2.3-0123", "1.2.3-0123.0123", "1.1.2+.123",
        "+invalid", "-invalid", "alpha", "1.0.0-", "1.0.0-alpha..1", "1.0.0-alpha_beta", "1.2.3+a+b", "2026.01.31",
        "latest", "nightly-2026-11-24", "1.2.3 ", "1.2.3\n", " 1.2.3", "-1.0.0", "1.0.0-é", "1.\u0661.0", "1.2.",
        ".1.2",        pytest.param(f"1.{'9' * 5000}.0", id="too large"), pytest.param("v" * 5000, id="too long"),
        pytest.param(f"1.0.0-{'a' * 251}", id="a little too long"),
    ],
)  # fmt: skip
def test_tags_that_are_no_versions_are_passed_over(tag: str) -> None:
    assert newer(tag, "1.0.0") is None
    assert newer("1.0.0", tag) is None
    assert not _inside("*", tag)
    assert _newest("*", tag, "1.0.0", f"{tag}!") == "1.0.0"


def test_a_version_of_two_parts_is_its_first_patch() -> None:
    assert _newest("v1.4.*", "v1.4", "v1.3.9") == "v1.4"
    assert _newest("v1.*", "v1.4", "v1.4.1") == "v1.4.1"
    assert newer("v1.4", "1.4.0") is newer("1.4.0", "v1.4") is False


def test_equal_versions_are_told_apart_by_the_range_or_else_by_name() -> None:
    tags = ("1.4.2", "v1.4.2+linux", "v1.4.2", "v1.4.2+windows", "v1.4.1")

    assert _newest("1.*", *tags) == _newest("1.*", *reversed(tags)) == "v1.4.2+windows"
    assert _newest("v1.4.2+linux", *tags) == "v1.4.2+linux"
    assert _newest("1.4.2", *tags) == "1.4.2"


# npm: the examples of its documentation, as range, what is in, what is not

DOCUMENTED = [
    (">=1.2.7", "1.2.7 1.2.8 2.5.3 1.3.9", "1.2.6 1.1.0"),
    (">=1.2.7 <1.3.0", "1.2.7 1.2.8 1.2.99", "1.2.6 1.3.0 1.1.0"),
    ("1.2.7 || >=1.2.9 <2.0.0", "1.2.7 1.2.9 1.4.6", "1.2.8 2.0.0"),
    (">1.2.3-alpha.3", "1.2.3-alpha.7 3.4.5 1.2.3", "3.4.5-alpha.9 1.2.3-alpha.3 1.2.3-alpha.2"),
    ("1.2.3 - 2.3.4", "1.2.3 1.9.0 2.3.4", "1.2.2 2.3.5"),
    ("1.2 - 2.3.4", "1.2.0 2.3.4", "1.1.9 2.3.5"),
    ("1.2.3 - 2.3", "1.2.3 2.3.99", "2.4.0"),
    ("1.2.3 - 2", "1.2.3 2.99.99", "3.0.0"),
    ("*", "0.0.0 1.2.3 99.0.0", "1.2.3-rc.1"),
    ("1.x", "1.0.0 1.99.0", "0.9.9 2.0.0 1.3.0-rc.1"),
    ("1.2.x", "1.2.0 1.2.99", "1.1.9 1.3.0"),
    ("1", "1.0.0 1.2.3", "2.0.0"),
    ("1.2", "1.2.0 1.2.3", "1.3.0"),
    ("~1.2.3", "1.2.3 1.2.99", "1.2.2 1.3.0"),
    ("~1.2", "1.2.0 1.2.99", "1.3.0"),
    ("~1", "1.0.0 1.99.0", "2.0.0 0.9.0"),
    ("~0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
    ("~1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.4 1.2.3 1.2.4", "1.2.4-beta.2 1.2.3-beta.1 1.3.0"),
    ("^1.2.3", "1.2.3 1.99.0", "1.2.2 2.0.0 2.0.0-rc.1"),
    ("^0.2.3", "0.2.3 0.2.99", "0.2.2 0.3.0"),
    ("^0.0.3", "0.0.3", "0.0.2 0.0.4"),
    ("^1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.4 1.9.0", "1.2.4-beta.2 1.2.3-beta.1 2.0.0"),
    ("^0.0.3-beta", "0.0.3-beta 0.0.3-pr.2 0.0.3", "0.0.4"),
    ("^1.2.x", "1.2.0 1.9.0", "1.1.0 2.0.0"),
    ("^0.0.x", "0.0.0 0.0.9", "0.1.0"),
    ("^0.0", "0.0.0 0.0.9", "0.1.0"),
    ("^1.x", "1.0.0 1.9.9", "2.0.0"),
    ("^0.x", "0.0.0 0.9.9", "1.0.0"),
    # the words of Fraisier's own documentation
    ("v1.*", "v1.0.0 1.4.2 v1.99.0", "v2.0.0 v0.9.0 v1.5.0-rc.1 xv1.0.0"),
    ("v1.2.*", "v1.2.0 v1.2.9", "v1.3.0"),
    (">=1.2 <2", "1.2.0 v1.99.9", "1.1.9 2.0.0"),
    (">=1.2.0, <2.0.0", "1.2.0 1.99.9", "1.1.9 2.0.0"),
    (">= 1.2, < 2", "1.2.0 1.99.9", "1.1.9 2.0.0"),
    (">=2.0.0-rc.0 <3", "2.0.0-rc.0 2.0.0-rc.7 2.0.0 2.9.0", "2.1.0-rc.1 2.0.0-alpha 3.0.0"),
    ("v1.4.2", "v1.4.2 1.4.2 v1.4.2+linux", "v1.4.3 v1.4.1 v1.4.2-rc.1"),
    ("v2.0.0-rc.1", "v2.0.0-rc.1", "v2.0.0 v2.0.0-rc.2"),
    ("1.x || >=3 <4 || v5.0.1", "1.0.0 3.5.0 5.0.1", "2.0.0 4.0.0 5.0.0"),
]


@pytest.mark.parametrize(("text", "inside", "outside"), DOCUMENTED, ids=[text for text, _, _ in DOCUMENTED])
def test_ranges_as_npm_documents_them(text: str, inside: str, outside: str) -> None:
    check_range(text)
    assert {tag: _inside(text, tag) for tag in inside.split()} == dict.fromkeys(inside.split(), True)
    assert {tag: _inside(text, tag) for tag in outside.split()} == dict.fromkeys(outside.split(), False)


# prefixes

MONOREPO = ("v1.9.0", "1.8.0", "api/v1.2.0", "api/1.3.0", "api/v2.0.0", "web/api/v1.8.0", "api-v1.7.0", "release-1.5.0",
            "release-1.6", "release1.9.0", "@shop/ui@1.1.0", "python3-1.2.4", "api/v1.2.9-rc.1")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("v1.*", "v1.9.0"),
        ("api/v1.*", "api/1.3.0"),
        ("api/^1.0", "api/1.3.0"),
        ("^api/v1.0", "api/1.3.0"),
        ("api/*", "api/v2.0.0"),
        (">=api/v1.2 <api/v2", "api/1.3.0"),
        ("api/>=1.2 <1.3", "api/v1.2.0"),
        ("api/v1.2.0 - api/v1.2.9", "api/v1.2.0"),
        ("api/v1.2.* || api/v2.*", "api/v2.0.0"),
        ("api/v1.2.9-rc.1", "api/v1.2.9-rc.1"),
        ("web/api/1.x", "web/api/v1.8.0"),
        ("release-1.*", "release-1.6"),
        ("release-x", "release-1.6"),
        ("release1.*", "release1.9.0"),
        ("@shop/ui@1.*", "@shop/ui@1.1.0"),
        ("python3-1.2.*", "python3-1.2.4"),
        ("web/v1.*", None),
    ],
)
def test_a_prefix_selects_the_tags_that_begin_with_exactly_it(text: str, tag: str | None) -> None:
    assert _newest(text, *MONOREPO) == tag


@pytest.mark.parametrize(
    ("tag", "than", "answer"),
    [
        ("api/v1.10.0", "api/1.9.0", True),
        ("release-1.2", "release-1.3", False),
        ("api/v2.0.0", "web/v1.0.0", None),
        ("api/v2.0.0", "v1.0.0", None),
        ("main", "v1.0.0", None),
    ],
)
def test_tags_compare_when_they_have_the_same_prefix(tag: str, than: str, answer: bool | None) -> None:
    assert newer(tag, than) is answer


# refusals

SLIPS = [
    "", " ", "main", "latest", "v", "max", "linux", "1.2.3.4", "v1.2.3.4", "01.2", "1.02", "1.2.3-01", "1.2-rc.1",
    "1.2.x-rc.1", "1.x ||", "|| 1.x", "1 | 2", "!=1.2", "==1.2", ">=<1", "~^1", ">=", "1.2 -", "- 1.2", "1 - 2 - 3",
    "^1 - 2", "1 - <2", "v1.2-1.3", "v1*", "1.2*", "[1.0,2.0)", "refs/tags/", "release-", "api/", ">1 and <2",
    "^api/^1.2", "^1.0.0--1", "1..2", "x1.x.", "x.1.2.3", "api01.2", pytest.param("1." + "9" * 5000, id="too long"),
]  # fmt: skip


@pytest.mark.parametrize("text", SLIPS)
def test_what_is_no_range_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no range of versions.*\^1\.4|at most 256 characters"):
        check_range(text)
    with pytest.raises(ValueError, match="range of versions"):
        newest(text, _commits("v1.2.3"))


def test_the_refusal_names_the_word_that_is_wrong() -> None:
    with pytest.raises(
        ValueError, match=r"'>=1\.2 <two' is no range of versions, for '<two' is none: write for example"
    ):
        check_range(">=1.2 <two")


def test_one_range_has_one_prefix() -> None:
    with pytest.raises(ValueError, match="begin with api/ and with web/: one range has one prefix"):
        check_range("api/v1.* || web/v1.*")


@given(st.text(alphabet="v10.*x^~<>=-| ,+a/@rc", max_size=LONGEST + 2))
@examples(300)
def test_any_text_is_a_range_or_refused(text: str) -> None:
    try:
        check_range(text)
    except ValueError as error:
        assert "range" in str(error)
    else:
        newest(text, _commits("v1.0.0", "1.1.1-rc.1", "a/v1.0.0"))


# against what the documents say, computed anew

Version = tuple[tuple[int, int, int], tuple[str, ...]]
Comparator = tuple[str, Version]

numbers = st.integers(0, 3)
cores = st.tuples(numbers, numbers, numbers)
LABELS = ["0", "1", "2", "10", "alpha", "beta", "rc", "rc1", "1a", "a-"]


def _versions(labels: list[str]) -> st.SearchStrategy[Version]:
    pre = st.lists(st.sampled_from(labels), min_size=1, max_size=3).map(tuple)
    return st.tuples(cores, st.one_of(st.just(()), pre))


versions = _versions([*LABELS, "-", "-1"])
bounds = _versions(LABELS)
primitives = st.lists(st.tuples(st.sampled_from([">=", ">", "<", "<=", "="]), bounds), min_size=1, max_size=3)
floors = st.lists(st.tuples(st.sampled_from(["^", "~"]), bounds), min_size=1, max_size=1)
ranges = st.lists(st.one_of(primitives, floors), min_size=1, max_size=3)


def _text(version: Version) -> str:
    core, pre = version
    return ".".join(map(str, core)) + ("-" + ".".join(pre) if pre else "")


def _rank(version: Version) -> tuple[object, ...]:
    """Section 11: a release is above its pre-releases, numbers are below words, more labels are above fewer."""
    core, pre = version
    return core, not pre, tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre)


def _ceiling(sign: str, core: tuple[int, int, int]) -> tuple[int, int, int]:
    major, minor, patch = core
    if sign == "~" or (major == 0 and minor > 0):
        return major, minor + 1, 0
    return (0, 0, patch + 1) if major == minor == 0 else (major + 1, 0, 0)


def _holds(comparator: Comparator, version: Version) -> bool:
    sign, bound = comparator
    if sign in "^~":
        return _rank(version) >= _rank(bound) and version[0] < _ceiling(sign, bound[0])
    one, other = _rank(version), _rank(bound)
    return {">=": one >= other, ">": one > other, "<": one < other, "<=": one <= other, "=": one == other}[sign]


def _admits(comparators: list[Comparator], version: Version) -> bool:
    named = not version[1] or any(bound[1] and bound[0] == version[0] for _, bound in comparators)
    return named and all(_holds(c, version) for c in comparators)


@given(versions, versions, versions)
@examples(300)
def test_the_order_is_total_and_that_of_section_11(one: Version, two: Version, three: Version) -> None:
    ordered = sorted([one, two, three], key=_rank)

    for lower, higher in pairwise(ordered):
        assert newer(_text(higher), _text(lower)) is (_rank(higher) > _rank(lower))
        assert newer(_text(lower), _text(higher)) is False
    assert newer(_text(ordered[2]), _text(ordered[0])) is (_rank(ordered[2]) > _rank(ordered[0]))


@given(ranges, st.lists(versions, max_size=12), st.sampled_from(["", "v", "api/v"]))
@examples(300)
def test_the_newest_is_in_the_range_and_none_in_it_is_higher(
    alternatives: list[list[Comparator]], present: list[Version], prefix: str
) -> None:
    text = " || ".join(" ".join(f"{sign}{prefix}{_text(v)}" for sign, v in part) for part in alternatives)
    tags: Mapping[str, Version] = {prefix + _text(v): v for v in present}
    inside = [v for v in tags.values() if any(_admits(part, v) for part in alternatives)]

    pick = newest(text, {**_commits(*tags), "web/v3.3.3": "another's"})

    assert (pick.ref if pick else None) == (prefix + _text(max(inside, key=_rank)) if inside else None)


def test_importing_it_does_not_load_the_library() -> None:
    program = "import sys, fraisier.model.versions; sys.exit('nodesemver' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
