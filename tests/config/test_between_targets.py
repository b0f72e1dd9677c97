"""What concerns two targets names both lines and holds both."""

from __future__ import annotations

import pytest

from fraisier.config import SourceFile, load
from fraisier.model.names import TargetId
from fraisier.model.selection import Branch
from tests.support.configs import ORIGIN, Machine, api, read, sentences

A, B = TargetId("a", "p"), TargetId("b", "p")


def pair(first: str, second: str, more: str = "") -> str:
    """Two fraises, `a` on line 4 and `b` on line 7."""
    return (
        f"fraises:\n  a:\n    type: api\n    environments: {{p: {{branch: main, {first}}}}}\n"
        f"  b:\n    type: api\n    environments: {{p: {{branch: main, {second}}}}}\n{more}"
    )


SHARED = {
    "app_path": ("app_path: /srv/x, systemd_service: a", "app_path: /srv//x/, systemd_service: b", "app_path"),
    "outer app_path": ("app_path: /srv/x, systemd_service: a", "app_path: /srv/x/y/z, systemd_service: b", "app_path"),
    "unit": ("app_path: /a, systemd_service: x", "app_path: /b, systemd_service: x.service", "systemd_service"),
    "port": (
        "app_path: /a, service: {exec: x, port: 80}",
        "app_path: /b, service: {exec: x, port: 80}",
        "service.port",
    ),
}


@pytest.mark.parametrize(("first", "second", "key"), SHARED.values(), ids=SHARED)
def test_what_two_targets_may_not_share_holds_both(first, second, key):
    loaded = read(pair(first, second))

    (of_a,), (of_b,) = loaded.held[A], loaded.held[B]
    assert (of_a.line, of_a.path) == (4, f"fraises.a.environments.p.{key}")
    assert (of_b.line, of_b.path) == (7, f"fraises.b.environments.p.{key}")
    assert "b/p, at fraises.yaml:7:" in of_a.message
    assert "a/p, at fraises.yaml:4:" in of_b.message


def test_targets_on_different_servers_may_share_everything():
    same = "app_path: /srv/x, systemd_service: x, repository: /srv/git/x"

    loaded = read(pair(f"{same}, servers: [web-1]", f"{same}, servers: [web-2]"))

    assert sentences(loaded) == []
    assert list(loaded.config.targets) == [A]
    assert loaded.config.elsewhere == {B: ("web-2",)}


def test_of_a_target_elsewhere_nothing_is_looked_up_here():
    there = "app_path: '/srv/${WHERE}', service: {exec: x}, env: {A: '${B}', C: {credential: d}}, servers: [web-2]"

    loaded = read(pair("app_path: /a, systemd_service: a, repository: /g", there), Machine(remote=None))

    assert sentences(loaded) == []
    assert list(loaded.config.elsewhere) == [B]


def test_a_cycle_is_reported_at_each_of_its_lines():
    loaded = read(
        pair("app_path: /a, systemd_service: a, depends_on: [b]", "app_path: /b, systemd_service: b, depends_on: [a/p]")
    )

    assert [(problem.line, problem.message) for problem in loaded.problems] == [
        (4, "is part of a cycle: a/p → b/p → a/p"),
        (7, "is part of a cycle: a/p → b/p → a/p"),
    ]
    assert list(loaded.held) == [A, B]


def test_what_leads_to_a_cycle_is_not_part_of_it():
    text = pair(
        "app_path: /a, systemd_service: a, depends_on: [b]", "app_path: /b, systemd_service: b, depends_on: [b]"
    )

    loaded = read(text)

    assert list(loaded.held) == [B]
    assert loaded.config.targets[A].depends_on == (B,)


def test_a_target_cannot_wait_for_one_of_another_server():
    loaded = read(
        pair(
            "app_path: /a, systemd_service: a, depends_on: [b]",
            "app_path: /b, systemd_service: b, servers: [db-1], repository: /g",
        )
    )

    (problem,) = loaded.held[A]
    assert problem.message == "b/p does not run on web-1"


def test_a_dependency_on_a_held_target_stays():
    loaded = read(
        pair("app_path: /a, systemd_service: a, depends_on: [b]", "app_path: /b, systemd_service: b, typo: 1")
    )

    assert loaded.config.targets[A].depends_on == (B,)


