"""Every problem at once, each at its place, in a sentence that says what to do."""

from __future__ import annotations

import pytest

from fraisier.config import load
from fraisier.model.names import TargetId
from tests.config.test_minimal import MINIMAL
from tests.support.configs import Machine, api, read, sentences

ENV = "fraises.my_api.environments.production"


def test_an_unknown_key_says_where_and_which_was_meant():
    loaded = read("\n" + MINIMAL.replace("health_check", "helth_check"), Machine({"FRAISIER_WEBHOOK_SECRET": "x"}))

    assert sentences(loaded) == [f"fraises.yaml:15:9: {ENV}.helth_check: unknown key; did you mean health_check?"]


# What stands in the environment, and what is said about it.
IN_ENVIRONMENT = {
    "duration without a unit": ("timeout: 30", "timeout: needs a unit, such as 30s"),
    "duration as text without a unit": ('timeout: "30"', "timeout: needs a unit, such as 30s"),
    "sexagesimal duration": ("timeout: 1:30", "timeout: needs a unit, such as 30s; YAML reads 1:30 as 90"),
    "duration that is none": ("timeout: soon", "timeout: must be a duration with units, such as 500ms, 30s or 1h30m"),
    "zero duration": ("timeout: 0s", "timeout: must be longer than 0s"),
    "endless duration": ("timeout: 9999999999999d", "timeout: is longer than ten years"),
    "duration from the environment": (
        "timeout: '${T}'",
        "timeout: cannot be read from the environment; write the value itself",
    ),
    "wrong type": ("keep_releases: many", "keep_releases: must be a whole number, got 'many'"),
    "too small": ("keep_releases: 0", "keep_releases: must be at least 1"),
    "no value": ("keep_releases: ", "keep_releases: has no value; give it one, or remove the key"),
    "yes is a boolean": (
        "run_as: yes",
        'run_as: must be text, got yes; YAML reads yes as true: write "yes", in quotes',
    ),
    "a time is a number": (
        "run_as: 12:30",
        'run_as: must be text, got 12:30; YAML reads 12:30 as a number: write "12:30", in quotes',
    ),
    "restart no": (
        "service: {exec: x, restart: no}",
        'service.restart: must be one of no, on-failure, always; YAML reads no as false: write "no", in quotes',
    ),
    "bad enum": (
        "service: {exec: x, type: notifi}",
        "service.type: 'notifi' is not one of simple, exec, notify; did you mean notify?",
    ),
    "missing key": ("service: {port: 80}", "service: needs exec"),
    "empty command": ("service: {exec: ''}", "service.exec: must not be empty"),
    "port out of range": ("service: {exec: x, port: 70000}", "service.port: must be at most 65535"),
    "later key": ("notifications: {}", "notifications: not supported by this version; remove it"),
    "later database": ("database: {adapter: alembic}", "database: not supported by this version; remove it"),
    "both ways to a unit": (
        "unit_file: a.service, service: {exec: x}",
        "unit_file: contradicts service (line 5): both say what the unit is; keep one of them",
    ),
    "unit file outside": (
        "unit_file: ../a.service",
        "unit_file: must be a path inside the release; write it relative and without ..",
    ),
    "two probes": (
        'health_check: {url: "http://x/", tcp: 80}',
        "health_check.tcp: contradicts url (line 5): a health check asks one thing; keep one of them",
    ),
    "status without url": (
        "health_check: {tcp: 80, status: 200}",
        "health_check.status: means nothing without url; add url, or remove it",
    ),
    "bad status": (
        'health_check: {url: "http://x/", status: ok}',
        "health_check.status: must be a status such as 200, or a range such as 200-399",
    ),
    "backward status": (
        'health_check: {url: "http://x/", status: 399-200}',
        "health_check.status: must be a range from low to high; such as 200-399",
    ),
    "health url with credentials": (
        'health_check: {url: "http://u:p@x/"}',
        "health_check.url: must not carry credentials: URLs are shown in plans and logs; send them in headers",
    ),
    "health query with a variable": (
        'health_check: {url: "http://x/?t=${T}"}',
        "health_check.url: the query of a URL is shown in plans and logs; send the value in headers",
    ),
    "reserved variable": (
        "env: {FRAISIER_X: a}",
        "env.FRAISIER_X: is reserved: names that begin with FRAISIER_ are Fraisier's own; choose another name",
    ),
    "PORT twice": (
        "env: {PORT: 1}, service: {exec: x, port: 80}",
        "service.port: contradicts PORT in env (line 5): the service is given it; keep one of them",
    ),
    "a yes in env": ("env: {A: yes}", "env.A: must be text or secret, got true; put it in quotes"),
    "variable in a command": (
        "build: ['echo ${TOKEN}']",
        (
            "build[0]: a command cannot hold ${…}: its arguments are shown to every user of the machine; "
            "give the value under env, and let the program read it there; a literal ${ is written $${"
        ),
    ),
    "variable in an argument list": (
        "build: [[echo, '${TOKEN}']]",
        (
            "build[0]: a command cannot hold ${…}: its arguments are shown to every user of the machine; "
            "give the value under env, and let the program read it there; a literal ${ is written $${"
        ),
    ),
    "build as text": ("build: make", "build: must be a list, got 'make'"),
    "unknown dependency": (
        "depends_on: [my_apy]",
        "depends_on[0]: there is no target my_apy/production; did you mean my_api/production?",
    ),
    "depends on itself": (
        "depends_on: [my_api]",
        "depends_on[0]: is part of a cycle: my_api/production → my_api/production; a target cannot wait for itself",
    ),
    "unset variable": (
        "env: {A: 'x${NOPE}'}",
        "env.A: the variable NOPE is not set; set it in the environment of fraisier",
    ),
    "default in a variable": (
        "env: {A: '${NOPE:-x}'}",
        "env.A: has a ${…} that holds no variable's name; defaults such as ${NAME:-x} are not supported",
    ),
    "open variable": ("env: {A: '${NOPE'}", "env.A: has a ${ without its }; a literal ${ is written $${"),
    "missing file": (
        "env: {A: {file: /nope}}",
        "env.A: the file /nope cannot be read: No such file or directory",
    ),
    "missing credential": (
        "env: {A: {credential: nope}}",
        "env.A: the credential nope cannot be read: No such file or directory",
    ),
    "two references": (
        "env: {A: {env: X, file: /x}}",
        "env.A: must be text or secret; a map here is one of {env: …}, {file: …}, {credential: …}",
    ),
    "credential where it would be shown": (
        "run_as: {credential: x}",
        "run_as: must be text; a map here is one of {env: …}, {file: …}",
    ),
    "shared path outside": (
        "shared: [../x]",
        "shared[0]: must be a path inside the release; write it relative and without ..",
    ),
    "shared path inside another": (
        "shared: [a, a/b]",
        "shared[1]: is shared already, or lies in or around a path that is; keep one of them",
    ),
}


