"""Files that are missing, broken, foreign, full or shared: what people are told."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing as closed
from pathlib import Path

import pytest

from fraisier.model.errors import StoreError
from fraisier.model.state import Recorded
from fraisier.store import EmptyStore, SqliteStore, open_store
from tests.support.stores import API, A, at, deploy, open_attempt, request, status


def refusal_of(path: object, **options: bool) -> StoreError:
    with pytest.raises(StoreError) as refusal:
        SqliteStore.open(str(path), **options)
    return refusal.value


def test_a_missing_store_reads_as_empty(path: str) -> None:
    store = open_store(path, "read")

    assert store.recorded(API) == Recorded()
    assert store.recorded_all() == {}
    assert (store.status_rows(), store.history_rows(["a/b"]), store.events_after(0)) == ([], [], [])
    assert (store.heads("x"), store.pending_requests(), store.last_event_pk()) == ({}, [], 0)
    store.close()
    assert os.listdir(os.path.dirname(path)) == []


@pytest.mark.parametrize("mode", ["read", "write"])
def test_a_missing_store_is_not_made_by_writing_to_it(path: str, mode: object) -> None:
    store = open_store(path, mode)  # type: ignore[arg-type]

    with pytest.raises(StoreError) as refusal:
        store.add_request(request())

    assert isinstance(store, EmptyStore)
    assert refusal.value.code == "store_missing"
    assert os.listdir(os.path.dirname(path)) == []


def test_a_store_is_made_when_asked(path: str) -> None:
    with closed(open_store(path, "create")) as store:
        store.add_request(request())

    with closed(open_store(path, "read")) as again:
        assert len(again.pending_requests()) == 1


def test_a_header_of_garbage_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not a database at all" * 400)

    for_writing, for_reading = refusal_of(tmp_path / "x"), refusal_of(tmp_path / "x", read_only=True)

    assert (for_writing.code, for_reading.code) == ("store_corrupt", "store_corrupt")
    assert "Restore" in for_writing.hint


def test_a_page_of_garbage_is_corrupt(store: SqliteStore, path: str) -> None:
    [deploy(store, f"{n:040x}", n) for n in range(30)]
    store.close()
    size = os.stat(path).st_size
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 8192))

    assert refusal_of(path).code == "store_corrupt"


def test_corruption_met_later_is_told_as_such(store: SqliteStore, path: str) -> None:
    [deploy(store, f"{n:040x}", n) for n in range(30)]
    store.close()
    with open(path, "r+b") as file:
        root = closed(sqlite3.connect(path))
        with root as connection:
            page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tv_deployments'").fetchone()[0]
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)

    with closed(SqliteStore.open(path, read_only=True)) as broken, pytest.raises(StoreError) as refusal:
        broken.history_rows()

    assert refusal.value.code == "store_corrupt"


def test_check_reads_the_whole_file(store: SqliteStore) -> None:
    deploy(store)

    store.check()


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with closed(sqlite3.connect(tmp_path / "x")) as connection:
        connection.execute("CREATE TABLE theirs (a)")

    assert refusal_of(tmp_path / "x").code == "store_foreign"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    refusal = refusal_of(tmp_path / "no" / "x", create=True)

    assert refusal.code == "store_unreadable"
    assert str(tmp_path / "no" / "x") in str(refusal)


def test_a_folder_is_not_a_store(tmp_path: Path) -> None:
    assert refusal_of(tmp_path).code == "store_unreadable"


def test_a_full_disk_loses_nothing_that_was_recorded(store: SqliteStore) -> None:
    attempt = open_attempt(store)
    limit = "PRAGMA max_page_count = 1"  # SQLite takes the present size: the next page does not fit
    store._write.run(lambda connection: connection.execute(limit).fetchall())

    with pytest.raises(StoreError) as refusal:
        store.note(attempt, "x" * 100_000, at(1))

    assert refusal.value.code == "disk_full"
    store._write.run(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchall())
    store.note(attempt, "space again", at(2))
    assert [event.message for event in store.events_after(0)][1:] == ["space again"]


def test_a_closed_store_says_so(store: SqliteStore) -> None:
    store.close()
    store.close()

    with pytest.raises(StoreError, match="is closed"):
        store.force(API, "ada", at(0))
    with pytest.raises(StoreError, match="is closed"):
        store.history_rows()


# --- the writer ------------------------------------------------------------------------------


def test_one_failure_in_a_group_takes_nothing_of_the_others_back(store: SqliteStore) -> None:
    ready, results = threading.Event(), {}

    def hold(connection: sqlite3.Connection) -> None:
        ready.wait(10)  # meanwhile the others queue up behind, for one commit together

    def ask(name: str) -> None:
        try:
            store.add_request(request(name))
            results[name] = "kept"
        except StoreError as error:
            results[name] = error.code

    threads = [threading.Thread(target=lambda: store._write.run(hold))]
    threads += [threading.Thread(target=ask, args=(name,)) for name in ("a", "b", "c")]
    [thread.start() for thread in threads]
    rival = threading.Thread(target=ask, args=("a",))
    rival.start()
    ready.set()
    [thread.join() for thread in [*threads, rival]]

    assert {results["b"], results["c"]} == {"kept"}
    assert sorted(asked.id for asked in store.pending_requests()) == ["a", "b", "c"]


def test_what_a_closure_raises_comes_out_and_nothing_of_it_stays(store: SqliteStore) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO tv_heads VALUES ('r', 'refs/heads/main', 'main', 'a', 'now')")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        store._write.run(fail)

    assert store.heads("r") == {}


def test_many_threads_write_and_read_at_once(store: SqliteStore) -> None:
    attempt = open_attempt(store)
    seen: list[int] = []

    def work(number: int) -> None:
        for turn in range(20):
            store.note(attempt, f"{number}.{turn}", at(turn))
            seen.append(len(store.events_after(0)))
            assert store.recorded(API).attempted == A

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    messages = [event.message for event in store.events_after(0) if event.kind == "note"]
    assert sorted(messages) == sorted(f"{number}.{turn}" for number in range(8) for turn in range(20))
    assert len(seen) == 160


def test_own_writes_are_read_at_once(store: SqliteStore) -> None:
    store.save_status([status()], at(0))
    assert store.recorded(API).forced is False

    store.force(API, "ada", at(0))

    assert store.recorded(API).forced is True
