from __future__ import annotations

import os
import pwd
import random
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fraisier.host.releases import FileReleases
from fraisier.model.config import Service, WrittenService
from fraisier.model.errors import ConfigFault, RevisionFault, Transient
from fraisier.model.ports import Runtime
from fraisier.model.secret import Secret
from fraisier.model.state import Inspection, Layout, ReleaseMark, Stamp, Unknown

A, B = "a" * 40, "b" * 40
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def mark(sha: str) -> ReleaseMark:
    return ReleaseMark(sha, "build", NOW)


def fill(directory: str) -> None:
    (Path(directory) / "app.py").write_text("print('hello')\n")


@pytest.fixture
def releases() -> FileReleases:
    return FileReleases()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return tmp_path / "srv" / "app"


def make(releases: FileReleases, app: Path, name: str, **options: object) -> Path:
    releases.create(str(app), name, fill, **options)  # type: ignore[arg-type]
    releases.seal(str(app), name, mark(name))
    return app / "releases" / name


def layout(releases: FileReleases, app: Path) -> Layout:
    found = releases.layout(str(app))
    assert isinstance(found, Layout)
    return found


def runtime(app: Path, **options: object) -> Runtime:
    written = WrittenService(("./run", "--port", "8000"), port=8000, stop_timeout=timedelta(seconds=2.5))
    given = {"service": Service("api.service", written), "env": {"A": "1", "DB": Secret("canary")}, **options}
    return Runtime("digest1", "shop/production", str(app), **given)  # type: ignore[arg-type]


# -- layout ---------------------------------------------------------------------------------------


def test_an_app_path_that_is_not_there_is_empty(releases: FileReleases, app: Path) -> None:
    assert releases.layout(str(app)) == Layout()


