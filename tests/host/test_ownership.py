"""What the user of a service can write decides nothing that root does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fraisier.host import notes
from fraisier.host import releases as host_releases
from fraisier.host.interrupt import Interruption
from fraisier.host.kept_processes import SERVICE_MARK
from fraisier.host.process_manager import ProcessManager
from fraisier.host.processes import Processes
from fraisier.host.releases import FileReleases
from fraisier.host.systemd_manager import SystemdManager
from fraisier.host.users import User
from fraisier.model.config import Service, WrittenService
from fraisier.model.errors import ConfigFault, RevisionFault
from fraisier.model.ports import Runtime, ServiceRef
from fraisier.model.state import ReleaseMark, ServiceState, Unknown
from tests.support.waiting import until

A, B = "a" * 40, "b" * 40
OTHER = 65534
UNIT = "deploy/shop.service"
MARK = ReleaseMark(A, "build", datetime(2026, 1, 2, tzinfo=UTC))

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def fill(directory: str) -> None:
    Path(directory, "deploy").mkdir()
    Path(directory, UNIT).write_text("[Service]\n")


def kept(app: Path, release: str = A) -> Path:
    return app / ".fraisier" / "kept" / release / UNIT


@pytest.fixture
def releases() -> FileReleases:
    return FileReleases()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return tmp_path / "app"


@pytest.fixture
def runtime(app: Path) -> Runtime:
    return Runtime("digest", "shop/production", str(app), Service("shop.service", WrittenService(("sleep", "60"))))


# -- unit files -----------------------------------------------------------------------------------


@needs_root
def test_the_unit_file_is_what_was_committed_whatever_the_user_of_the_release_writes(
    releases: FileReleases, app: Path
) -> None:
    releases.create(str(app), A, fill, run_as="nobody", keep=[UNIT])

    Path(releases.path(str(app), A), UNIT).write_text("[Service]\nUser=root\n")

    assert notes.read_kept(str(app), A, UNIT) == b"[Service]\n"
    assert Path(releases.path(str(app), A), UNIT).stat().st_uid != 0
    assert (kept(app).stat().st_uid, kept(app).stat().st_mode & 0o777) == (0, 0o600)


def test_a_unit_file_only_in_the_release_is_not_installed(releases: FileReleases, app: Path, runtime: Runtime) -> None:
    releases.create(str(app), A, fill)
    manager = SystemdManager(Processes(uuid.uuid4().hex))
    described = replace(runtime, service=Service("shop.service", unit_file=UNIT))

    assert [found.found for found in manager.unit_differences(described, releases.path(str(app), A))] == ["missing"]
    with pytest.raises(RevisionFault) as caught:
        manager.install(described, releases.path(str(app), A))
    assert caught.value.code == "unit_file_missing"


def _nothing(tree: Path) -> None:
    del tree


def _link(tree: Path) -> None:
    (tree / "deploy").mkdir()
    (tree / UNIT).symlink_to("/etc/passwd")


def _linked_folder(tree: Path) -> None:
    (tree.parent.parent / "shop.service").touch()
    (tree / "deploy").symlink_to("../..")


def _folder(tree: Path) -> None:
    (tree / UNIT).mkdir(parents=True)


def _pipe(tree: Path) -> None:
    (tree / "deploy").mkdir()
    os.mkfifo(tree / UNIT)


@pytest.mark.parametrize("make", [_nothing, _link, _linked_folder, _folder, _pipe])
def test_what_is_no_regular_file_of_the_release_is_the_revisions_fault(
    releases: FileReleases, app: Path, make: Callable[[Path], None]
) -> None:
    with pytest.raises(RevisionFault) as caught:
        releases.create(str(app), A, lambda directory: make(Path(directory)), keep=[UNIT])

    assert caught.value.code == "unit_file_missing"
    assert not os.path.exists(releases.path(str(app), A))


def test_a_unit_file_outside_or_beyond_a_mebibyte_is_refused(releases: FileReleases, app: Path) -> None:
    def large(directory: str) -> None:
        Path(directory, "large").write_bytes(b"#" * ((1 << 20) + 1))

    for name in ("large", "../../x", ""):
        with pytest.raises(RevisionFault):
            releases.create(str(app), A, large, keep=[name])


def test_what_was_kept_of_a_release_goes_with_it(releases: FileReleases, app: Path) -> None:
    for name in (A, B):
        releases.create(str(app), name, fill, keep=[UNIT])

    releases.remove(str(app), [A])

    assert not kept(app, A).parent.parent.exists()
    assert kept(app, B).exists()


# -- whose folders --------------------------------------------------------------------------------


def _given_away(path: Path) -> None:
    os.chown(path, OTHER, OTHER)


def _open_to_all(path: Path) -> None:
    path.chmod(0o777)


def _moved(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


@needs_root
@pytest.mark.parametrize("spoil", [_given_away, _open_to_all, _moved])
@pytest.mark.parametrize("folder", ["", "releases"])
def test_root_changes_nothing_where_another_user_could_swap_folders(
    releases: FileReleases, app: Path, runtime: Runtime, folder: str, spoil: Callable[[Path], None]
) -> None:
    releases.create(str(app), A, fill)
    releases.seal(str(app), A, MARK)
    spoil(app / folder)

    changes: list[Callable[[], None]] = [
        lambda: releases.create(str(app), B, fill),
        lambda: releases.seal(str(app), A, MARK),
        lambda: releases.activate(str(app), A),
        lambda: releases.condemn(str(app), A),
        lambda: releases.share(str(app), A, ["uploads"], None),
        lambda: releases.remove_app(str(app)),
        lambda: releases.keep_runtime(runtime),
    ]
    for change in changes:
        with pytest.raises(ConfigFault) as caught:
            change()
        assert caught.value.code == "app_path_not_ours"
        assert f"chown root {app / folder}" in caught.value.hint
    assert not (app / "current").is_symlink()


@needs_root
def test_folders_are_made_so_that_they_are_ours_whatever_the_umask(releases: FileReleases, app: Path) -> None:
    made = f"""