@pytest.mark.parametrize(("written", "expected"), IN_ENVIRONMENT.values(), ids=IN_ENVIRONMENT)
def test_a_problem_in_an_environment_holds_the_target(written, expected):
    loaded = read(api(environment=written))

    assert [str(problem).partition(f"{ENV}.")[2] for problem in loaded.problems if ENV in problem.path] == [expected]
    assert loaded.config is not None
    assert list(loaded.held) == [TargetId("my_api", "production")]


OUTSIDE = {
    "unknown key": ("frases: {}", "1:1: frases: unknown key; did you mean fraises?"),
    "unknown key without a value": ("frases:", "1:1: frases: unknown key; did you mean fraises?"),
    "later section": ("notifications: {}", "1:1: notifications: not supported by this version; remove it"),
    "version": ("version: 2", "1:10: version: 2 is not one of 1"),
    "version in quotes": ('version: "1"', "1:10: version: must be the number 1; write it without quotes"),
    "listen without address": (
        "server: {listen: 8780}",
        '1:18: server.listen: must be text, got 8780; YAML reads 8780 as a number: write "8780", in quotes',
    ),
    "listen without port": (
        "server: {listen: localhost}",
        "1:18: server.listen: must be address:port; such as 127.0.0.1:8780",
    ),
    "relative state": ("server: {state: x.db}", "1:17: server.state: must be an absolute path; it begins with /"),
    "empty secret": ('git: {github: {webhook_secret: ""}}', "1:32: git.github.webhook_secret: must not be empty"),
    "secret of a number": (
        "git: {github: {webhook_secret: 12345678}}",
        "1:32: git.github.webhook_secret: must be a secret, or a list of secrets, got a number; put it in quotes",
    ),
    "bad default nobody uses": ("defaults: {run_as: a b}", "1:20: defaults.run_as: must be the name of a user"),
    "fraises of the wrong type": ("fraises: 5", "1:10: fraises: must be a map, got 5"),
    "a list": ("- a", "1:1: the file must be a map: key: value; see `fraisier init`"),
    "empty": ("", "1:1: the file is empty; `fraisier init` writes one to start from"),
    "only a comment": ("# nothing\n", "1:1: the file is empty; `fraisier init` writes one to start from"),
    "a tab": ("fraises:\n\tx: 1", "2:1: a tab; YAML is indented with spaces; replace the tab by spaces"),
    "unquoted star": (
        "git: {github: {webhook_secret: *hunter2 }}",
        "1:32: an alias to no anchor above; text that begins with * needs quotes",
    ),
    "tag": (
        "server: {name: !!python/object:os.system x}",
        "1:16: YAML tags are not supported; text that begins with ! needs quotes",
    ),
    "control character": ("a: \x01", "1:4: a character that YAML does not allow; save it as UTF-8 text"),
    "not UTF-8": ("a:\n  b: \udcff", "2:6: a character that YAML does not allow; save it as UTF-8 text"),
    "two documents": ("version: 1\n---\nversion: 1", "2:1: a second document begins here; keep one document per file"),
    "key of a list": ("? [a]\n: b", "1:3: a key must be plain text"),
    "alias to itself": ("a: &a [*a]", "1:8: an alias to no anchor above; text that begins with * needs quotes"),
    "duplicate key": (
        "version: 1\nversion: 1",
        "2:1: version: is written twice, first at fraises.yaml:1:1; keep one of them",
    ),
}


