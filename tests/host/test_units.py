"""Rendering only; that systemd reads it as meant is proven in `test_service_managers.py`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from fraisier.model.config import Service, WrittenService
from fraisier.model.errors import ConfigFault
from fraisier.model.ports import Runtime
from fraisier.model.secret import Secret
from fraisier.services.units import (
    quote_argument,
    render_drop_in,
    render_environment,
    render_exec,
    render_unit,
    service_environment,
)

SHA = "a" * 40
WRITTEN = WrittenService((".venv/bin/python", "app.py"), port=8000, stop_timeout=timedelta(seconds=2.5))
RUNTIME = Runtime(
    "digest", "shop/production", "/srv/shop", Service("shop.service", WRITTEN), {"DB": Secret("canary")}, "deploy"
)


def test_a_unit_says_everything_that_was_declared_and_no_secret() -> None:
    written = replace(WRITTEN, memory_max="512M", cpu_quota="50%", restart="always", type="notify")

    text = render_unit(RUNTIME, written, user_manager=False)

    assert "canary" not in text
    for line in (
        "Type=notify",
        'ExecStart=:"/srv/shop/current/.venv/bin/python" "app.py"',
        "WorkingDirectory=/srv/shop/current",
        "EnvironmentFile=/srv/shop/.fraisier/env",
        "User=deploy",
        "Restart=always",
        "TimeoutStopSec=2.5s",
        "MemoryMax=512M",
        "CPUQuota=50%",
        "PrivateTmp=yes",
        "Wants=network-online.target",
        "WantedBy=multi-user.target",
    ):
        assert f"\n{line}\n" in text


def test_a_unit_for_a_users_manager_asks_nothing_that_only_the_system_has() -> None:
    text = render_unit(RUNTIME, WRITTEN, user_manager=True)

    assert "WantedBy=default.target" in text
    assert not any(word in text for word in ("User=", "network-online", "PrivateTmp"))


def test_a_service_in_tmp_is_not_hidden_from_itself() -> None:
    text = render_unit(replace(RUNTIME, app_path="/tmp/demo/shop"), WRITTEN, user_manager=False)

    assert "PrivateTmp" not in text


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("./run", "/srv/shop/current/run"),
        ("bin/run", "/srv/shop/current/bin/run"),
        ("/usr/bin/env", "/usr/bin/env"),
        ("gunicorn", "gunicorn"),
    ],
)
def test_programs_with_a_slash_are_the_releases_own(program: str, shown: str) -> None:
    assert render_exec((program,), "/srv/shop") == f':"{shown}"'


def test_what_systemd_would_replace_is_escaped() -> None:
    assert quote_argument('a "b" \\ %h\t$X') == '"a \\"b\\" \\\\ %%h\\t$X"'


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x1b", "\x7f"])
def test_a_character_that_could_begin_a_setting_of_its_own_is_refused(character: str) -> None:
    with pytest.raises(ConfigFault):
        render_exec(("run", f"a{character}ExecStartPre=/bin/evil"), "/srv/shop")


def test_the_environment_file_escapes_what_systemd_reads_in_quotes() -> None:
    text = render_environment({"B": 'x"y\\z`w$v', "A": "one\ntwo"})

    assert text == 'A="one\ntwo"\nB="x\\"y\\\\z\\`w\\$v"\n'


def test_a_value_with_a_nul_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigFault) as caught:
        render_environment({"DB": "canary\0"})

    assert "DB" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_service_is_told_what_it_is_and_what_was_declared() -> None:
    told = service_environment(RUNTIME, f"/srv/shop/releases/{SHA}.1a2b3c4d")

    assert told == {
        "DB": "canary",
        "PORT": "8000",
        "FRAISIER_TARGET": "shop/production",
        "FRAISIER_SHA": SHA,
        "FRAISIER_RELEASE": f"/srv/shop/releases/{SHA}.1a2b3c4d",
    }


def test_a_drop_in_names_the_environment_file_and_nothing_else() -> None:
    text = render_drop_in(RUNTIME)

    assert text.endswith("\n[Service]\nEnvironmentFile=/srv/shop/.fraisier/env\n")
    assert "canary" not in text
