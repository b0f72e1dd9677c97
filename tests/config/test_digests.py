"""Which change of the declaration changes which digest."""

from __future__ import annotations

import pytest

from fraisier.model.names import TargetId
from tests.support.configs import Machine, api, read

TARGET = TargetId("my_api", "production")
BASE = "env: {A: '${V}'}, service: {exec: x}, build: [make]"


def digests(environment: str, machine: Machine | None = None):
    loaded = read(api(environment=environment), machine or Machine({"V": "v"}))
    target = loaded.config.targets[TARGET]
    return target.config_digest, target.build_digest, target.runtime_digest


CHANGES = {
    "timeout": (f"{BASE}, timeout: 1m", (True, False, False)),
    "health check": (f"{BASE}, health_check: {{tcp: 80}}", (True, False, False)),
    "shared": (f"{BASE}, shared: [a]", (True, True, False)),
    "build": (BASE.replace("make", "just"), (True, True, False)),
    "service": (BASE.replace("exec: x", "exec: y"), (True, False, True)),
    "user": (f"{BASE}, run_as: deploy", (True, True, True)),
    "variable": (BASE.replace("A:", "B:"), (True, True, True)),
    "plain text instead of the same secret": (BASE.replace("'${V}'", "v"), (True, True, True)),
    "a default written out": (f"{BASE}, timeout: 600s, keep_releases: 5", (False, False, False)),
    "another spelling": (BASE.replace("'${V}'", "{env: V}").replace("[make]", "[[make]]"), (False, False, False)),
}


@pytest.mark.parametrize(("environment", "changed"), CHANGES.values(), ids=CHANGES)
def test_a_digest_changes_with_what_it_covers(environment, changed):
    before, after = digests(BASE), digests(environment)

    assert tuple(one != other for one, other in zip(before, after, strict=True)) == changed


def test_a_new_secret_or_key_changes_the_digests():
    base = digests(BASE)

    assert all(one != other for one, other in zip(base, digests(BASE, Machine({"V": "w"})), strict=True))
    assert digests(BASE, Machine({"V": "v"}, key=b"other")) != base


def test_the_digest_of_the_whole_covers_targets_and_settings():
    digest = [read(text).config.digest for text in (api(), api(), api("other"), "git: {poll: 5m}\n" + api())]

    assert digest[0] == digest[1]
    assert len(set(digest)) == 3
    assert all(len(one) == 32 for one in digest)
