"""What somebody changed inside of a release: seen, and nothing else taken for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fraisier.host import files, release_files
from fraisier.host.files import shown
from fraisier.host.release_files import MOST_DIFFERENCES, differences, list_files, note_files
from fraisier.host.release_paths import SETTLED_NS
from fraisier.host.releases import FileReleases
from fraisier.model.errors import ConfigFault
from fraisier.model.state import Difference, Inspection, ReleaseMark, Unknown
from tests.support.waiting import until

A = "a" * 40
MARK = ReleaseMark(A, "build", datetime(2026, 1, 2, tzinfo=UTC))
OTHER = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def fill(directory: str) -> None:
    tree = Path(directory)
    (tree / "src" / "deep").mkdir(parents=True)
    (tree / "app.py").write_text("print('hello')\n")
    (tree / "src" / "lib.py").write_text("x = 1\n")
    (tree / "src" / "deep" / "data").write_bytes(bytes(range(256)))
    (tree / "link").symlink_to("app.py")


class Release:
    """A sealed release with the files of `fill`, and whatever a build does to it."""

    def __init__(self, app: Path) -> None:
        self.releases = FileReleases()
        self.app = str(app)
        self.tree = app / "releases" / A
        self.notes = app / ".fraisier" / "files" / f"{A}.json"

    def make(
        self,
        build: Callable[[Path], object] = lambda tree: None,
        fill: Callable[[str], object] = fill,
        **options: object,
    ) -> Release:
        self.releases.create(self.app, A, lambda directory: fill(directory) and None, **options)  # type: ignore[arg-type]
        build(self.tree)
        self.releases.seal(self.app, A, MARK)
        return self

    def inspect(self, *shared: str) -> Inspection:
        found = self.releases.inspect(self.app, A, shared)
        assert isinstance(found, Inspection)
        return found

    @property
    def changed(self) -> list[str]:
        return [str(difference) for difference in self.inspect().files]

    def settle(self) -> None:
        """Until the kernel's clock tells later changes from those there were."""
        now = time.time_ns()
        until(lambda: time.time_ns() - now > SETTLED_NS)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path / "app")


# -- changes ----------------------------------------------------------------------------------------


def _edit(tree: Path) -> None:
    (tree / "app.py").write_text("print('changed')\n")


def _edit_unseen_by_size_and_time(tree: Path) -> None:
    before = (tree / "app.py").stat()
    with (tree / "app.py").open("r+") as file:
        file.write("print('jello')\n")
    os.utime(tree / "app.py", ns=(before.st_atime_ns, before.st_mtime_ns))


def _remove(tree: Path) -> None:
    (tree / "app.py").unlink()


def _make_executable(tree: Path) -> None:
    (tree / "app.py").chmod(0o755)


def _make_setuid(tree: Path) -> None:
    (tree / "app.py").chmod(0o4644)


def _put_a_folder(tree: Path) -> None:
    (tree / "app.py").unlink()
    (tree / "app.py").mkdir()


def _put_a_link_to_the_same(tree: Path) -> None:
    (tree / "app.py").rename(tree / "copy.py")
    (tree / "app.py").symlink_to("copy.py")


def _put_a_pipe(tree: Path) -> None:
    (tree / "app.py").unlink()
    os.mkfifo(tree / "app.py")


def _point_the_link_elsewhere(tree: Path) -> None:
    (tree / "link").unlink()
    (tree / "link").symlink_to("src/lib.py")


def _remove_a_folder(tree: Path) -> None:
    shutil.rmtree(tree / "src")


def _put_a_file_for_a_folder(tree: Path) -> None:
    shutil.rmtree(tree / "src")
    (tree / "src").touch()


def _put_a_link_for_a_folder(tree: Path) -> None:
    (tree / "src").rename(tree / "elsewhere")
    (tree / "src").symlink_to("elsewhere")


def _remove_everything(tree: Path) -> None:
    shutil.rmtree(tree)


