"""What Fraisier made goes, completely; what it did not make stays."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fraisier.host import notes
from fraisier.host.releases import FileReleases
from fraisier.model.config import Service
from fraisier.model.errors import ConfigFault
from fraisier.model.ports import Runtime
from fraisier.model.state import Inspection, Layout, ReleaseMark, Stamp

A, B = "a" * 40, "b" * 40
MARK = ReleaseMark(A, "build", datetime(2026, 1, 2, tzinfo=UTC))
OTHER = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def fill(directory: str) -> None:
    Path(directory, "src").mkdir()
    Path(directory, "src", "app.py").write_text("print('hello')\n")


@pytest.fixture
def releases() -> FileReleases:
    return FileReleases()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return tmp_path / "srv" / "app"


def make(releases: FileReleases, app: Path, *, shared: tuple[str, ...] = ()) -> None:
    """Two releases, one of them live, a third that was never finished, and notes of every sort."""
    for name in (A, B):
        releases.create(str(app), name, fill, shared=shared, keep=["src/app.py"])
        releases.seal(str(app), name, MARK)
    releases.create(str(app), "c" * 40, fill)
    releases.activate(str(app), B)
    releases.stamp(str(app), Stamp(B, "digest"))
    releases.keep_runtime(Runtime("digest", "shop/production", str(app), Service("shop.service")))


def test_all_that_was_made_goes_and_the_folder_with_it(releases: FileReleases, app: Path) -> None:
    make(releases, app)

    releases.remove_app(str(app))

    assert not app.exists()
    assert app.parent.exists()
    assert releases.layout(str(app)) == Layout()


def test_what_is_shared_and_what_others_put_there_stays(releases: FileReleases, app: Path) -> None:
    make(releases, app, shared=("uploads",))
    (app / "shared" / "uploads" / "precious").write_text("data")
    (app / "notes.txt").touch()
    (app / "releases" / "my-backup").mkdir()
    (app / "releases" / "my-backup" / "file").touch()

    releases.remove_app(str(app))

    assert sorted(os.listdir(app)) == ["notes.txt", "releases", "shared"]
    assert (app / "shared" / "uploads" / "precious").read_text() == "data"
    assert os.listdir(app / "releases") == ["my-backup"]
    assert os.listdir(app / "releases" / "my-backup") == ["file"]


def _link_elsewhere(current: Path) -> None:
    current.symlink_to("/srv/elsewhere")


@pytest.mark.parametrize("put", [_link_elsewhere, Path.mkdir, Path.touch])
def test_a_current_that_is_no_link_to_a_release_stays(
    releases: FileReleases, app: Path, put: Callable[[Path], None]
) -> None:
    make(releases, app)
    (app / "current").unlink()
    put(app / "current")

    releases.remove_app(str(app))

    assert os.listdir(app) == ["current"]


def test_nothing_is_done_where_nothing_is(releases: FileReleases, app: Path) -> None:
    releases.remove_app(str(app))

    assert not app.parent.exists()


def test_nothing_is_known_to_be_ours_without_our_notes(releases: FileReleases, app: Path) -> None:
    (app / "releases" / A).mkdir(parents=True)
    (app / "current").symlink_to(f"releases/{A}")

    releases.remove_app(str(app))

    assert (app / "current").resolve() == app / "releases" / A


def test_a_path_that_is_no_folder_is_refused(releases: FileReleases, app: Path) -> None:
    app.parent.mkdir()
    app.write_text("data")

    with pytest.raises(ConfigFault):
        releases.remove_app(str(app))

    assert app.read_text() == "data"


@needs_root
@pytest.mark.parametrize(
    ("folder", "code"), [("", "app_path_not_ours"), ("releases", "app_path_not_ours"), (".fraisier", "notes_not_ours")]
)
def test_root_removes_nothing_that_another_user_could_have_put_there(
    releases: FileReleases, app: Path, folder: str, code: str
) -> None:
    make(releases, app)
    os.chown(app / folder, OTHER, OTHER)
    before = sorted(str(path) for path in app.rglob("*"))

    with pytest.raises(ConfigFault) as caught:
        releases.remove_app(str(app))

    assert caught.value.code == code
    assert sorted(str(path) for path in app.rglob("*")) == before


def test_what_others_link_to_is_not_followed(releases: FileReleases, app: Path, tmp_path: Path) -> None:
    make(releases, app)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (app / "releases" / B / "link").symlink_to(tmp_path / "precious")
    (app / "releases" / ("d" * 40)).symlink_to(tmp_path / "precious")

    releases.remove_app(str(app))

    assert not app.exists()
    assert (tmp_path / "precious" / "file").exists()


def _killed_at(app: Path, number: int) -> bool:
    """Whether a child that removes `app` was killed right before its change of that number."""
    left = number

    def strike(event: str, arguments: object) -> None:
        nonlocal left
        del arguments
        if event in {"os.remove", "os.rename", "os.rmdir", "shutil.rmtree"}:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        sys.addaudithook(strike)
        try:
            FileReleases().remove_app(str(app))
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}
    return code != 0


def test_a_removal_that_was_killed_at_any_point_leaves_nothing_dangling_and_is_finished_later(
    releases: FileReleases, tmp_path: Path
) -> None:
    number = 1
    while True:
        app = tmp_path / str(number)
        make(releases, app, shared=("uploads",))
        was_killed = _killed_at(app, number)

        found = FileReleases().layout(str(app))
        assert isinstance(found, Layout)
        assert (app / "current").exists() or not (app / "current").is_symlink()
        assert all(releases.inspect(str(app), name, ["uploads"]) == Inspection(name) for name in found.releases)
        assert all(notes.read_kept(str(app), name, "src/app.py") for name in found.releases)
        FileReleases().remove_app(str(app))
        assert os.listdir(app) == ["shared"]
        if not was_killed:
            break
        number += 1
    assert number > 20
