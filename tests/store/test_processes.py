"""Several processes on one file: races, kills, and readers that leave no trace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing as closed
from pathlib import Path

import pytest

from fraisier.store import SqliteStore, migrate
from tests.support.stores import API, OTHER, B, at, closing, deploy, open_attempt, pin, suspension

OPENER = """
import sys
from fraisier.model.errors import AttemptOpen
from fraisier.store import SqliteStore
from tests.support.stores import open_attempt
store = SqliteStore.open(sys.argv[1], create=True)
print("ready", flush=True)
sys.stdin.readline()
try:
    open_attempt(store)
    print("opened")
except AttemptOpen:
    print("refused")
store.close()
"""

WRITER = """
import sys
from fraisier.store import SqliteStore
from tests.support.stores import at, open_attempt
store = SqliteStore.open(sys.argv[1])
attempt = open_attempt(store)
number = 0
while True:
    store.note(attempt, "x" * 2000 + str(number), at(number))
    print(number, flush=True)
    number += 1
"""

FORCER = """
import sys
from fraisier.store import SqliteStore
from tests.support.stores import API, at, request
store = SqliteStore.open(sys.argv[1])
store.force(API, "ada", at(0))
store.add_request(request())
store.close()
"""

SUSPENDER = """
import sys
from fraisier.model.names import Scope
from fraisier.store import SqliteStore
from tests.support.stores import API, at, pin, suspension
store = SqliteStore.open(sys.argv[1])
store.suspend(suspension("*/*"))
store.suspend(suspension("my_api/*", 1))
store.resume(Scope("my_api"), "ada", at(2))
store.override(API, pin())
store.close()
"""


def start(script: str, path: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def run(script: str, path: str) -> str:
    with start(script, path) as process:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        return out


def listing(path: str) -> dict[str, tuple[int, int]]:
    entries = os.scandir(os.path.dirname(path))
    return {entry.name: (entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries}


@pytest.mark.slow
def test_of_two_processes_one_opens_the_attempt(path: str) -> None:
    racers = [start(OPENER, path) for _ in range(3)]
    assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * 3

    [racer.stdin.write("go\n") or racer.stdin.flush() for racer in racers if racer.stdin]
    answers = [racer.communicate(timeout=60)[0].strip() for racer in racers]

    assert sorted(answers) == ["opened", "refused", "refused"]
    with closed(SqliteStore.open(path)) as store:
        assert len(store.open_attempts()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 7, 40])
def test_kill_9_keeps_everything_that_was_answered(store: SqliteStore, path: str, after: int) -> None:
    store.close()
    with start(WRITER, path) as writer:
        assert writer.stdout
        answered = [next(writer.stdout).strip() for _ in range(after + 1)]
        writer.send_signal(signal.SIGKILL)
        answered += [line.strip() for line in writer.stdout]

    again = SqliteStore.open(path)

    again.check()
    notes = [event.message.strip("x") for event in again.events_after(0) if event.kind == "note"]
    assert notes[: len(answered)] == answered
    assert len(notes) <= len(answered) + 1  # one may have been committed and not yet told
    (left_open,) = again.open_attempts()
    again.close_attempt(left_open, closing("interrupted", 99, retried=True))
    assert open_attempt(again).number == 2
    again.close()


def test_a_reader_beside_a_dead_writer_sees_everything_and_touches_nothing(store: SqliteStore, path: str) -> None:
    store.close()
    with start(WRITER, path) as writer:
        assert writer.stdout
        [next(writer.stdout) for _ in range(5)]
        writer.kill()
        answered = 5 + len(list(writer.stdout))
    before = listing(path)

    with closed(SqliteStore.open(path, read_only=True)) as reader:
        events = reader.events_after(0)

    assert len(events) >= answered + 1
    assert listing(path) == before


def test_what_another_process_wrote_is_recorded(store: SqliteStore, path: str) -> None:
    assert store.recorded(API).forced is False

    run(FORCER, path)

    assert store.recorded(API).forced is True
    assert [asked.id for asked in store.pending_requests()] == ["r1"]


def test_what_another_process_arranged_is_recorded_of_every_target_it_covers(store: SqliteStore, path: str) -> None:
    deploy(store)
    assert not store.recorded(API).suspensions
    assert not store.recorded(OTHER).suspensions

    run(SUSPENDER, path)

    assert store.recorded(API).suspensions == store.recorded(OTHER).suspensions == (suspension("*/*"),)
    assert (store.recorded(API).override, store.recorded(OTHER).override) == (pin(), None)


def test_reading_a_store_at_rest_leaves_no_trace(store: SqliteStore, path: str) -> None:
    deploy(store)
    store.close()
    before = listing(path)

    with closed(SqliteStore.open(path, read_only=True)) as reader:
        assert len(reader.history_rows()) == 1
        assert reader.recorded(API).attempted

    assert listing(path) == before
    assert list(before) == ["server.state"]


def test_reading_beside_a_daemon_leaves_no_trace_and_is_fresh(store: SqliteStore, path: str) -> None:
    deploy(store)
    before = listing(path)
    with closed(SqliteStore.open(path, read_only=True)) as reader:
        assert len(reader.history_rows()) == 1
        assert listing(path) == before

        deploy(store, B, 20)

        assert len(reader.history_rows()) == 2


def test_a_reader_sees_a_daemon_that_starts_and_stops_after_it(store: SqliteStore, path: str) -> None:
    store.close()
    with closed(SqliteStore.open(path, read_only=True)) as reader:
        assert reader.recorded(API).attempted is None

        daemon = SqliteStore.open(path)
        deploy(daemon)
        assert reader.recorded(API).attempted
        daemon.close()

        with closed(SqliteStore.open(path)) as another:
            deploy(another, B, 20)
        assert reader.recorded(API).attempted == B


def test_a_read_only_file_can_be_read_and_refuses_to_be_written(store: SqliteStore, path: str) -> None:
    deploy(store)
    store.close()
    with closed(SqliteStore.open(path, read_only=True)) as reader:
        with pytest.raises(Exception, match="reading only"):
            reader.force(API, "ada", at(0))
        assert len(reader.history_rows()) == 1


def test_a_hand_made_copy_without_its_index_is_read_whole(store: SqliteStore, path: str, tmp_path: Path) -> None:
    deploy(store)
    shutil.copy(path, tmp_path / "copy")
    shutil.copy(f"{path}-wal", tmp_path / "copy-wal")

    with closed(SqliteStore.open(tmp_path / "copy", read_only=True)) as reader:
        assert len(reader.history_rows()) == 1


@pytest.mark.slow
def test_two_processes_create_one_store(path: str) -> None:
    racers = [start(OPENER, path) for _ in range(4)]
    assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * 4

    [racer.communicate("go\n", timeout=60) for racer in racers]

    with closed(SqliteStore.open(path)) as store:
        assert len(store.history_rows()) == 1
    assert sorted(os.listdir(os.path.dirname(path))) == ["server.state"]


def test_a_draft_of_a_dead_creator_does_not_matter(path: str) -> None:
    Path(f"{path}.new-1").write_bytes(b"half")

    migrate.create(path, migrate.shipped())

    with closed(SqliteStore.open(path)) as store:
        assert store.history_rows() == []
