"""`fraisier validate`, `schema` and `init`, as people call them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fraisier.config import schema, starter
from fraisier.config.starter import Guess
from fraisier.model.config import WrittenService
from fraisier.model.names import TargetId
from fraisier.model.selection import Branch
from tests.support.configs import Machine, api, read, sentences
from tests.support.gitrepo import ENVIRONMENT, Origin

URL = "git@git.example.com:acme/shop.git"


def fraisier(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fraisier", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fraises.yaml").write_text("server: {name: web-1}\n" + api(repository="/srv/git/x"))
    return tmp_path


def test_validate_counts_what_is_well(folder):
    done = fraisier(folder, "validate")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "fraises.yaml: 1 target on web-1, no problems\n"


def test_validate_tells_every_problem_on_standard_error(folder):
    (folder / "fraises.yaml").write_text("server: {name: web-1, workers: 0}\n" + api(repository="x", typo="1"))

    done = fraisier(folder, "validate")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "fraises.yaml:1:32: server.workers: must be at least 1",
        (
            "fraises.yaml:5:17: fraises.my_api.repository: is no remote that Fraisier reads; "
            "write an https, ssh or scp-like URL (git@host:path), or an absolute local path"
        ),
        "fraises.yaml:6:5: fraises.my_api.typo: unknown key; did you mean type?",
        "fraises.yaml: 3 problems; nothing of it can be used until they are mended",
    ]


def test_validate_in_colours_says_the_same(folder):
    (folder / "fraises.yaml").write_text(api(typo="1", repository="/srv/git/x"))

    plain, colored = fraisier(folder, "validate"), fraisier(folder, "--color", "validate")

    assert "\x1b[" not in plain.stderr
    assert "\x1b[" in colored.stderr
    assert "1 problem; 0 targets on" in plain.stderr


def test_validate_as_json(folder):
    (folder / "fraises.yaml").write_text("server: {name: web-1}\n" + api(repository="/srv/git/x", typo="1"))

    done = fraisier(folder, "validate", "--json")

    said = json.loads(done.stdout)
    assert done.returncode == 2
    assert (said["valid"], said["server"], said["targets"], said["held"]) == (
        False,
        "web-1",
        [],
        ["my_api/production"],
    )
    assert said["problems"][0] == {
        "file": "fraises.yaml",
        "line": 6,
        "column": 5,
        "path": "fraises.my_api.typo",
        "message": "unknown key",
        "hint": "did you mean type?",
    }


def test_schema_prints_what_is_shipped(folder):
    assert json.loads(fraisier(folder, "schema").stdout) == schema()


def test_the_schema_is_itself_valid_and_explains_every_key():
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema())

    assert list(unexplained(schema(), ())) == []


def unexplained(part, path):
    """Keys of maps that neither say what they are for nor refer to something that does."""
    definitions = schema()["$defs"]
    for key, value in part.get("properties", {}).items():
        referred = definitions.get(value.get("$ref", "").removeprefix("#/$defs/"), {})
        if "description" not in {**referred, **value}:
            yield (*path, key)
    for name, value in part.get("$defs", {}).items():
        yield from unexplained(value, (name,))


def test_every_example_and_default_of_the_schema_is_valid():
    from jsonschema import Draft202012Validator

    definitions = schema()["$defs"]
    for section in (schema(), *definitions.values()):
        for value in section.get("properties", {}).values():
            validator = Draft202012Validator({**value, "$defs": definitions})
            for example in [*value.get("examples", ()), *([value["default"]] if "default" in value else [])]:
                validator.validate(example)


def checkout(folder: Path, files: Mapping[str, str], remote: str | None = URL) -> Origin:
    made = Origin(folder)
    made.commit({"README": "x", **files})
    made.git("checkout", "--quiet", "-b", "trunk")
    if remote is not None:
        made.git("remote", "add", "origin", remote)
    return made


def test_init_in_a_checkout_writes_what_validates(tmp_path):
    checkout(tmp_path / "shop", {"app.py": "os.environ['PORT']", "requirements.txt": "flask"})

    done = fraisier(tmp_path / "shop", "init")

    assert done.returncode == 0, done.stderr
    assert fraisier(tmp_path / "shop", "validate").returncode == 0
    target = read((tmp_path / "shop" / "fraises.yaml").read_text()).config.targets[TargetId("shop", "production")]
    assert (target.remote, target.selection, target.app_path) == (URL, Branch("trunk"), "/srv/shop")
    assert target.service.written == WrittenService((".venv/bin/python", "app.py"), port=8000)
    assert target.build[0] == ("python3", "-m", "venv", ".venv")


def test_init_without_an_origin_names_the_checkout_itself(tmp_path):
    made = checkout(tmp_path / "my shop", {}, remote=None)

    done = fraisier(tmp_path / "my shop", "init", "--output", "-")

    (target,) = read(done.stdout).config.targets.values()
    assert (target.id.fraise, target.remote) == ("my_shop", made.path)


def test_init_never_writes_over_a_file_unless_told(folder):
    before = (folder / "fraises.yaml").read_text()

    refused, forced = fraisier(folder, "init"), fraisier(folder, "init", "--output", "other.yaml", "--force")

    assert refused.returncode == 2
    assert "fraises.yaml is there already" in refused.stderr
    assert (folder / "fraises.yaml").read_text() == before
    assert forced.returncode == 0
    assert fraisier(folder, "init", "--force").returncode == 0
    assert (folder / "fraises.yaml").read_text() != before


SIGNS = {
    "unit in the repository": ({"deploy/shop.service": "[Service]"}, "unit_file: deploy/shop.service"),
    "Procfile": ({"Procfile": "worker: x\nweb: bin/web --fast\n"}, "exec: bin/web --fast"),
    "Procfile that needs a shell": ({"Procfile": "web: bin/web -b :${PORT} > log\n"}, "exec: [sh, -c, "),
    "django": (
        {"manage.py": "", "shop/wsgi.py": ""},
        "exec: .venv/bin/gunicorn --bind 127.0.0.1:8000 shop.wsgi",
    ),
    "node": ({"package.json": '{"scripts": {"start": "node x.js"}}'}, "exec: npm start"),
    "node without a start": ({"package.json": '{"scripts": []}'}, "systemd_service: shop.service"),
    "plain python": ({"app.py": ""}, "exec: python3 app.py"),
    "nothing": ({}, "systemd_service: shop.service"),
}


@pytest.mark.parametrize(("files", "expected"), SIGNS.values(), ids=SIGNS)
def test_init_guesses_how_the_service_is_started(tmp_path, files, expected):
    from fraisier.cli.survey import survey

    checkout(tmp_path / "shop", files)

    found = survey(tmp_path / "shop")
    text = starter(found.name, remote=found.remote, branch=found.branch, guess=found.guess)

    assert expected in text
    assert sentences(read(text, Machine(remote=None))) == []


ODD = ["", "on", "12", "1.5", "~", "a: b", "#x", "ünï", "x" * 300, "--", "null", "a\nb", '"', "${X}"]


@pytest.mark.parametrize("odd", ODD)
def test_a_start_from_odd_names_still_validates(odd):
    guess = Guess(f"seen {odd}", exec=f"run {odd}".replace("\n", " "), build=(f"make {odd}".replace("\n", " "),))

    text = starter(odd, remote=f"/srv/{odd}", branch=odd, guess=guess)

    assert sentences(read(text, Machine(remote=None))) == []


@pytest.mark.parametrize("remote", ["http://x.example.com/a", "https://user:hunter2@x.example.com/a.git"])
def test_an_origin_that_is_refused_is_replaced_and_not_written(remote):
    text = starter("shop", remote=remote)

    assert "cannot be used" in text
    assert remote not in text
    assert sentences(read(text, Machine(remote=None))) == []