@pytest.mark.parametrize(("text", "expected"), OUTSIDE.values(), ids=OUTSIDE)
def test_a_problem_outside_the_fraises_leaves_nothing_usable(text, expected):
    loaded = read(text)

    assert sentences(loaded) == [f"fraises.yaml:{expected}"]
    assert loaded.config is None


def test_a_text_that_ends_too_early_is_a_problem_at_its_end():
    (problem,) = read("fraises: [").problems

    assert (problem.line, problem.column) == (1, 11)
    assert problem.message.startswith("this is not valid YAML: ")


def test_no_file_at_all_is_a_problem():
    assert load([], Machine()).config is None


@pytest.mark.parametrize(
    "bomb",
    [
        "a: &a [x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "[" * 100_000,
        "{a: " * 2_000,
        "base: &b {" + ", ".join(f"k{i}: 1" for i in range(2000)) + "}\nx: {<<: [" + ", ".join(["*b"] * 9000) + "]}",
        "a: " + "x" * (1024 * 1024),
    ],
    ids=["aliases", "lists", "maps", "merges", "size"],
)
def test_a_bomb_is_refused(bomb):
    loaded = read(bomb)

    assert loaded.config is None
    assert len(loaded.problems) == 1


def test_a_broken_fraise_never_stops_the_others():
    loaded = read(api("good") + api("bad", "typo: 1").removeprefix("fraises:\n"))

    assert list(loaded.config.targets) == [TargetId("good", "production")]
    assert list(loaded.held) == [TargetId("bad", "production")]


def test_a_problem_of_a_fraise_holds_all_its_environments():
    text = api("bad", repository="http://git.example.com/x.git")
    staging = "      staging: {branch: dev, app_path: /srv/staging, service: {exec: x}}\n"

    loaded = read(text + staging)

    assert list(loaded.held) == [TargetId("bad", "production"), TargetId("bad", "staging")]
    assert [problem.line for problem in loaded.problems] == [4]


def test_of_a_later_type_nothing_else_is_said():
    loaded = read(
        api("good") + "  import:\n    type: etl\n    environments: {production: {script: x, on: [revision]}}\n"
    )

    (problem,) = loaded.problems
    assert str(problem) == (
        "fraises.yaml:7:11: fraises.import.type: fraises of type etl are not supported by this version; it knows api"
    )
    assert list(loaded.config.targets) == [TargetId("good", "production")]


def test_an_api_without_any_service_says_its_three_ways():
    loaded = read(api().replace(", systemd_service: my_api.service", ""))

    (problem,) = loaded.problems
    assert (problem.line, problem.column, problem.path) == (5, 7, ENV)
    assert problem.message == "needs service, unit_file or systemd_service"


def test_with_the_process_manager_a_service_must_be_written():
    loaded = read("server: {service_manager: process}\n" + api())

    (problem,) = loaded.problems
    assert (problem.line, problem.path) == (6, ENV)
    assert problem.message.startswith("needs service.exec")


def test_all_problems_are_told_at_once_in_the_order_of_the_file():
    loaded = read(
        """\
        server: {workers: 0}
        fraises:
          a:
            type: api
            build: [make && make install, 'say "']
            environments:
              production: {branch: a..b, app_path: relative, service: {exec: x, typ: y}}
        branch_mapping:
          main: {fraise: b, environment: production}
        """
    )

    assert [(problem.line, problem.column) for problem in loaded.problems] == [
        (1, 19),
        (5, 13),
        (5, 35),
        (7, 28),
        (7, 44),
        (7, 73),
        (9, 9),
    ]
