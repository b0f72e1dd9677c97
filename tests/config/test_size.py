"""A thousand targets are read in a moment."""

from __future__ import annotations

import pytest

from tests.support.configs import Machine, read, sentences

MANY = 1000


def many(number: int) -> str:
    return "fraises:\n" + "".join(
        f"""\
  api{index}:
    type: api
    repository: https://git.example.com/acme/r{index % 50}.git
    build: [python3 -m venv .venv, .venv/bin/pip install -r requirements.txt]
    environments:
      production:
        branch: main
        app_path: /srv/api{index}
        env: {{LEVEL: info, TOKEN: "${{TOKEN}}"}}
        service: {{exec: .venv/bin/python app.py, port: {1000 + index}}}
        health_check: {{url: "http://127.0.0.1:{1000 + index}/health", deadline: 1m}}
        depends_on: [api{(index or 1) - 1 if index else number}]
"""
        for index in range(number)
    ).replace(f"depends_on: [api{number}]", "timeout: 5m")


@pytest.mark.slow
def test_a_thousand_targets_are_read():
    text = many(MANY)

    loaded = read(text, Machine({"TOKEN": "x"}))

    assert sentences(loaded) == []
    assert len(loaded.config.targets) == MANY


@pytest.mark.slow
def test_a_thousand_targets_in_one_cycle_are_all_named():
    text = many(MANY).replace("timeout: 5m", f"depends_on: [api{MANY - 1}]")

    loaded = read(text, Machine({"TOKEN": "x"}))

    assert len(loaded.held) == MANY