def test_a_layout_tells_what_was_done(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    releases.activate(str(app), A)
    releases.stamp(str(app), Stamp(A, "digest1"))
    releases.keep_runtime(runtime(app))

    assert layout(releases, app) == Layout({A: mark(A)}, A, Stamp(A, "digest1"), frozenset({"digest1"}))


def test_what_is_not_sealed_is_no_release(releases: FileReleases, app: Path) -> None:
    releases.create(str(app), A, fill)

    assert layout(releases, app).releases == {}


def test_a_seal_without_its_directory_counts_as_absent(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    (app / "releases" / A).rename(app / "moved")

    assert layout(releases, app).releases == {}


def test_code_cannot_seal_itself(releases: FileReleases, app: Path) -> None:
    def forge(directory: str) -> None:
        (Path(directory) / ".fraisier" / "seals").mkdir(parents=True)
        (Path(directory) / ".fraisier-release.json").write_text('{"sha": "x"}')

    releases.create(str(app), A, forge)

    assert layout(releases, app).releases == {}


def test_a_link_that_points_elsewhere_is_not_current(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    (app / "current").symlink_to("/srv/elsewhere")

    assert layout(releases, app).current is None


def test_changes_by_others_are_seen_at_once(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    make(releases, app, B)
    releases.activate(str(app), A)
    layout(releases, app)

    (app / "current").unlink()
    (app / "current").symlink_to(f"releases/{B}")
    (app / "releases" / A).rename(app / "moved")

    assert layout(releases, app).current == B
    assert set(layout(releases, app).releases) == {B}


def test_many_changes_within_one_tick_of_the_clock_are_all_seen(releases: FileReleases, app: Path) -> None:
    for n in range(200):
        releases.stamp(str(app), Stamp(A, f"digest{n}"))
        assert layout(releases, app).stamp == Stamp(A, f"digest{n}")


def test_a_damaged_note_counts_as_absent_and_heals(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    releases.stamp(str(app), Stamp(A, "digest1"))
    (app / ".fraisier" / "stamp.json").write_bytes(b"\0\0\0")
    (app / ".fraisier" / "seals" / f"{A}.json").write_bytes(b"{")

    assert layout(FileReleases(), app) == Layout()


def test_an_app_path_that_is_a_file_is_unknown_and_not_absent(releases: FileReleases, app: Path) -> None:
    app.parent.mkdir(parents=True)
    app.write_text("not a folder")

    assert isinstance(releases.layout(str(app)), Unknown)
    with pytest.raises(ConfigFault):
        releases.create(str(app), A, fill)


@needs_root
def test_notes_of_another_user_are_not_believed(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    os.chown(app / ".fraisier", 65534, 65534)

    assert isinstance(releases.layout(str(app)), Unknown)
    with pytest.raises(ConfigFault) as caught:
        releases.runtime(str(app), "digest1")
    assert caught.value.code == "notes_not_ours"


# -- create ---------------------------------------------------------------------------------------


def test_an_unsealed_release_is_replaced_and_a_sealed_one_left_alone(releases: FileReleases, app: Path) -> None:
    releases.create(str(app), A, fill)
    (app / "releases" / A / "half-built").touch()
    releases.create(str(app), A, fill)
    assert not (app / "releases" / A / "half-built").exists()
    releases.seal(str(app), A, mark(A))
    (app / "releases" / A / "built").touch()

    releases.create(str(app), A, fill)

    assert (app / "releases" / A / "built").exists()


def test_a_release_that_vanished_is_made_again_unsealed(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    (app / "releases" / A).rename(app / "moved")

    releases.create(str(app), A, fill)

    assert (app / "releases" / A / "app.py").exists()
    assert layout(releases, app).releases == {}


def test_a_filling_that_fails_leaves_nothing(releases: FileReleases, app: Path) -> None:
    def fail(directory: str) -> None:
        fill(directory)
        raise Transient("mirror damaged", code="mirror_corrupt")

    with pytest.raises(Transient):
        releases.create(str(app), A, fail)

    assert os.listdir(app / "releases") == []


def test_leftovers_of_a_killed_daemon_go_with_the_next_change(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    for name in (".new-x", ".old-y"):
        (app / "releases" / name / "sub").mkdir(parents=True)
        (app / "releases" / name / "sub").chmod(0o500)

    releases.remove(str(app), [])

    assert os.listdir(app / "releases") == [A]


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a\n", "x" * 200])
def test_names_that_are_no_names_are_refused(releases: FileReleases, app: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        releases.create(str(app), name, fill)


@needs_root
def test_a_tree_is_given_to_its_user_without_following_links(releases: FileReleases, app: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()

    def with_links(directory: str) -> None:
        fill(directory)
        Path(directory, "sub").mkdir()
        Path(directory, "file-link").symlink_to(precious / "file")
        Path(directory, "folder-link").symlink_to(precious)

    releases.create(str(app), A, with_links, shared=["uploads", "conf/local.toml"], run_as="nobody")

    nobody = pwd.getpwnam("nobody").pw_uid
    release = app / "releases" / A
    mine = {
        p.name: p.lstat().st_uid
        for p in [release, *release.rglob("*"), app / "shared" / "uploads", app / "shared" / "conf"]
    }
    assert set(mine.values()) == {nobody}
    assert (precious / "file").stat().st_uid == 0
    assert precious.stat().st_uid == 0
    assert (app / ".fraisier").stat().st_uid == 0


# -- shared ---------------------------------------------------------------------------------------


def test_shared_entries_are_links_to_what_outlives_the_release(releases: FileReleases, app: Path) -> None:
    def with_entries(directory: str) -> None:
        Path(directory, "uploads").mkdir()
        Path(directory, "uploads", ".gitkeep").touch()
        Path(directory, "conf").mkdir()
        Path(directory, "conf", "local.toml").write_text("a = 1\n")

    for name in (A, B):
        releases.create(str(app), name, with_entries, shared=["uploads", ".env", "conf/local.toml", "var/log"])
        (app / "shared" / "conf" / "local.toml").write_text("a = 2\n")

    release = app / "releases" / B
    assert os.readlink(release / "uploads") == "../../shared/uploads"
    assert os.readlink(release / "conf" / "local.toml") == "../../../shared/conf/local.toml"
    assert (release / "conf" / "local.toml").read_text() == "a = 2\n"
    assert (release / "var" / "log").resolve() == (app / "shared" / "var" / "log").resolve()
    assert not (release / ".env").exists()
    assert (release / ".env").is_symlink()


def test_a_file_in_the_release_seeds_the_shared_one(releases: FileReleases, app: Path) -> None:
    def with_file(directory: str) -> None:
        Path(directory, "settings").write_text("seed\n")
        Path(directory, "settings").chmod(0o640)

    releases.create(str(app), A, with_file, shared=["settings"])

    assert (app / "shared" / "settings").read_text() == "seed\n"
    assert stat.S_IMODE((app / "shared" / "settings").stat().st_mode) == 0o640


@pytest.mark.parametrize("entry", ["../outside", "/etc", "a/../../b", ".", "a//b", ""])
def test_a_shared_entry_never_leaves_the_release(releases: FileReleases, app: Path, entry: str) -> None:
    with pytest.raises(ConfigFault):
        releases.create(str(app), A, fill, shared=[entry])

    assert os.listdir(app / "releases") == []


@pytest.mark.parametrize("side", ["release", "shared"])
def test_links_on_the_way_to_a_shared_entry_are_not_followed(
    releases: FileReleases, app: Path, tmp_path: Path, side: str
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (app / "shared").mkdir(parents=True)
    if side == "shared":
        (app / "shared" / "conf").symlink_to(victim)

    def with_link(directory: str) -> None:
        if side == "release":
            Path(directory, "conf").symlink_to(victim)

    with pytest.raises(ConfigFault) as caught:
        releases.create(str(app), A, with_link, shared=["conf/uploads"])

    assert caught.value.code == "shared_path"
    assert list(victim.iterdir()) == []


# -- activate -------------------------------------------------------------------------------------


def test_only_sealed_releases_are_activated(releases: FileReleases, app: Path) -> None:
    releases.create(str(app), A, fill)

    with pytest.raises(Transient):
        releases.activate(str(app), A)

    assert not (app / "current").is_symlink()


@pytest.mark.parametrize("make_foreign", [Path.mkdir, Path.touch])
def test_what_is_no_link_is_never_replaced(
    releases: FileReleases, app: Path, make_foreign: Callable[[Path], None]
) -> None:
    make(releases, app, A)
    make_foreign(app / "current")

    with pytest.raises(ConfigFault) as caught:
        releases.activate(str(app), A)

    assert caught.value.code == "current_not_a_link"
    assert not (app / "current").is_symlink()


def test_a_condemned_release_is_not_replaced_and_not_activated(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    releases.condemn(str(app), A)

    make(releases, app, A)

    assert layout(FileReleases(), app).releases == {A: replace(mark(A), is_changed=True)}
    with pytest.raises(Transient) as caught:
        releases.activate(str(app), A)
    assert caught.value.code == "release_changed"
    assert not (app / "current").is_symlink()


def test_a_release_whose_seal_is_damaged_is_made_again(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    (app / ".fraisier" / "seals" / f"{A}.json").write_bytes(b"{")
    (app / "releases" / A / "app.py").write_text("by hand")

    make(releases, app, A)

    assert (app / "releases" / A / "app.py").read_text() == "print('hello')\n"
    assert layout(releases, app).releases == {A: mark(A)}


def test_files_of_others_in_app_path_are_not_touched(releases: FileReleases, app: Path) -> None:
    (app / ".git").mkdir(parents=True)
    (app / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (app / "index.html").write_text("mine")

    make(releases, app, A)
    releases.activate(str(app), A)
    releases.remove(str(app), [B])

    assert (app / ".git" / "HEAD").read_text() == "ref: refs/heads/main\n"
    assert (app / "index.html").read_text() == "mine"


def test_everything_may_be_done_twice(releases: FileReleases, app: Path) -> None:
    for _ in range(2):
        make(releases, app, A, shared=["uploads"])
        releases.activate(str(app), A)
        releases.stamp(str(app), Stamp(A, "digest1"))
        releases.keep_runtime(runtime(app))
    for _ in range(2):
        releases.stamp(str(app), None)
        releases.remove(str(app), [B], ["digest2"])

    assert layout(releases, app) == Layout({A: mark(A)}, A, None, frozenset({"digest1"}))


def test_the_current_release_is_never_removed(releases: FileReleases, app: Path) -> None:
    make(releases, app, A)
    make(releases, app, B)
    releases.activate(str(app), A)

    releases.remove(str(app), [A, B])

    assert set(layout(releases, app).releases) == {A}
    assert not (app / "releases" / B).exists()


def test_the_release_that_runs_is_made_again_in_its_place(releases: FileReleases, app: Path) -> None:
    """Somebody removed its seal: `current` points at something at every moment of the repair."""
    make(releases, app, A)
    releases.activate(str(app), A)
    (app / ".fraisier" / "seals" / f"{A}.json").unlink()

    make(releases, app, A)

    assert (app / "current" / "app.py").exists()
    assert os.listdir(app / "releases") == [A]


# -- runtimes and space ---------------------------------------------------------------------------


def test_a_runtime_comes_back_as_it_was_kept_and_nobody_else_may_read_it(releases: FileReleases, app: Path) -> None:
    kept = runtime(app, run_as="deploy")
    releases.keep_runtime(kept)

    assert releases.runtime(str(app), "digest1") == kept
    assert stat.S_IMODE((app / ".fraisier").stat().st_mode) == 0o700
    assert stat.S_IMODE((app / ".fraisier" / "runtime" / "digest1.json").stat().st_mode) == 0o600


def test_a_runtime_that_is_not_there_is_transient(releases: FileReleases, app: Path) -> None:
    releases.keep_runtime(runtime(app))

    with pytest.raises(Transient):
        releases.runtime(str(app), "other")


def test_there_is_space_also_where_nothing_is_yet(releases: FileReleases, app: Path) -> None:
    assert releases.has_space(str(app))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two mebibytes."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "small", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_transient_and_breaks_nothing(releases: FileReleases, small_disk: Path) -> None:
    app = small_disk / "app"
    make(releases, app, A)
    releases.activate(str(app), A)

    def large(directory: str) -> None:
        Path(directory, "large").write_bytes(b"x" * (4 << 20))

    with pytest.raises(Transient) as caught:
        releases.create(str(app), B, large)

    assert caught.value.code == "disk_full"
    assert os.listdir(app / "releases") == [A]
    assert (app / "current" / "app.py").exists()
    assert not releases.has_space(str(app))


def test_notes_on_a_full_disk_keep_what_they_said(releases: FileReleases, small_disk: Path) -> None:
    app = small_disk / "app"
    releases.stamp(str(app), Stamp(A, "old"))
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(b"x" * (4 << 20))

    with pytest.raises(Transient) as caught:
        releases.stamp(str(app), Stamp(B, "new"))

    assert caught.value.code == "disk_full"
    assert layout(releases, app).stamp == Stamp(A, "old")


# -- kill -9 --------------------------------------------------------------------------------------

CHURN = """
import itertools, sys
from datetime import UTC, datetime
from pathlib import Path
from fraisier.host.releases import FileReleases
from fraisier.model.state import ReleaseMark, Stamp
app, releases = sys.argv[1], FileReleases()
def fill(directory):
    for n in range(20):
        Path(directory, str(n)).write_text("x")
print("go", flush=True)
for n in itertools.count():
    name = f"{n % 3}" * 40
    releases.stamp(app, None)
    releases.remove(app, [f"{k}" * 40 for k in range(3)])
    releases.create(app, name, fill, shared=["uploads"])
    releases.seal(app, name, ReleaseMark(name, "build", datetime.now(UTC)))
    releases.activate(app, name)
    releases.stamp(app, Stamp(name, "digest"))
"""


@pytest.mark.slow
def test_killed_at_any_moment_current_never_dangles_and_every_sealed_release_is_whole(app: Path) -> None:
    chance = random.Random(7)

    for _ in range(25):
        child = subprocess.Popen([sys.executable, "-c", CHURN, str(app)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.05))  # the moment of the kill is the point
        child.kill()
        child.wait()
        child.stdout.close()

        found = layout(FileReleases(), app)
        assert (app / "current").exists() or not (app / "current").is_symlink()
        assert all(len(os.listdir(app / "releases" / name)) == 21 for name in found.releases)
        for name in found.releases:
            assert FileReleases().inspect(str(app), name, ["uploads"]) == Inspection(name)
        assert found.stamp is None or found.stamp.release == found.current
    FileReleases().remove(str(app), [])
    assert not [name for name in os.listdir(app / "releases") if name.startswith(".")]


def test_a_fault_of_the_repository_passes_through(releases: FileReleases, app: Path) -> None:
    def fault(directory: str) -> None:
        raise RevisionFault("bad tree", code="bad_tree")

    with pytest.raises(RevisionFault):
        releases.create(str(app), A, fault)