@pytest.mark.parametrize("is_settled", [True, False])
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_edit, ["app.py changed"]),
        (_edit_unseen_by_size_and_time, ["app.py changed"]),
        (_remove, ["app.py missing"]),
        (_make_executable, ["app.py changed"]),
        (_make_setuid, ["app.py changed"]),
        (_put_a_folder, ["app.py changed"]),
        (_put_a_link_to_the_same, ["app.py changed"]),
        (_put_a_pipe, ["app.py changed"]),
        (_point_the_link_elsewhere, ["link changed"]),
        (_remove_a_folder, ["src/deep/data missing", "src/lib.py missing"]),
        (_put_a_file_for_a_folder, ["src changed"]),
        (_put_a_link_for_a_folder, ["src changed"]),
        (_remove_everything, ["app.py missing", "link missing", "src/deep/data missing", "src/lib.py missing"]),
    ],
)
def test_what_somebody_did_to_the_files_of_the_commit_shows_at_every_look(
    release: Release, change: Callable[[Path], None], found: list[str], is_settled: bool
) -> None:
    release.make()
    assert release.changed == []
    if is_settled:
        release.settle()

    change(release.tree)

    assert (release.changed, release.changed) == (found, found)
    assert Release(Path(release.app)).changed == found  # also for a daemon that was started since


def test_a_change_in_the_very_tick_of_the_seal_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "tree" / "file"
    file.parent.mkdir()

    for n in range(200):
        file.write_text(f"{n:04}")
        notes = note_files(str(file.parent), {"": ["file"]})
        file.write_text(f"{n:04}"[::-1] + "." * (f"{n:04}" == f"{n:04}"[::-1]))
        assert differences(str(file.parent), notes, {})[0] == (Difference("file", "changed"),)


def test_what_is_changed_back_is_as_it_was(release: Release) -> None:
    release.make()
    _edit(release.tree)
    assert release.changed == ["app.py changed"]

    (release.tree / "app.py").write_text("print('hello')\n")

    assert release.changed == []


# -- what is no change ------------------------------------------------------------------------------


def _touch(tree: Path) -> None:
    for path in tree.rglob("*"):
        os.utime(path, follow_symlinks=False)


def _close_to_others(tree: Path) -> None:
    (tree / "app.py").chmod(0o600)


def _restore_from_a_backup(tree: Path) -> None:
    shutil.copytree(tree, tree.with_name("backup"), symlinks=True)
    shutil.rmtree(tree)
    tree.with_name("backup").rename(tree)


def _write_beside(tree: Path) -> None:
    (tree / "src" / "__pycache__").mkdir()
    (tree / "src" / "__pycache__" / "lib.pyc").touch()
    (tree / "server.log").write_text("started\n")


@pytest.mark.parametrize("touch", [_touch, _close_to_others, _restore_from_a_backup, _write_beside])
def test_what_changes_no_file_of_the_commit_is_no_difference(release: Release, touch: Callable[[Path], None]) -> None:
    release.make()
    release.settle()

    touch(release.tree)

    assert (release.changed, release.changed) == ([], [])


@needs_root
def test_giving_files_away_changes_none(release: Release) -> None:
    release.make()

    subprocess.run(["chown", "-R", f"{OTHER}:{OTHER}", str(release.tree)], check=True)

    assert release.changed == []


