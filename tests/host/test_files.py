"""Swapping two names, on file systems that can and where it goes wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fraisier.host import files


def test_two_names_are_swapped_in_one_step(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()

    assert files.exchange(str(tmp_path / "one"), str(tmp_path / "other")) is True

    assert os.listdir(tmp_path / "one") == ["other"]


def test_a_swap_that_fails_for_another_reason_than_missing_support_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()

    with pytest.raises(FileNotFoundError):
        files.exchange(str(tmp_path / "one"), str(tmp_path / "gone"))


def test_a_swap_across_file_systems_is_an_error(tmp_path: Path) -> None:
    shared_memory = Path("/dev/shm")
    if not os.access(shared_memory, os.W_OK) or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system only")
    (tmp_path / "one").touch()
    other = shared_memory / f"{os.getpid()}-{tmp_path.name}"
    other.touch()

    try:
        with pytest.raises(OSError, match="device") as refusal:
            files.exchange(str(tmp_path / "one"), str(other))
    finally:
        other.unlink()

    assert refusal.value.errno == errno.EXDEV


def test_a_kernel_or_file_system_that_cannot_swap_says_so(tmp_path: Path) -> None:
    (tmp_path / "outer" / "inner").mkdir(parents=True)

    # EINVAL, as from a file system without support: a folder cannot change places with what it holds.
    assert files.exchange(str(tmp_path / "outer"), str(tmp_path / "outer" / "inner")) is False
