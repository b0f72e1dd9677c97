"""What somebody did to the units of a service, and taking them away again."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fraisier.host import notes
from fraisier.host.enablement import forget_enabled, note_enabled, was_enabled
from fraisier.host.processes import Processes
from fraisier.host.systemd_manager import SystemdManager
from fraisier.host.systemd_states import parse_states
from fraisier.model.config import Service
from fraisier.model.errors import ConfigFault, RevisionFault
from fraisier.model.ports import Runtime, UnitFile
from fraisier.model.secret import Secret
from fraisier.model.state import Difference, ServiceState
from tests.host.test_service_managers import SHA, UNITS, Place, place_of
from tests.support.waiting import until

UNIT_FILE = "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n"


@pytest.fixture
def system(tmp_path: Path) -> Place:
    return place_of("systemd", tmp_path)


def systemctl(*arguments: str) -> str:
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=True).stdout


def is_enabled(unit: str) -> str:
    return subprocess.run(["systemctl", "is-enabled", unit], capture_output=True, text=True).stdout.strip()


def watched(place: Place, env: dict[str, str | Secret] | None = None) -> Runtime:
    return Runtime("digest", "shop/production", str(place.app), Service(place.unit), env or {})


def of_the_repository(place: Place, unit: str, file: str, text: str = UNIT_FILE) -> Runtime:
    (place.release / file).write_text(text)
    notes.keep(str(place.app), SHA, str(place.release), [file])
    return replace(place.runtime(), service=Service(unit, unit_file=file))


# -- differences ------------------------------------------------------------------------------------


@pytest.mark.systemd
@pytest.mark.slow
def test_units_that_were_edited_removed_or_put_there_by_hand_are_named(system: Place) -> None:
    runtime, release = system.runtime(), str(system.release)
    unit, drop_in = UNITS / system.unit, UNITS / f"{system.unit}.d" / "50-fraisier.conf"
    system.manager.install(runtime, release)
    assert system.manager.unit_differences(runtime, release) == ()

    unit.write_text(unit.read_text().replace("RestartSec=1s", "RestartSec=5s"))
    assert system.manager.unit_differences(runtime, release) == (Difference(str(unit), "changed"),)

    unit.unlink()
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\n")
    assert system.manager.unit_differences(runtime, release) == (
        Difference(str(unit), "missing"),
        Difference(str(drop_in), "unexpected"),
    )

    system.manager.install(runtime, release)
    assert system.manager.unit_differences(runtime, release) == ()
    assert not drop_in.exists()


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_in_whose_place_is_a_folder_or_a_link_to_nothing_is_not_as_it_should_be(system: Place) -> None:
    runtime, unit = system.runtime(), UNITS / system.unit
    unit.mkdir()
    assert system.manager.unit_differences(runtime, str(system.release)) == (Difference(str(unit), "changed"),)

    unit.rmdir()
    unit.symlink_to("/dev/null")
    assert system.manager.unit_differences(runtime, str(system.release)) == (Difference(str(unit), "changed"),)

    system.manager.install(runtime, str(system.release))
    assert not unit.is_symlink()
    assert is_enabled(system.unit) == "enabled"


@pytest.mark.systemd
@pytest.mark.slow
def test_drop_ins_of_others_are_theirs(system: Place) -> None:
    runtime, folder = system.runtime(), UNITS / f"{system.unit}.d"
    system.manager.install(runtime, str(system.release))
    folder.mkdir()
    (folder / "10-limits.conf").write_text("[Service]\nLimitNOFILE=1000\n")

    assert system.manager.unit_differences(runtime, str(system.release)) == ()
    system.manager.install(runtime, str(system.release))
    system.manager.uninstall(runtime)

    assert os.listdir(folder) == ["10-limits.conf"]


# -- texts ------------------------------------------------------------------------------------------


@pytest.mark.systemd
@pytest.mark.slow
def test_units_are_shown_as_they_should_be_and_as_they_are_and_no_secret_with_them(system: Place) -> None:
    runtime = system.runtime(env={"TOKEN": Secret("canary-value")})
    release, unit = str(system.release), UNITS / system.unit
    (before,) = system.manager.unit_files(runtime, release)
    system.start_up(runtime)
    written = unit.read_text()
    unit.write_text(f"{written}Environment=TOKEN=canary-value\n")

    (after,) = system.manager.unit_files(runtime, release)

    assert before == UnitFile(str(unit), written, None)
    assert after == UnitFile(str(unit), written, f"{written}Environment=TOKEN=***\n")


def test_the_unit_file_of_a_release_that_is_not_made_yet_is_the_one_of_its_commit(tmp_path: Path) -> None:
    manager = SystemdManager(Processes("files"))
    runtime = Runtime(
        "digest", "shop/production", str(tmp_path), Service("fraisier-none.service", unit_file="x.service")
    )
    release = str(tmp_path / "releases" / SHA)

    files = manager.unit_files(runtime, release, {"x.service": b"[Service]\n", "y": b""})

    assert files == (UnitFile("/etc/systemd/system/fraisier-none.service", "[Service]\n", None),)
    with pytest.raises(RevisionFault):
        manager.unit_files(runtime, release)
    with pytest.raises(RevisionFault):
        manager.unit_files(runtime, release, {"y": b""})


def test_nothing_is_shown_of_a_unit_that_is_watched_only(tmp_path: Path) -> None:
    runtime = Runtime("digest", "shop/production", str(tmp_path), Service("fraisier-none.service"))

    assert SystemdManager(Processes("files")).unit_files(runtime, str(tmp_path)) == ()


# -- enabled ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "enabled"),
    [
        *((says, True) for says in ("enabled", "enabled-runtime", "alias", "static", "indirect", "generated")),
        *((says, True) for says in ("transient", "linked", "linked-runtime", "")),
        *((says, False) for says in ("disabled", "masked", "masked-runtime", "bad")),
    ],
)
def test_a_unit_that_comes_back_or_is_nobodys_to_enable_counts_as_enabled(says: str, enabled: bool) -> None:
    text = f"Id=a.service\nLoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState={says}\n"

    state = parse_states(["a.service"], text)["a.service"]

    assert isinstance(state, ServiceState)
    assert (state.run, state.enabled) == ("running", enabled)


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_of_ours_that_was_disabled_is_enabled_by_the_next_install(system: Place) -> None:
    system.start_up(system.runtime())

    systemctl("disable", "--quiet", system.unit)
    assert (system.state.run, system.state.enabled) == ("running", False)
    system.manager.install(system.runtime(), str(system.release))

    assert system.state.enabled
    assert is_enabled(system.unit) == "enabled"


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_that_is_watched_is_never_enabled_by_us(system: Place) -> None:
    (UNITS / system.unit).write_text(UNIT_FILE)
    systemctl("daemon-reload")

    for _ in range(2):
        system.manager.install(watched(system), str(system.release))
        assert (is_enabled(system.unit), system.state.enabled) == ("disabled", True)
        systemctl("enable", "--quiet", system.unit)
        system.manager.install(watched(system), str(system.release))
        assert (is_enabled(system.unit), system.state.enabled) == ("enabled", True)
        systemctl("disable", "--quiet", system.unit)


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_that_was_ours_and_is_only_watched_now_is_not_ours_to_enable(system: Place) -> None:
    system.manager.install(system.runtime(), str(system.release))
    systemctl("disable", "--quiet", system.unit)
    assert not system.state.enabled

    system.manager.install(watched(system), str(system.release))

    assert system.state.enabled
    assert is_enabled(system.unit) == "disabled"


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_without_an_install_section_cannot_be_enabled_and_is_no_drift(system: Place) -> None:
    runtime = of_the_repository(system, system.unit, "shop.service", "[Service]\nExecStart=/bin/sleep 1000\n")

    system.manager.install(runtime, str(system.release))

    assert (is_enabled(system.unit), system.state.enabled) == ("static", True)


@pytest.mark.systemd
@pytest.mark.slow
def test_a_masked_unit_is_not_enabled_and_install_says_why(system: Place) -> None:
    place = Place(system.manager, system.app, "shop@1.service")
    runtime = of_the_repository(place, place.unit, "shop@.service")
    place.manager.install(runtime, str(place.release))
    systemctl("disable", "--quiet", place.unit)
    systemctl("mask", "--quiet", place.unit)

    assert not place.state.enabled
    with pytest.raises(ConfigFault) as caught:
        place.manager.install(runtime, str(place.release))
    assert caught.value.code == "unit_masked"


def test_a_note_of_another_unit_enables_nothing(tmp_path: Path) -> None:
    forget_enabled(str(tmp_path))
    assert not was_enabled(str(tmp_path), "a.service")
    note_enabled(str(tmp_path), "a.service")

    assert was_enabled(str(tmp_path), "a.service")
    assert not was_enabled(str(tmp_path), "b.service")
    assert not was_enabled(str(tmp_path / "nowhere"), "a.service")
    forget_enabled(str(tmp_path))
    assert not was_enabled(str(tmp_path), "a.service")


# -- uninstall --------------------------------------------------------------------------------------


@pytest.mark.systemd
@pytest.mark.slow
def test_what_was_written_is_taken_away_and_systemd_knows_it_no_more(system: Place) -> None:
    before = sorted(UNITS.rglob("*"))
    runtime = system.runtime(env={"TOKEN": Secret("canary-value")})
    system.start_up(runtime)
    system.manager.stop(runtime, 10)

    for _ in range(2):
        system.manager.uninstall(runtime)

    assert sorted(UNITS.rglob("*")) == before
    assert (system.state.run, system.state.enabled) == ("missing", True)
    assert not (system.app / ".fraisier" / "env").exists()


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_file_of_the_repository_is_taken_away_with_its_drop_in(system: Place) -> None:
    before = sorted(UNITS.rglob("*"))
    runtime = replace(of_the_repository(system, system.unit, "shop.service"), env={"A": "1"})
    system.manager.install(runtime, str(system.release))
    assert (UNITS / f"{system.unit}.d" / "50-fraisier.conf").exists()

    system.manager.uninstall(runtime)

    assert sorted(UNITS.rglob("*")) == before


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_that_is_watched_loses_our_drop_in_only(system: Place) -> None:
    unit = UNITS / system.unit
    unit.write_text(UNIT_FILE)
    systemctl("daemon-reload")
    systemctl("enable", "--quiet", system.unit)
    runtime = watched(system, {"A": "1"})
    system.start(runtime)
    assert "EnvironmentFiles=/" in systemctl("show", system.unit)

    system.manager.uninstall(runtime)

    assert unit.read_text() == UNIT_FILE
    assert not (UNITS / f"{system.unit}.d").exists()
    assert is_enabled(system.unit) == "enabled"
    assert "EnvironmentFiles=/" not in systemctl("show", system.unit)  # it was reloaded
    assert system.state.run == "running"
    system.manager.stop(runtime, 10)


@pytest.mark.systemd
@pytest.mark.slow
def test_a_unit_that_somebody_removed_already_is_uninstalled_all_the_same(system: Place) -> None:
    runtime = system.runtime()
    system.manager.install(runtime, str(system.release))
    (UNITS / system.unit).unlink()

    system.manager.uninstall(runtime)

    assert system.state.run == "missing"
    assert not (UNITS / "multi-user.target.wants" / system.unit).is_symlink()


@pytest.mark.systemd
@pytest.mark.slow
def test_a_template_stays_as_long_as_another_instance_is_enabled(system: Place) -> None:
    one = of_the_repository(system, "shop@1.service", "shop@.service")
    two = replace(one, identifier="shop/staging", service=Service("shop@2.service", unit_file="shop@.service"))
    for runtime in (one, two):
        system.manager.install(runtime, str(system.release))

    system.manager.uninstall(one)
    assert (UNITS / "shop@.service").exists()
    assert is_enabled("shop@2.service") == "enabled"

    system.manager.uninstall(two)
    assert not (UNITS / "shop@.service").exists()


def test_the_process_manager_forgets_what_ended_and_not_what_runs(tmp_path: Path) -> None:
    place = place_of("process", tmp_path)
    runtime = place.runtime()
    place.start_up(runtime)
    until(lambda: "hello" in place.manager.output(place.ref, 5))

    place.manager.uninstall(runtime)
    assert place.state.run == "running"

    place.manager.stop(runtime, 10)
    for _ in range(2):
        place.manager.uninstall(runtime)
    assert place.state.run == "stopped"
    assert os.listdir(place.app / ".fraisier") == []
