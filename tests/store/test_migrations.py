"""From nothing to the schema of this program, and from one schema to the next."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing as closed
from pathlib import Path

import pytest

from fraisier.model.errors import StoreError
from fraisier.store import SqliteStore, migrate
from fraisier.store.migrate import Migration
from tests.support.stores import deploy

NEXT = len(migrate.shipped()) + 1


def following(sql: str) -> tuple[Migration, ...]:
    return (*migrate.shipped(), Migration(NEXT, f"{NEXT:04d}_next", sql))


def schema(path: str) -> dict[str, str]:
    with closed(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_the_schema_is_the_sum_of_the_migrations(store: SqliteStore, path: str) -> None:
    with closed(sqlite3.connect(":memory:")) as connection:
        [connection.executescript(migration.sql) for migration in migrate.shipped()]
        expected = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))

    made = schema(path)

    assert made.pop("schema_migrations").startswith("CREATE TABLE")
    assert made == expected


def test_every_table_and_view_is_documented(store: SqliteStore, path: str) -> None:
    text = Path("docs/store.md").read_text("utf-8")

    with closed(sqlite3.connect(path)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name <> 'projector'"
        )
        assert [name for (name,) in names if f"`{name}`" not in text and not name.startswith("sqlite_")] == []


def test_every_key_of_a_view_is_documented(store: SqliteStore) -> None:
    text = Path("docs/store.md").read_text("utf-8")
    views = migrate.shipped()[2].sql
    keys = {line.strip().split("'")[1] for line in views.splitlines() if line.strip().startswith("'")}

    assert len(keys) > 40
    assert sorted(key for key in keys if f"`{key}`" not in text) == []


def test_what_was_applied_is_recorded_with_its_checksum(store: SqliteStore, path: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT version, name, checksum FROM schema_migrations").fetchall()

    assert rows == [(m.version, m.name, m.checksum) for m in migrate.shipped()]


def test_a_new_store_is_durable_and_for_its_group_only(store: SqliteStore, path: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert sorted(os.listdir(os.path.dirname(path))) == ["server.state", "server.state-shm", "server.state-wal"]


def test_a_migration_keeps_the_data_and_a_copy_of_it_from_before(store: SqliteStore, path: str) -> None:
    deploy(store)
    store.close()

    migrate.upgrade(path, following("CREATE TABLE tv_next (a TEXT) STRICT;"))

    copy = f"{path}.before-{NEXT:04d}"
    assert "tv_next" in schema(path)
    assert "tv_next" not in schema(copy)
    with closed(SqliteStore.open(copy)) as before:
        assert len(before.history_rows()) == 1
    assert os.path.exists(f"{copy}.partial") is False


def test_a_migration_that_fails_changes_nothing(store: SqliteStore, path: str) -> None:
    deploy(store)
    store.close()
    before = schema(path)

    with pytest.raises(sqlite3.OperationalError):
        migrate.upgrade(path, following("CREATE TABLE tv_next (a TEXT) STRICT;\nINSERT INTO nowhere VALUES (1);\n"))

    assert schema(path) == before
    with closed(SqliteStore.open(path)) as again:
        assert len(again.history_rows()) == 1


def test_a_migration_runs_once(store: SqliteStore, path: str) -> None:
    store.close()
    migrate.upgrade(path, following("CREATE TABLE tv_next (a TEXT) STRICT;"))

    migrate.upgrade(path, following("CREATE TABLE tv_next (a TEXT) STRICT;"))

    with closed(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (NEXT,)


def test_a_migration_that_breaks_a_reference_is_refused(store: SqliteStore, path: str) -> None:
    deploy(store)
    store.close()
    sql = "DROP TRIGGER tb_deployments_no_delete;\nDELETE FROM tb_deployments;\n"

    with pytest.raises(StoreError) as refusal:
        migrate.upgrade(path, following(sql))

    assert refusal.value.code == "store_migration"


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_store_is_refused(store: SqliteStore, path: str, read_only: bool) -> None:
    store.close()
    migrate.upgrade(path, following("CREATE TABLE tv_next (a TEXT) STRICT;"))

    with pytest.raises(StoreError) as refusal:
        SqliteStore.open(path, read_only=read_only)

    assert refusal.value.code == "store_newer"
    assert f"before-{NEXT:04d}" in refusal.value.hint


def test_reading_does_not_upgrade(path: str) -> None:
    migrate.create(path, migrate.shipped()[:2])

    with pytest.raises(StoreError) as refusal:
        SqliteStore.open(path, read_only=True)

    assert refusal.value.code == "store_older"
    with closed(SqliteStore.open(path)) as upgraded:
        assert upgraded.status_rows() == []


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_no_store_is_made_where_the_log_of_a_lost_one_would_be_replayed_into_it(path: str, suffix: str) -> None:
    Path(path + suffix).write_bytes(b"old")

    with pytest.raises(StoreError, match="is missing, but") as refusal:
        SqliteStore.open(path, create=True)

    assert refusal.value.code == "store_corrupt"
    assert "move these aside" in refusal.value.hint
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path) + suffix]


def test_what_a_creation_that_was_cut_off_left_stands_in_no_way_and_goes(path: str) -> None:
    for name in (f"new-{os.getpid()}", f"new-{os.getpid()}-wal", "new-0a1b2c3d", "new-by-hand"):
        Path(f"{path}.{name}").write_bytes(b"half")

    SqliteStore.open(path, create=True).close()

    assert {name.partition(".new-")[2] for name in os.listdir(os.path.dirname(path))} == {"", "by-hand"}


def test_creating_leaves_a_store_that_is_already_there(store: SqliteStore, path: str) -> None:
    deploy(store)

    migrate.create(path, migrate.shipped())

    assert len(store.history_rows()) == 1
