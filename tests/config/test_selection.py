"""`branch`, `tag` and `revision`: exactly one of them says what is deployed."""

from __future__ import annotations

import pytest

from fraisier.model.names import TargetId
from fraisier.model.selection import Branch, Exact, TagRange
from tests.support.configs import Machine, api, read, sentences

TARGET = TargetId("my_api", "production")
SHA = "0123456789abcdef" * 2 + "01234567"


def selecting(written: str) -> str:
    return api().replace("branch: main", written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("branch: release/1.2", Branch("release/1.2")),
        ('tag: "v1.*"', TagRange("v1.*")),
        ("tag: ^1.4", TagRange("^1.4")),
        ('tag: ">=1.2 <2"', TagRange(">=1.2 <2")),
        (f"revision: {SHA}", Exact(SHA)),
        (f"revision: {SHA.upper()}", Exact(SHA)),
        (f"revision: {'ab' * 32}", Exact("ab" * 32)),
    ],
)
def test_one_of_them_selects(written, expected):
    loaded = read(selecting(written))

    assert sentences(loaded) == []
    assert loaded.config.targets[TARGET].selection == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("tag: 1.10", 'tag: must be text, got 1.10; YAML reads 1.10 as a number: write "1.10", in quotes'),
        ("tag: ''", "tag: must not be empty"),
        ("tag: '${RANGE}'", "tag: cannot be read from the environment; write the value itself"),
        ("tag: {env: RANGE}", "tag: must be text, got a map"),
        (
            "revision: 1a2b3c4",
            "revision: must be the whole SHA of a commit: 40 hex digits, or 64 in a SHA-256 repository",
        ),
        ("revision: '${SHA}'", "revision: cannot be read from the environment; write the value itself"),
    ],
)
def test_what_selects_nothing_is_refused_at_its_line(written, expected):
    loaded = read(selecting(written), Machine({"RANGE": "v1.*", "SHA": SHA}))

    (problem,) = loaded.problems
    assert (problem.line, str(problem).partition("production.")[2]) == (5, expected)
    assert list(loaded.held) == [TARGET]


def test_a_range_that_is_none_says_so_in_the_words_of_the_versions():
    (problem,) = read(selecting("tag: not a range")).problems

    assert (problem.path.rpartition(".")[2], problem.line) == ("tag", 5)
    assert problem.message.startswith("'not a range' is no range of versions")


@pytest.mark.parametrize(
    ("written", "places"),
    [
        ("branch: main, tag: v1.*", ["tag"]),
        (f"tag: v1.*, revision: {SHA}", ["revision"]),
        (f"revision: {SHA}, branch: main", ["revision"]),
        (f"branch: main, tag: v1.*, revision: {SHA}", ["tag", "revision"]),
    ],
)
def test_two_of_them_contradict_and_name_both_lines(written, places):
    loaded = read(selecting(written))

    assert [problem.path.rpartition(".")[2] for problem in loaded.problems] == places
    assert all(f"contradicts {written_first(written)} (line 5)" in problem.message for problem in loaded.problems)
    assert list(loaded.held) == [TARGET]


def written_first(written: str) -> str:
    return next(key for key in ("branch", "tag", "revision") if f"{key}:" in written)


@pytest.mark.parametrize("key", ["branch: main", "tag: v1.*", f"revision: {SHA}"])
@pytest.mark.parametrize("place", ["fraise", "defaults"])
def test_a_selection_stands_in_an_environment_only(key, place):
    name, value = key.split(": ")
    text = api(**{name: value}) if place == "fraise" else f"defaults: {{{key}}}\n" + api()

    (problem,) = read(text).problems

    assert problem.message == "unknown key"
