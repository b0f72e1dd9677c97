"""`ApiTarget.declared`: what a target was declared as, for people to compare."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraisier.config.declared import declared, duration_text, window_text
from fraisier.config.values import parse_duration
from fraisier.model.config import (
    ApiTarget,
    CommandProbe,
    HealthCheck,
    HttpProbe,
    ManagerProbe,
    OnDrift,
    RepairBudget,
    Service,
    TcpProbe,
    Verification,
    Window,
    WrittenService,
)
from fraisier.model.names import TargetId
from fraisier.model.secret import Secret
from fraisier.model.selection import Branch, Exact, TagRange
from fraisier.testing.targets import KEY, api_target
from tests.support.configs import Machine, api, read

TARGET = TargetId("my_api", "production")
PLAIN = ApiTarget(TARGET, "/srv/git/x", Branch("main"), "/srv/x", Service("x.service"))
ALWAYS = {"repository": "/srv/git/x", "branch": "main", "app_path": "/srv/x", "systemd_service": "x.service"}


def said(target: ApiTarget) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(declared(target, KEY))
    return found


def test_of_a_target_with_every_default_only_the_necessary_is_said():
    assert said(PLAIN) == ALWAYS


PARIS = ZoneInfo("Europe/Paris")
SAID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "selection, a tag": ({"selection": TagRange("v1.*")}, {"tag": "v1.*"}),
    "selection, a commit": ({"selection": Exact("a" * 40)}, {"revision": "a" * 40}),
    "remote": ({"remote": "git@x:y"}, {"repository": "git@x:y"}),
    "app_path": ({"app_path": "/y"}, {"app_path": "/y"}),
    "build": ({"build": (("make",), ("sh", "-c", "a | b"))}, {"build": ["make", "sh -c 'a | b'"]}),
    "shared": ({"shared": ("a", "b c")}, {"shared": ["a", "b c"]}),
    "run_as": ({"run_as": "deploy"}, {"run_as": "deploy"}),
    "timeout": ({"timeout": timedelta(minutes=90)}, {"timeout": "1h30m"}),
    "keep_releases": ({"keep_releases": 9}, {"keep_releases": 9}),
    "depends_on": ({"depends_on": (TargetId("auth", "production"),)}, {"depends_on": ["auth/production"]}),
    "env": (
        {"env": {"LOG_LEVEL": "info", "DB_PASSWORD": Secret("hunter2"), "secret": "3b9e1c02"}},
        {
            "env.LOG_LEVEL": "info",
            "env.DB_PASSWORD": {"secret": Secret("hunter2").fingerprint(KEY)},
            "env.secret": "3b9e1c02",
        },
    ),
    "service, a unit file": (
        {"service": Service("y.service", unit_file="deploy/y.service")},
        {"systemd_service": "y.service", "unit_file": "deploy/y.service"},
    ),
    "service, written": (
        {
            "service": Service(
                "x.service",
                WrittenService(("bin/x", "a b"), "notify", "no", 80, "512M", "50%", timedelta(seconds=1)),
            )
        },
        {
            "service.exec": "bin/x 'a b'",
            "service.type": "notify",
            "service.restart": "no",
            "service.port": 80,
            "service.memory_max": "512M",
            "service.cpu_quota": "50%",
            "service.stop_timeout": "1s",
        },
    ),
    "health, over HTTP": (
        {
            "health": HealthCheck(
                HttpProbe("http://x/", (range(200, 201), range(300, 400)), {"X": Secret("s"), "Host": "h"}),
                timedelta(milliseconds=500),
                timedelta(seconds=4),
                timedelta(seconds=5),
                timedelta(0),
                timedelta(days=1),
            )
        },
        {
            "health_check.url": "http://x/",
            "health_check.status": ["200", "300-399"],
            "health_check.headers.X": {"secret": Secret("s").fingerprint(KEY)},
            "health_check.headers.Host": "h",
            "health_check.interval": "500ms",
            "health_check.timeout": "4s",
            "health_check.start_period": "5s",
            "health_check.healthy_for": "0s",
            "health_check.deadline": "1d",
        },
    ),
    "health, over TCP": ({"health": HealthCheck(TcpProbe("::1", 80))}, {"health_check.tcp": "::1:80"}),
    "health, a command": ({"health": HealthCheck(CommandProbe(("a", "b c")))}, {"health_check.command": "a 'b c'"}),
    "health, the manager": ({"health": HealthCheck(ManagerProbe())}, {}),
    "on_drift": (
        {"on_drift": OnDrift("report", {"enabled": "ignore"}, ("var/**",))},
        {"on_drift.default": "report", "on_drift.enabled": "ignore", "on_drift.except_files": ["var/**"]},
    ),
    "repairs": ({"repairs": RepairBudget(1, timedelta(hours=2))}, {"repairs.at_most": 1, "repairs.within": "2h"}),
    "windows": (
        {"windows": (Window("freeze", "deny", frozenset({"fri"}), zone=PARIS), Window("always"))},
        {"deploy.windows.freeze": "deny fri Europe/Paris", "deploy.windows.always": "allow daily UTC"},
    ),
    "approval": ({"approval": True}, {"deploy.approval": "required"}),
    "verify": (
        {"verify": Verification("both", "/signers", "/keys")},
        {"verify.signed": "both", "verify.ssh_allowed_signers": "/signers", "verify.gpg_keys": "/keys"},
    ),
}


@pytest.mark.parametrize(("changes", "more"), SAID.values(), ids=SAID)
def test_what_differs_from_its_default_is_said_in_the_words_of_the_configuration(changes, more):
    necessary = {key: value for key, value in ALWAYS.items() if key != "branch" or "selection" not in changes}

    assert said(replace(PLAIN, **changes)) == {**necessary, **more}


def test_no_field_of_a_target_is_forgotten():
    not_declared = {"id", "type", "config_digest", "build_digest", "runtime_digest", "declared_at", "declared"}

    assert {name.partition(",")[0] for name in SAID} == {field.name for field in fields(ApiTarget)} - not_declared


def test_a_configuration_says_what_it_declares_without_its_secrets():
    loaded = read(api(environment="env: {LEVEL: info, TOKEN: '${V}'}, timeout: 10m"), Machine({"V": "hunter2"}))

    text = loaded.config.targets[TARGET].declared

    assert "hunter2" not in text
    assert json.loads(text)["env.TOKEN"] == {"secret": Secret("hunter2").fingerprint(b"k" * 32)}
    assert "timeout" not in json.loads(text)
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_a_new_secret_shows_as_another_fingerprint():
    one, other = (
        json.loads(read(api(environment="env: {T: '${V}'}"), Machine({"V": value})).config.targets[TARGET].declared)
        for value in ("a", "b")
    )

    assert one.keys() == other.keys()
    assert [key for key in one if one[key] != other[key]] == ["env.T"]


def test_nothing_is_a_map_but_a_secret():
    everything = replace(PLAIN, **{name: value for changes, _ in SAID.values() for name, value in changes.items()})
    maps = [value for value in said(everything).values() if isinstance(value, dict)]

    assert maps
    assert all(value.keys() == {"secret"} for value in maps)


def test_targets_made_without_a_file_say_it_too():
    assert json.loads(api_target().declared)["service.exec"] == "./run"


@settings(deadline=None)
@given(st.integers(0, 10**9).map(lambda count: timedelta(milliseconds=count)))
def test_a_duration_is_read_as_it_is_shown(duration):
    assert parse_duration(duration_text(duration)) == duration


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (
            Window("w", "allow", frozenset({"mon", "tue", "wed", "fri"}), time(9), time(18), PARIS),
            "allow mon-wed,fri 09:00-18:00 Europe/Paris",
        ),
        (Window("w", "allow", frozenset({"sat", "sun"}), time(22), None), "allow sat,sun 22:00-24:00 UTC"),
        (
            Window(
                "w",
                "deny",
                dates=((date(2026, 12, 24), date(2027, 1, 2)), (date(2027, 5, 1), date(2027, 5, 1))),
            ),
            "deny 2026-12-24..2027-01-02, 2027-05-01 UTC",
        ),
    ],
)
def test_a_window_in_one_line(window, text):
    assert window_text(window) == text
