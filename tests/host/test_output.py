from __future__ import annotations

import itertools
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraisier.host.output import HEAD, LAST, CappedLog, Masker, clean, last_lines, masked, secrets_of
from fraisier.model.errors import ConfigFault, Transient
from fraisier.model.secret import Secret

SECRET = b"hunter2hunter2"


@given(
    before=st.binary(max_size=20),
    after=st.binary(max_size=20),
    cuts=st.lists(st.integers(min_value=0, max_value=54), max_size=6),
)
def test_a_secret_is_masked_however_the_stream_is_cut(before: bytes, after: bytes, cuts: list[int]) -> None:
    masker = Masker([SECRET])
    stream = before + SECRET + after
    edges = [0, *sorted(cuts), len(stream)]

    shown = b"".join(masker.feed(stream[a:b]) for a, b in itertools.pairwise(edges)) + masker.flush()

    assert SECRET not in shown
    assert shown == before + b"***" + after


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    masker = Masker([b"abcd", b"abcdefgh"])

    assert masker.feed(b"x abcdefgh y") + masker.flush() == b"x *** y"


@given(
    secrets=st.lists(st.text("ab", min_size=4, max_size=9), min_size=1, max_size=4),
    stream=st.text("abc", max_size=60),
    cuts=st.lists(st.integers(min_value=0, max_value=60), max_size=60),
)
def test_masking_of_a_stream_is_that_of_the_whole_text(secrets: list[str], stream: str, cuts: list[int]) -> None:
    whole = re.sub("|".join(sorted(secrets, key=len, reverse=True)), "***", stream)

    shown = fed(Masker(map(str.encode, secrets)), stream.encode(), cuts)

    assert shown.decode() == whole
    assert not any(secret in shown.decode() for secret in secrets)


@given(cuts=st.lists(st.integers(min_value=0, max_value=70), max_size=70))
def test_a_secret_that_another_one_begins_with_is_masked_whole_however_it_is_cut(cuts: list[int]) -> None:
    masker = Masker([b"hunter2", b"hunter2-longer-secret"])

    shown = fed(masker, b"a hunter2-longer-secret b hunter2-longer c hunter2", cuts)

    assert shown == b"a *** b ***-longer c ***"


def fed(masker: Masker, stream: bytes, cuts: list[int]) -> bytes:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return b"".join(masker.feed(stream[a:b]) for a, b in itertools.pairwise(edges)) + masker.flush()


def test_only_what_may_be_the_beginning_of_a_secret_waits() -> None:
    masker = Masker([SECRET])

    assert masker.feed(b"building ... hunt") == b"building ... "


def test_a_long_secret_costs_little_memory() -> None:
    secret = bytes(n * n % 251 for n in range(30_000))
    tracemalloc.start()
    try:
        masker = Masker([secret])
        shown = b"".join(masker.feed(part) for part in (b"x", secret[:20_000], secret[20_000:], b"y"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert shown + masker.flush() == b"x***y"
    assert most < 16 << 20


def test_the_last_lines_of_a_command_without_a_log_are_complete() -> None:
    log = CappedLog(None, Masker([SECRET]))

    log.add(b"failed: hunt")
    log.close()

    assert log.tail() == "failed: hunt"


def test_text_is_masked_by_the_values_of_an_environment() -> None:
    values = ["plain", Secret("hunter2"), Secret("hunter2-longer-secret")]

    assert masked("plain é hunter2-longer-secret hunter2", values) == "plain é *** ***"
    assert masked("nothing is secret", ["plain"]) == "nothing is secret"


def test_short_values_are_not_masked_and_lines_of_long_ones_are() -> None:
    forms = secrets_of(["plain text", Secret("abc"), Secret("first line\nsecond line\n}")])

    assert b"first line" in forms
    assert b"second line" in forms
    assert b"abc" not in forms
    assert b"plain text" not in forms
    assert b"}" not in forms


def test_the_log_keeps_the_first_and_last_mebibyte_and_says_how_much_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "command.log"
    log = CappedLog(str(path), Masker([]))

    for _ in range(50):
        log.add(b"h" * 65536)
    for _ in range(50):
        log.add(b"t" * 65536)
    log.close()

    data = path.read_bytes()
    assert data.startswith(b"h" * HEAD)
    assert data.endswith(b"t" * LAST)
    dropped = 100 * 65536 - HEAD - LAST
    assert f"\n… {dropped} bytes dropped …\n".encode() in data
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_is_appended_to(tmp_path: Path) -> None:
    path = str(tmp_path / "command.log")
    for text in (b"one\n", b"two\n"):
        log = CappedLog(path, Masker([]))
        log.add(text)
        log.close()

    assert Path(path).read_bytes() == b"one\ntwo\n"


def test_output_is_in_the_log_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "command.log"
    log = CappedLog(str(path), Masker([]))

    log.add(b"now\n")

    assert path.read_bytes() == b"now\n"
    log.close()


def test_a_log_that_cannot_be_written_is_transient() -> None:
    log = CappedLog("/dev/full", Masker([]))

    with pytest.raises(Transient) as caught:
        log.add(b"x")

    assert caught.value.code == "disk_full"
    with pytest.raises((Transient, ConfigFault)):
        CappedLog("/proc/none/command.log", Masker([]))
    log.close()


def test_the_tail_is_twenty_lines_and_two_kibibytes_at_most() -> None:
    assert last_lines(b"\n".join(b"%d" % n for n in range(100))).split("\n")[0] == "80"
    assert len(last_lines("é".encode() * 5000).encode()) <= 2048


def test_the_tail_holds_no_escapes_or_control_characters() -> None:
    noisy = b"\x1b[31mred\x1b[0m\x07\n10%\r50%\r100%\r\n\xff\x00end\n"

    assert last_lines(noisy) == "red\n100%\n\ufffdend"


@given(st.text())
def test_cleaned_text_can_be_printed(text: str) -> None:
    assert all(character in "\n\t" or character >= " " for character in clean(text))
