"""Which change of the declaration changes which digest."""

from __future__ import annotations

import pytest

from fraisier.model.names import TargetId
from tests.support.configs import Machine, api, read

TARGET = TargetId("my_api", "production")
BASE = "env: {A: '${V}'}, service: {exec: x}, build: [make]"


FREEZE = "windows: {freeze: {kind: deny, days: fri}}\n"


def digests(environment: str, machine: Machine | None = None):
    loaded = read(FREEZE + api(environment=environment), machine or Machine({"V": "v"}, {"/keys": ""}))
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
    "how many releases are kept": (f"{BASE}, keep_releases: 9", (False, False, False)),
    "what is done about drift": (f"{BASE}, on_drift: {{unit: ignore}}", (False, False, False)),
    "how often it is repaired": (f"{BASE}, repairs: {{at_most: 1}}", (False, False, False)),
    "a freeze": (f"{BASE}, deploy: {{windows: [freeze]}}", (False, False, False)),
    "an approval": (f"{BASE}, deploy: {{approval: required}}", (False, False, False)),
    "a signature": (f"{BASE}, verify: {{gpg_keys: /keys}}", (False, False, False)),
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


@pytest.mark.parametrize(
    ("selection", "other"),
    [
        ("branch: main", "branch: dev"),
        ("branch: main", "tag: v1.*"),
        ("tag: v1.*", "tag: v2.*"),
        ("branch: v1", "tag: v1"),
    ],
)
def test_what_is_selected_takes_part_in_the_digest_of_the_configuration_alone(selection, other):
    one, two = (read(api().replace("branch: main", each)).config.targets[TARGET] for each in (selection, other))

    assert one.config_digest != two.config_digest
    assert (one.build_digest, one.runtime_digest) == (two.build_digest, two.runtime_digest)


def test_digests_are_those_of_the_versions_before_so_that_an_upgrade_lifts_no_quarantine():
    more = f"{BASE}, timeout: 3m, shared: [a], run_as: deploy, health_check: {{tcp: 80}}"

    assert digests(more) == (
        "6e666440ea075847e50cac2e53ec12bd",
        "25c034e847648b249b49fe931ff76920",
        "1fea181727ad23ad61d48ac8404697d1",
    )


WHOLE = {name: environment for name, (environment, changed) in CHANGES.items() if not any(changed)}


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in {"a default written out", "another spelling"}])
def test_the_digest_of_the_whole_covers_also_when_and_whether_to_act(name):
    machine = Machine({"V": "v"}, {"/keys": ""})

    before, after = (read(FREEZE + api(environment=each), machine).config.digest for each in (BASE, WHOLE[name]))

    assert before != after


@pytest.mark.parametrize("name", ["a default written out", "another spelling"])
def test_the_digest_of_the_whole_is_that_of_what_is_meant(name):
    machine = Machine({"V": "v"})

    before, after = (read(FREEZE + api(environment=each), machine).config.digest for each in (BASE, WHOLE[name]))

    assert before == after


def test_the_digest_of_the_whole_changes_with_a_window_that_is_used():
    used = api(environment="deploy: {windows: [freeze]}")

    one, other = (read(FREEZE.replace("fri", day) + used).config.digest for day in ("fri", "sat"))

    assert one != other


def test_the_digest_of_the_whole_covers_targets_and_settings():
    digest = [read(text).config.digest for text in (api(), api(), api("other"), "git: {poll: 5m}\n" + api())]

    assert digest[0] == digest[1]
    assert len(set(digest)) == 3
    assert all(len(one) == 32 for one in digest)
