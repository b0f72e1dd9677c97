"""The smallest useful file of the design loads as it stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fraisier.model.config import HttpProbe, Service
from fraisier.model.names import TargetId
from fraisier.model.secret import Secret
from fraisier.model.selection import Branch
from tests.support.configs import ORIGIN, Machine, read, sentences

MINIMAL = """\
git:
  provider: github
  github:
    webhook_secret: ${FRAISIER_WEBHOOK_SECRET}

fraises:
  my_api:
    type: api
    environments:
      production:
        branch: main
        app_path: /var/www/api
        systemd_service: api.service
        health_check:
          url: https://api.example.com/health

branch_mapping:
  main:
    fraise: my_api
    environment: production
"""
PRODUCTION = TargetId("my_api", "production")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MACHINE = Machine({"FRAISIER_WEBHOOK_SECRET": "s3cret", "HOOK_NEW": "new", "HOOK_OLD": "old", "DB_PASSWORD": "hunter2"})


@pytest.mark.parametrize("manager", ["systemd", "systemd-user", "process"])
def test_the_minimal_file_loads_on_every_machine(manager):
    loaded = read(MINIMAL, Machine({"FRAISIER_WEBHOOK_SECRET": "s3cret"}, manager=manager))

    assert sentences(loaded) == []
    target = loaded.config.targets[PRODUCTION]
    assert (target.remote, target.selection, target.app_path) == (ORIGIN, Branch("main"), "/var/www/api")
    assert target.service == Service("api.service")
    assert target.health.probe == HttpProbe("https://api.example.com/health")
    assert loaded.config.git.webhook_secrets == {"github": (Secret("s3cret"),)}
    assert loaded.config.git.poll == timedelta(seconds=60)
    assert target.declared_at == "fraises.yaml:10:7"


def test_an_unset_variable_is_an_error_at_its_line():
    loaded = read(MINIMAL)

    assert loaded.config is None
    assert sentences(loaded) == [
        (
            "fraises.yaml:4:21: git.github.webhook_secret: the variable FRAISIER_WEBHOOK_SECRET is not set; "
            "set it in the environment of fraisier"
        )
    ]


def test_neither_repository_nor_origin_is_an_error_at_app_path():
    loaded = read(MINIMAL, Machine({"FRAISIER_WEBHOOK_SECRET": "s3cret"}, remote=None))

    (problem,) = loaded.problems
    assert str(problem).startswith("fraises.yaml:12:19: fraises.my_api.environments.production.app_path: ")
    assert list(loaded.held) == [PRODUCTION]


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def test_examples_have_no_problem(name):
    keys = dict.fromkeys(("/etc/fraisier/allowed_signers", "/etc/fraisier/keys.asc"), "keys")
    loaded = read((EXAMPLES / name).read_text(), replace(MACHINE, files=keys))

    assert sentences(loaded) == []
    assert loaded.config.targets


def test_the_minimal_example_is_the_one_of_the_design():
    example = (EXAMPLES / "minimal.yaml").read_text()

    assert example.partition("\n")[2] == MINIMAL