def test_a_file_is_read_once_after_it_was_touched_and_never_when_it_was_not(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(directory: str) -> None:
        fill(directory)
        release.settle()

    release.make(fill=slow)
    read = _reads(monkeypatch)
    assert (release.changed, read) == ([], [])
    _touch(release.tree)
    release.settle()

    assert [(release.changed, sorted(read)) for _ in range(3)] == [([], [6, 15, 256])] * 3


def test_a_file_whose_times_cannot_tell_a_later_change_is_read_at_every_look(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_files, "SETTLED_NS", 3600 * 10**9)
    release.make()
    read = _reads(monkeypatch)

    for n in (1, 2):
        assert (release.changed, sorted(read)) == ([], sorted([6, 15, 256] * n))


def _reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of files that are read from now on."""
    read: list[int] = []
    digest = release_files._digest

    def noting(handle: int) -> str | None:
        read.append(os.fstat(handle).st_size)
        return digest(handle)

    monkeypatch.setattr(release_files, "_digest", noting)
    return read


# -- what the build did -----------------------------------------------------------------------------


def test_files_are_noted_as_the_build_left_them(release: Release) -> None:
    def build(tree: Path) -> None:
        (tree / "app.py").write_text("compiled\n")
        (tree / "src" / "lib.py").unlink()
        shutil.rmtree(tree / "src" / "deep")
        (tree / "made").write_text("by the build")

    release.make(build)
    assert release.changed == []

    (release.tree / "made").unlink()
    assert release.changed == []
    (release.tree / "src" / "lib.py").touch()
    (release.tree / "app.py").write_text("by hand\n")
    assert release.changed == ["app.py changed", "src/lib.py unexpected"]


def test_a_folder_that_the_build_replaced_is_noted_as_what_took_its_place(release: Release) -> None:
    def build(tree: Path) -> None:
        (tree / "src").rename(tree / "elsewhere")
        (tree / "src").symlink_to("elsewhere")

    release.make(build)
    assert release.changed == []

    (release.tree / "src").unlink()
    (release.tree / "src").symlink_to("/tmp")

    assert release.changed == ["src changed"]


def test_a_file_too_large_to_be_read_goes_by_size_and_time(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    def large(directory: str) -> None:
        with open(f"{directory}/large", "wb") as file:
            file.truncate((64 << 20) + 1)

    monkeypatch.setattr(release_files, "_digest", lambda handle: pytest.fail("it was read"))
    release.make(fill=large)
    (release.tree / "large").chmod(0o600)
    assert release.changed == []

    os.utime(release.tree / "large")

    assert release.changed == ["large changed"]


def test_every_name_that_git_knows_can_be_noted(release: Release) -> None:
    names = [b"new\nline", b"\xff\xfe", b'quo"te', "é".encode(), b" "]

    def odd(directory: str) -> None:
        for name in names:
            Path(directory, os.fsdecode(name)).write_text("x")

    release.make(fill=odd)
    assert release.changed == []

    for name in names:
        (release.tree / os.fsdecode(name)).write_text("y")

    told = [difference.path for difference in release.inspect().files]
    assert sorted(told) == sorted(shown(name) for name in names)
    assert all(path.isprintable() for path in told)


def test_of_very_many_differences_some_are_told(release: Release) -> None:
    def many(directory: str) -> None:
        for n in range(MOST_DIFFERENCES + 5):
            Path(directory, f"{n:05}").touch()

    release.make(fill=many)
    for file in release.tree.iterdir():
        file.unlink()

    assert len(release.changed) == MOST_DIFFERENCES
    assert release.changed == sorted(release.changed)


# -- the notes --------------------------------------------------------------------------------------


def test_the_notes_are_out_of_everybodys_reach(release: Release) -> None:
    release.make()

    assert release.notes.stat().st_mode & 0o777 == 0o600
    assert release.notes.parent.stat().st_mode & 0o777 == 0o700
    assert release.notes.stat().st_uid == os.geteuid()


def test_the_notes_are_on_disk_before_the_seal_says_that_the_release_is_complete(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal, synced = Path(release.app, ".fraisier", "seals", f"{A}.json"), []
    sync = files.sync_file_system

    def noting(path: str) -> None:
        synced.append((b'"noted"' in release.notes.read_bytes(), seal.exists()))
        sync(path)

    monkeypatch.setattr(files, "sync_file_system", noting)
    release.make()

    assert (synced, seal.exists()) == ([(True, False)], True)


def test_a_release_that_was_sealed_without_notes_has_no_differences(release: Release) -> None:
    release.make()
    release.notes.unlink()

    _edit(release.tree)

    assert release.changed == []


def test_what_was_never_sealed_has_no_differences(release: Release) -> None:
    release.releases.create(release.app, A, fill)
    _edit(release.tree)

    assert release.changed == []


@pytest.mark.parametrize("damaged", [b"", b"\0\0", b"[]", b'{"noted": {"": {"app.py": 3}}}'])
def test_damaged_notes_are_unknown_and_not_a_release_without_changes(release: Release, damaged: bytes) -> None:
    release.make()
    release.notes.write_bytes(damaged)

    found = release.releases.inspect(release.app, A, [])

    assert isinstance(found, Unknown)
    assert found.code == "files_unreadable"
    assert str(release.notes) in found.message


@needs_root
def test_notes_of_another_user_say_nothing_about_a_release(release: Release) -> None:
    release.make()
    os.chown(Path(release.app, ".fraisier"), OTHER, OTHER)

    found = release.releases.inspect(release.app, A, [])

    assert isinstance(found, Unknown)
    assert found.code == "notes_not_ours"


def test_a_seal_that_was_cut_off_may_be_made_again(release: Release) -> None:
    release.make()
    Path(release.app, ".fraisier", "seals", f"{A}.json").unlink()
    (release.tree / "app.py").write_text("built once more\n")

    release.releases.seal(release.app, A, MARK)

    assert release.changed == []
    _edit(release.tree)
    assert release.changed == ["app.py changed"]


def test_the_notes_go_with_the_release(release: Release) -> None:
    release.make()

    release.releases.remove(release.app, [A])

    assert not release.notes.exists()


@needs_root
def test_a_release_that_cannot_be_read_is_unknown(release: Release, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "app"):
        folder.mkdir(exist_ok=True)
        os.chown(folder, OTHER, OTHER)

    def check() -> bool:
        os.chdir(tmp_path)  # the folders above are closed to it
        os.setgid(OTHER)
        os.setuid(OTHER)
        mine = Release(Path("app")).make()
        mine.tree.chmod(0)
        found = mine.releases.inspect("app", A, [])
        return isinstance(found, Unknown) and found.code == "release_unreadable"

    assert _in_a_child(check)


@needs_root
def test_what_the_build_closed_to_a_user_of_no_power_is_sealed_all_the_same(release: Release, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "app"):
        folder.mkdir(exist_ok=True)
        os.chown(folder, OTHER, OTHER)

    def close(tree: Path) -> None:
        (tree / "app.py").chmod(0)
        (tree / "src").chmod(0)

    def check() -> bool:
        os.chdir(tmp_path)
        os.setgid(OTHER)
        os.setuid(OTHER)
        mine = Release(Path("app")).make(close)
        return mine.changed == []

    assert _in_a_child(check)


def _in_a_child(check: Callable[[], bool]) -> bool:
    child = os.fork()
    if not child:
        try:
            os._exit(0 if check() else 2)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_listing_has_links_to_folders_and_nothing_of_what_is_shared(tmp_path: Path) -> None:
    fill(str(tmp_path))
    (tmp_path / "to-folder").symlink_to("src")
    (tmp_path / "empty").mkdir()

    assert list_files(str(tmp_path), {"src/deep", "app.py"}) == {"": ["link", "to-folder"], "src": ["lib.py"]}


# -- links to what is shared ------------------------------------------------------------------------

SHARED = ("uploads", "conf/local.toml")


def with_shared(directory: str) -> None:
    fill(directory)
    for name in ("uploads", "conf"):
        Path(directory, name).mkdir()
    Path(directory, "uploads", ".gitkeep").touch()
    Path(directory, "conf", "local.toml").write_text("a = 1\n")


def _remove_the_link(tree: Path) -> None:
    (tree / "uploads").unlink()


def _lead_it_elsewhere(tree: Path) -> None:
    (tree / "uploads").unlink()
    (tree / "uploads").symlink_to("/tmp")


def _name_the_same_by_another_path(tree: Path) -> None:
    (tree / "uploads").unlink()
    (tree / "uploads").symlink_to(tree.parent.parent / "shared" / "uploads")


def _empty_folder(tree: Path) -> None:
    (tree / "uploads").unlink()
    (tree / "uploads").mkdir()


def _empty_file(tree: Path) -> None:
    (tree / "uploads").unlink()
    (tree / "uploads").touch()


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (_remove_the_link, "uploads missing"),
        (_lead_it_elsewhere, "uploads changed"),
        (_name_the_same_by_another_path, "uploads changed"),
        (_empty_folder, "uploads changed"),
        (_empty_file, "uploads changed"),
    ],
)
def test_a_link_that_is_not_as_it_was_made_shows_and_is_made_again(
    release: Release, spoil: Callable[[Path], None], found: str
) -> None:
    release.make(fill=with_shared, shared=SHARED)
    assert release.inspect(*SHARED) == Inspection(A)
    Path(release.app, "shared", "uploads", "precious").touch()

    spoil(release.tree)
    shown = release.inspect(*SHARED)
    release.releases.share(release.app, A, SHARED, None)

    assert [str(difference) for difference in shown.shared] == [found]
    assert shown.files == ()
    assert release.inspect(*SHARED) == Inspection(A)
    assert (release.tree / "uploads" / "precious").exists()


def test_the_folder_of_a_link_may_be_missing_or_something_else(release: Release, tmp_path: Path) -> None:
    release.make(fill=with_shared, shared=SHARED)
    shutil.rmtree(release.tree / "conf")
    assert release.inspect(*SHARED).shared == (Difference("conf/local.toml", "missing"),)
    release.releases.share(release.app, A, SHARED, None)
    assert release.inspect(*SHARED).shared == ()

    shutil.rmtree(release.tree / "conf")
    (tmp_path / "victim").mkdir()
    (release.tree / "conf").symlink_to(tmp_path / "victim")

    assert release.inspect(*SHARED).shared == (Difference("conf/local.toml", "changed"),)
    with pytest.raises(ConfigFault, match="is not a folder"):
        release.releases.share(release.app, A, SHARED, None)
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_link_that_is_right_is_left_alone(release: Release) -> None:
    release.make(fill=with_shared, shared=SHARED)
    before = (release.tree / "uploads").lstat()

    release.releases.share(release.app, A, SHARED, None)

    assert (release.tree / "uploads").lstat() == before


def _folder_with_files(place: Path) -> None:
    place.mkdir()
    (place / "upload.png").write_text("picture")


def _file_with_text(place: Path) -> None:
    place.write_text("text")


@pytest.mark.parametrize("put", [_folder_with_files, _file_with_text, os.mkfifo])
def test_what_took_the_place_of_a_link_and_is_worth_something_is_never_removed(
    release: Release, put: Callable[[Path], None]
) -> None:
    release.make(fill=with_shared, shared=SHARED)
    (release.tree / "uploads").unlink()
    shutil.rmtree(Path(release.app, "shared", "uploads"))
    put(release.tree / "uploads")
    before = sorted(str(path) for path in Path(release.app).rglob("*"))

    with pytest.raises(ConfigFault, match="not empty") as caught:
        release.releases.share(release.app, A, SHARED, None)

    assert caught.value.code == "shared_occupied"
    assert str(release.tree / "uploads") in str(caught.value)
    assert sorted(str(path) for path in Path(release.app).rglob("*")) == before


@needs_root
def test_links_that_are_made_again_belong_to_the_user_of_the_release(release: Release) -> None:
    release.make(fill=with_shared, shared=SHARED, run_as="nobody")
    (release.tree / "uploads").unlink()
    shutil.rmtree(release.tree / "conf")
    shutil.rmtree(Path(release.app, "shared", "uploads"))

    release.releases.share(release.app, A, SHARED, "nobody")

    made = ("releases/" + A + "/uploads", f"releases/{A}/conf", f"releases/{A}/conf/local.toml", "shared/uploads")
    assert {Path(release.app, path).lstat().st_uid for path in made} == {OTHER}
    assert Path(release.app, "shared").lstat().st_uid == 0


def test_an_entry_that_leaves_the_release_is_unknown(release: Release) -> None:
    release.make()

    assert isinstance(release.releases.inspect(release.app, A, ["../x"]), Unknown)
