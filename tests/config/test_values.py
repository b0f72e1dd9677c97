"""Single values: what is accepted, what it becomes, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fraisier.config.problems import Wrong
from fraisier.config.remotes import parse_remote
from fraisier.config.values import (
    parse_app_path,
    parse_branch,
    parse_duration,
    parse_listen,
    parse_tcp,
    parse_unit,
    split_command,
)
from fraisier.model.config import CommandProbe, HttpProbe, ManagerProbe, TcpProbe, WrittenService
from fraisier.model.names import TargetId
from fraisier.model.secret import Secret
from fraisier.model.selection import Branch
from tests.support.configs import Machine, api, read, sentences

TARGET = TargetId("my_api", "production")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1s", timedelta(seconds=1)),
        ("500ms", timedelta(milliseconds=500)),
        ("2m", timedelta(minutes=2)),
        ("1h30m", timedelta(minutes=90)),
        ("1d", timedelta(days=1)),
        ("0s", timedelta(0)),
    ],
)
def test_durations_are_the_sum_of_their_parts(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://git.example.com/a/b.git", None),
        ("https://git.example.com:8443/a", None),
        ("ssh://git@git.example.com:2222/a/b.git", None),
        ("git@git.example.com:acme/api.git", None),
        ("host:path", None),
        ("git@[::1]:acme/api.git", None),
        ("/srv/git/api.git", None),
        ("/srv//git/./api.git/", "/srv/git/api.git"),
        ("//srv/git", "/srv/git"),
        ("file:///srv/git/api%20x.git", "/srv/git/api x.git"),
        ("file://localhost/srv/git", "/srv/git"),
    ],
)
def test_remotes_that_are_read(text, expected):
    assert parse_remote(text) == (expected or text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-oProxyCommand=x",
        "--upload-pack=x",
        "-u:x",
        "ext::sh -c x",
        "fd::17",
        "http://git.example.com/a",
        "git://git.example.com/a",
        "ftp://git.example.com/a",
        "HTTPS://user:token@git.example.com/a",
        "https://token@git.example.com/a",
        "https://user:to/ken@git.example.com/a",
        "https://-x/a",
        "https:///a",
        "https://git.example.com",
        "ssh://git:password@git.example.com/a",
        "ssh://-oProxyCommand=x/a",
        "git@-oProxyCommand=x:a",
        "git@host:-x",
        "git@host:a b",
        "git@host:a\nb",
        "https://git.example.com/a\u2028b",
        "file://host/a",
        "file:relative",
        "relative/path",
        "./relative",
        "~/path",
        "/srv/../etc",
        "C:\\x y",
    ],
)
def test_remotes_that_are_refused_without_being_repeated(text):
    with pytest.raises(Wrong) as refused:
        parse_remote(text)

    assert "token" not in refused.value.message + refused.value.hint
    assert "ssword@" not in refused.value.message + refused.value.hint


@pytest.mark.parametrize("text", ["main", "release/1.2", "feature/ä-b_c", "v1.0", "a@b", "x.y"])
def test_branches_that_git_accepts(text):
    assert parse_branch(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "-x", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock",
     "a.lock/b", "a.", "a@{0}", "@", "HEAD", "refs/heads/main", "a\tb", "a\x7f", "x" * 201],
)  # fmt: skip
def test_branches_that_git_refuses(text):
    with pytest.raises(Wrong):
        parse_branch(text)


@pytest.mark.parametrize("text", ["/", "//", "/.", "x", "", "/a/../b", "/..", "/a\nb", "~/a"])
def test_app_paths_that_are_refused(text):
    with pytest.raises(Wrong):
        parse_app_path(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("api", "api.service"), ("api@1", "api@1.service"), ("a.b.service", "a.b.service")]
)
def test_unit_names_are_completed(text, expected):
    assert parse_unit(text) == expected


@pytest.mark.parametrize("text", ["", "api.socket", "api@", "api@.service", "-x", "../x", "a b", ".service", "x" * 300])
def test_unit_names_that_are_refused(text):
    with pytest.raises(Wrong):
        parse_unit(text)


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (parse_listen, "127.0.0.1:8780", ("127.0.0.1", 8780)),
        (parse_listen, "[::1]:0", ("::1", 0)),
        (parse_tcp, "8000", ("127.0.0.1", 8000)),
        (parse_tcp, ":8000", ("127.0.0.1", 8000)),
        (parse_tcp, "db.example.com:5432", ("db.example.com", 5432)),
    ],
)
def test_addresses(parse, text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["", ":", "::1:80", "a:b", "a:65536", "a:-1", "a b:1", "a:٣"])
def test_addresses_that_are_refused(text):
    with pytest.raises(Wrong):
        parse_listen(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python3 -m venv .venv", ("python3", "-m", "venv", ".venv")),
        ("pip install 'a b' foo>=1.0", ("pip", "install", "a b", "foo>=1.0")),
        ("sh -c 'a | b && echo $(c) > d'", ("sh", "-c", "a | b && echo $(c) > d")),
        ("/bin/bash -c 'cd x; make'", ("/bin/bash", "-c", "cd x; make")),
        ("make\n  all", ("make", "all")),
        ("grep foo$", ("grep", "foo$")),
    ],
)
def test_commands_are_split_into_words(text, expected):
    assert split_command(text) == expected


@pytest.mark.parametrize(
    "text",
    ["a | b", "a && b", "a || b", "a ; b", "a; b", "a > b", "a 2>&1", "a >b", "a < b", "echo $(x)", "echo `x`",
     "echo $HOME", "a &", "cd x", "export A=1", "A=1 make", "", "   ", "''", "a 'b", "a \x00"],
)  # fmt: skip
def test_commands_that_would_need_a_shell_are_refused(text):
    with pytest.raises(Wrong):
        split_command(text)


def target(environment: str, machine: Machine | None = None):
    loaded = read(api(environment=environment), machine)
    assert sentences(loaded) == []
    return loaded.config.targets[TARGET]


def test_a_list_is_one_argument_list_as_it_is():
    found = target("build: [[sh, -c, 'a | b'], [sleep, 5, 1.10]]")

    assert found.build == (("sh", "-c", "a | b"), ("sleep", "5", "1.10"))


def test_a_doubled_dollar_is_a_literal_one():
    found = target("env: {A: '$${B}'}, build: [[sh, -c, 'echo $${B}']]")

    assert found.env == {"A": "${B}"}
    assert found.build == (("sh", "-c", "echo ${B}"),)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("'${V}'", Secret("vv")),
        ("'a${V}b${V}'", Secret("avvbvv")),
        ("{env: V}", Secret("vv")),
        ("{file: /f}", Secret("ff\nff")),
        ("{credential: c}", Secret("cc")),
        ("plain", "plain"),
        ("1.10", "1.10"),
        ("0o17", "0o17"),
        ("1:30", "1:30"),
        ("''", ""),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_values_from_elsewhere_are_secret_and_others_are_as_written(written, expected):
    machine = Machine({"V": "vv"}, {"/f": "ff\nff\n"}, {"c": "cc\r\n"})

    found = target(f"env: {{A: {written}}}", machine)

    assert found.env == {"A": expected}
    assert type(found.env["A"]) is type(expected)


def test_names_and_paths_may_come_from_elsewhere():
    loaded = read(
        "server: {name: {file: /etc/name}, listen: '${ADDRESS}:80'}\n"
        + api().replace("/srv/my_api", "'/srv/${WHERE}'").replace("branch: main", "branch: {env: BRANCH}"),
        Machine({"WHERE": "here", "BRANCH": "dev", "ADDRESS": "10.0.0.1"}, {"/etc/name": "web-7\n"}),
    )

    assert sentences(loaded) == []
    assert (loaded.config.server.name, loaded.config.server.listen) == ("web-7", ("10.0.0.1", 80))
    assert loaded.config.targets[TARGET].app_path == "/srv/here"
    assert loaded.config.targets[TARGET].selection == Branch("dev")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", ManagerProbe()),
        ("health_check: {}", ManagerProbe()),
        ("health_check: {tcp: 8000}", TcpProbe("127.0.0.1", 8000)),
        ("health_check: {command: bin/check --quick}", CommandProbe(("bin/check", "--quick"))),
        ('health_check: {url: "http://x/", status: 204}', HttpProbe("http://x/", (range(204, 205),))),
        (
            'health_check: {url: "http://x/", status: [200, 300-302], headers: {Host: h, X: "${V}"}}',
            HttpProbe("http://x/", (range(200, 201), range(300, 303)), {"Host": "h", "X": Secret("v")}),
        ),
    ],
)
def test_probes(written, expected):
    assert target(written, Machine({"V": "v"})).health.probe == expected


def test_a_written_service_with_everything():
    found = target(
        "service: {exec: bin/x --y, type: notify, restart: 'no', port: 80, memory_max: 512M, cpu_quota: 50%, "
        "stop_timeout: 1m}"
    )

    assert found.service.unit == "my_api.service"
    assert found.service.written == WrittenService(
        ("bin/x", "--y"), "notify", "no", 80, "512M", "50%", timedelta(minutes=1)
    )


def test_the_unit_is_named_after_the_target_by_default():
    loaded = read(api().replace("systemd_service: my_api.service", "service: {exec: x}"))

    assert loaded.config.targets[TARGET].service.unit == "my_api-production.service"


def test_the_nearest_place_wins_and_env_is_merged():
    loaded = read(
        "defaults: {timeout: 1m, keep_releases: 2, run_as: one}\n"
        + api(environment="keep_releases: 9, env: {B: env}", timeout="2m", env="{A: fraise, B: fraise}")
    )

    found = loaded.config.targets[TARGET]
    assert (found.run_as, found.timeout, found.keep_releases) == ("one", timedelta(minutes=2), 9)
    assert found.env == {"A": "fraise", "B": "env"}


def test_several_secrets_for_rotation():
    loaded = read("git: {gitlab: {webhook_secret: [plain, '${V}']}}", Machine({"V": "v"}))

    assert loaded.config.git.webhook_secrets == {"gitlab": (Secret("plain"), Secret("v"))}


@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_an_empty_webhook_secret_is_refused(value):
    loaded = read("git: {gitea: {webhook_secret: '${V}'}}", Machine({"V": value}))

    assert loaded.config is None
    assert "the webhook secret is empty" in sentences(loaded)[0]


def test_an_origin_with_credentials_is_refused_and_not_shown():
    loaded = read(api(), Machine(remote="https://user:hunter2@git.example.com/a.git"))

    (sentence,) = sentences(loaded)
    assert "must not carry credentials" in sentence
    assert "hunter2" not in sentence
