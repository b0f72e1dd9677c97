"""One daemon per store, and how it is woken."""

from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fraisier.model.errors import StoreError
from fraisier.store import DaemonLock, Waker, drain, poke

HOLDER = """
import sys
from fraisier.store import DaemonLock
DaemonLock(sys.argv[1]).acquire()
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def holder(path: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process  # type: ignore[misc]
        process.kill()


def test_a_second_daemon_is_told_who_is_first(path: str, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(StoreError, match=str(holder.pid)) as refusal:
        DaemonLock(path).acquire()

    assert refusal.value.code == "store_locked"
    assert refusal.value.hint
    assert DaemonLock(path).holder() == holder.pid


def test_the_lock_dies_with_its_process(path: str, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    assert DaemonLock(path).holder() is None
    with DaemonLock(path) as lock:
        assert lock.was_unclean


def test_a_release_is_a_clean_end(path: str) -> None:
    with DaemonLock(path) as first:
        assert first.was_unclean is False
    first.release()

    with DaemonLock(path) as second:
        assert second.was_unclean is False
        assert second.holder() == os.getpid()


def test_the_lock_holds_within_one_process_too(path: str) -> None:
    with DaemonLock(path), pytest.raises(StoreError, match=str(os.getpid())):
        DaemonLock(path).acquire()


def test_asking_for_the_holder_makes_no_file(path: str) -> None:
    assert DaemonLock(path).holder() is None
    assert not os.path.exists(f"{path}.lock")


def test_asking_for_the_holder_does_not_disturb_one_that_starts(path: str) -> None:
    DaemonLock(path).release()
    with DaemonLock(path) as lock:
        assert [DaemonLock(path).holder() for _ in range(3)] == [os.getpid()] * 3
        assert lock.holder() == os.getpid()


def test_the_lock_file_is_for_its_owner_only(path: str) -> None:
    with DaemonLock(path) as lock:
        assert stat.S_IMODE(os.stat(lock.path).st_mode) == 0o600


def test_a_lock_without_a_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="folder does not exist"):
        DaemonLock(tmp_path / "no" / "store").acquire()


# --- wake ------------------------------------------------------------------------------------


def is_awake(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def test_a_poke_wakes_once_however_many_there_were(path: str) -> None:
    fd = Waker(path).open_reader()
    assert not is_awake(fd)

    assert [poke(path), poke(path)] == [True, True]

    assert is_awake(fd)
    drain(fd)
    assert not is_awake(fd)
    os.close(fd)


def test_nobody_is_woken_where_nobody_listens(path: str) -> None:
    assert poke(path) is False

    os.close(Waker(path).open_reader())

    assert poke(path) is False


def test_a_pipe_full_of_pokes_does_not_block(path: str) -> None:
    fd = Waker(path).open_reader()

    assert {poke(path) for _ in range(70_000)} == {True}

    drain(fd)
    assert not is_awake(fd)
    os.close(fd)


def test_whatever_stands_in_the_way_of_the_pipe_is_replaced(path: str) -> None:
    Path(f"{path}.wake").write_text("not a pipe")
    assert poke(path) is False

    fd = Waker(path).open_reader()

    assert stat.S_ISFIFO(os.fstat(fd).st_mode)
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o660
    os.close(fd)


def test_a_pipe_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be made"):
        Waker(tmp_path / "no" / "store").open_reader()