def test_mapping_and_branch_that_contradict_name_both_lines():
    loaded = read(api() + "branch_mapping:\n  dev: {fraise: my_api, environment: production}\n")

    (problem,) = loaded.problems
    assert str(problem) == (
        "fraises.yaml:7:8: branch_mapping.dev: my_api/production is mapped to dev here, "
        "which contradicts the environment's own branch at fraises.yaml:5:28; keep one of them"
    )
    assert list(loaded.held) == [TargetId("my_api", "production")]


@pytest.mark.parametrize("own", ["tag: v1.*", f"revision: {'a' * 40}"])
def test_a_mapping_contradicts_an_environment_that_selects_otherwise(own):
    kind = own.partition(":")[0]
    mapping = "branch_mapping:\n  main: {fraise: my_api, environment: production}\n"

    loaded = read(api().replace("branch: main", own) + mapping)

    (problem,) = loaded.problems
    place = f"fraises.yaml:5:{len('      production: {') + len(kind) + 3}"
    assert (problem.line, problem.message) == (
        7,
        f"my_api/production is mapped to main here, which contradicts the environment's own {kind} at {place}",
    )
    assert list(loaded.held) == [TargetId("my_api", "production")]


def test_two_mappings_that_contradict_name_both_lines():
    text = api().replace("branch: main, ", "")
    lines = [f"  {branch}: [{{fraise: my_api, environment: production}}]\n" for branch in ("main", "dev")]

    loaded = read(text + "branch_mapping:\n" + "".join(lines))

    (problem,) = loaded.problems
    assert (problem.line, problem.path) == (8, "branch_mapping.dev[0]")
    assert "contradicts branch main at fraises.yaml:7:10" in problem.message
    assert list(loaded.held) == [TargetId("my_api", "production")]


def test_the_mapping_alone_gives_the_branch():
    text = api().replace("branch: main, ", "")

    loaded = read(text + "branch_mapping:\n  release/1.2: {fraise: my_api, environment: production}\n")

    assert sentences(loaded) == []
    assert loaded.config.targets[TargetId("my_api", "production")].selection == Branch("release/1.2")


def test_no_branch_at_all_is_an_error():
    loaded = read(api().replace("branch: main, ", ""))

    assert [problem.message for problem in loaded.problems] == ["needs a branch, a tag or a revision"]


def test_a_mapping_to_nothing_is_told_and_stops_no_fraise():
    loaded = read(api() + "branch_mapping:\n  main: {fraise: my_apy, environment: production}\n")

    assert [str(problem) for problem in loaded.problems] == [
        "fraises.yaml:7:9: branch_mapping.main: there is no target my_apy/production; did you mean my_api/production?"
    ]
    assert list(loaded.config.targets) == [TargetId("my_api", "production")]
    assert loaded.held == {}


def test_files_of_a_folder_are_one_configuration():
    sources = [SourceFile("a.yaml", api("a")), SourceFile("b.yaml", "server: {name: s}\n" + api("b"))]

    loaded = load(sources, Machine())

    assert sentences(loaded) == []
    assert [str(target) for target in loaded.config.targets] == ["a/production", "b/production"]
    assert loaded.config.targets[TargetId("b", "production")].declared_at == "b.yaml:6:7"
    assert loaded.config.server.name == "s"


def test_a_fraise_in_two_files_is_held_and_names_both():
    loaded = load([SourceFile("a.yaml", api("a")), SourceFile("b.yaml", api("a"))], Machine())

    assert sentences(loaded) == ["b.yaml:2:3: fraises.a: is written twice, first at a.yaml:2:3; keep one of them"]
    assert list(loaded.held) == [TargetId("a", "production")]


def test_one_file_that_does_not_parse_leaves_nothing_usable():
    loaded = load([SourceFile("a.yaml", api("a")), SourceFile("b.yaml", "a: [")], Machine())

    assert loaded.config is None
    assert [problem.file for problem in loaded.problems] == ["b.yaml"]


def test_merge_keys_and_aliases_are_written_out():
    loaded = read(
        """\
        fraises:
          a:
            type: api
            environments:
              p: &base {branch: main, app_path: /a, systemd_service: a, env: {X: "1"}}
              q: {<<: *base, app_path: /b, systemd_service: b}
        """
    )

    assert sentences(loaded) == []
    assert loaded.config.targets[TargetId("a", "q")].env == {"X": "1"}
    assert loaded.config.targets[TargetId("a", "q")].remote == ORIGIN


def test_an_empty_set_of_fraises_is_no_problem():
    assert read("fraises:\n").problems == ()
    assert read("fraises: {}\n").config.targets == {}