import os
os.umask(0)
from fraisier.host.releases import FileReleases
FileReleases().create({str(app)!r}, {A!r}, lambda directory: None)
FileReleases().create({str(app)!r}, {B!r}, lambda directory: None)
"""
    subprocess.run([sys.executable, "-c", made], check=True)

    assert sorted(os.listdir(app / "releases")) == [A, B]


@needs_root
def test_a_user_of_no_power_keeps_its_own_folders_group_writable(releases: FileReleases, tmp_path: Path) -> None:
    for folder in (tmp_path / "app" / "releases", tmp_path / "app"):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, OTHER, OTHER)
        folder.chmod(0o775)
    tmp_path.chmod(0o755)

    child = os.fork()
    if not child:
        try:
            os.chdir(tmp_path)  # the folders above are closed to it
            os.setgid(OTHER)
            os.setuid(OTHER)
            releases.create("app", A, fill, keep=[UNIT])
            os._exit(0)
        finally:
            os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert kept(tmp_path / "app").stat().st_uid == OTHER


@needs_root
def test_a_tree_is_given_from_the_leaves_to_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree" / "sub" / "inner").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "inner" / "file").touch()
    given: list[str] = []
    chown = os.chown

    def noting(path: str, *arguments: int, **options: object) -> None:
        given.append(os.path.basename(path))
        chown(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(host_releases.os, "chown", noting)
    host_releases._give_tree(str(tmp_path / "tree"), User("nobody", OTHER, OTHER, (OTHER,), "/"))

    assert given == ["file", "inner", "sub", "tree"]
    assert (tmp_path / "tree" / "sub" / "inner" / "file").stat().st_uid == OTHER


# -- notes of processes ---------------------------------------------------------------------------


def forge(app: Path, pid: int) -> None:
    with open(f"/proc/{pid}/stat") as file:
        started = int(file.read().rpartition(")")[2].split()[19])
    note = {"pid": pid, "started": started, "unit": "shop.service", "release": "", "since": "2026-01-02T00:00:00+00:00"}
    (app / ".fraisier" / "process.json").write_text(json.dumps(note))


@pytest.fixture
def start() -> Iterator[Callable[[dict[str, str]], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(env: dict[str, str]) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "60"], env=env, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def manager() -> ProcessManager:
    return ProcessManager(Processes(uuid.uuid4().hex))


@pytest.mark.parametrize("env", [{"A": "1"}, {SERVICE_MARK: "0" * 32}])
def test_a_forged_note_ends_no_process_that_is_no_service_of_that_target(
    app: Path,
    manager: ProcessManager,
    runtime: Runtime,
    start: Callable[[dict[str, str]], subprocess.Popen[bytes]],
    env: dict[str, str],
) -> None:
    (app / ".fraisier").mkdir(parents=True, mode=0o700)
    victim = start(env)
    until(lambda: Path(f"/proc/{victim.pid}/environ").read_bytes())
    forge(app, victim.pid)
    ref = ServiceRef("shop.service", str(app))

    state = manager.states([ref])["shop.service"]
    manager.stop(runtime, 5)

    assert isinstance(state, ServiceState)
    assert state.run == "failed"
    assert victim.poll() is None


@needs_root
def test_notes_of_another_user_start_stop_and_tell_nothing(
    app: Path, manager: ProcessManager, runtime: Runtime
) -> None:
    (app / ".fraisier").mkdir(parents=True, mode=0o700)
    (app / ".fraisier" / "service.log").write_text("secret")
    forge(app, os.getpid())
    os.chown(app / ".fraisier", OTHER, OTHER)
    ref = ServiceRef("shop.service", str(app))

    assert isinstance(manager.states([ref])["shop.service"], Unknown)
    assert manager.pidfd(ref) is None
    assert manager.output(ref, 5) == ""
    manager.tidy([ref])
    for change in (
        lambda: manager.stop(runtime, 1),
        lambda: manager.restart(runtime, str(app), 1, Interruption()),
        lambda: SystemdManager(Processes("x")).restart(runtime, str(app), 1, Interruption()),
    ):
        with pytest.raises(ConfigFault) as caught:
            change()
        assert caught.value.code == "notes_not_ours"


def test_no_link_in_the_place_of_the_log_is_read_or_cut(app: Path, manager: ProcessManager, tmp_path: Path) -> None:
    (app / ".fraisier").mkdir(parents=True, mode=0o700)
    with open(tmp_path / "precious", "wb") as file:
        file.truncate(11 << 20)
    (app / ".fraisier" / "service.log").symlink_to(tmp_path / "precious")
    ref = ServiceRef("shop.service", str(app))

    manager.tidy([ref])

    assert (tmp_path / "precious").stat().st_size == 11 << 20
    assert manager.output(ref, 5) == ""
