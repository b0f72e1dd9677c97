"""From nothing to the schema of this program, and from one schema to the next."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing as closed
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fraisier.model.errors import StoreError
from fraisier.store import SqliteStore, migrate
from fraisier.store.migrate import Migration
from fraisier.store.rebuild import DERIVED
from tests.support.stores import API, at, deploy, quarantine, status

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


def test_every_key_that_is_shown_is_documented(store: SqliteStore) -> None:
    text = Path("docs/store.md").read_text("utf-8")
    deploy(store)
    store.quarantine(API, quarantine())
    store.save_status([status()], at(0))

    shown = [*store.status_rows(), *store.history_rows(), *store.stats_rows(), *store.quarantine_rows()]
    keys = {key for row in [*shown, *store.status_at(at(20))] for key in row}

    assert len(keys) > 50
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


AN_OLDER_LIFE = """
INSERT INTO tb_requests (id, identifier, kind, requested_by, requested_at, payload)
VALUES ('r1', 'my_api/production', 'deploy', 'ada', '2026-01-01T11:59:00.000000Z', '{"force":true}'),
    ('r2', 'my_api/production', 'retry', 'ada', '2026-01-01T12:30:00.000000Z', '{}');
INSERT INTO tb_deployments (id, identifier, fk_request, action, ref, from_revision, to_revision, config_digest,
    "trigger", requested_by, plan, created_at)
VALUES ('d1', 'my_api/production', 1, 'deploy', 'main', NULL, 'aaa', 'c1', 'request', 'ada', '{}',
        '2026-01-01T12:00:00.000000Z'),
    ('d2', 'my_api/production', NULL, 'deploy', 'main', 'aaa', 'bbb', 'c1', 'poll', 'daemon', '{}',
        '2026-01-02T12:00:00.000000Z'),
    ('d3', 'my_api/production', NULL, 'deploy', 'main', 'aaa', 'ccc', 'c1', 'poll', 'daemon', '{}',
        '2026-01-02T13:00:00.000000Z');
INSERT INTO tb_deployment_attempts (id, identifier, fk_deployment, number, "trigger", requested_by, started_at,
    deadline_at)
VALUES ('a1', 'my_api/production', 1, 1, 'request', 'ada', '2026-01-01T12:00:00.000000Z',
        '2026-01-01T12:10:00.000000Z');
INSERT INTO tb_deployment_events (id, identifier, kind, at, fk_deployment, fk_deployment_attempt, fk_request, message,
    data)
VALUES ('e0', 'my_api/production', 'request_taken', '2026-01-01T12:00:00.000000Z', NULL, NULL, 1, '', '{}'),
    ('e1', 'my_api/production', 'attempt_opened', '2026-01-01T12:00:00.000000Z', 1, 1, 1, '', '{"number":1}'),
    ('e2', 'my_api/production', 'proven_healthy', '2026-01-01T12:00:40.000000Z', 1, 1, NULL, 'aaa is healthy',
        '{"ref":"main","sha":"aaa","build_digest":"b","runtime_digest":"r","release":"aaa","at":"2026-01-01T12:00:40.000000Z"}'),
    ('e3', 'my_api/production', 'attempt_closed', '2026-01-01T12:00:40.000000Z', 1, 1, NULL, 'deployed',
        '{"outcome":"converged","error_code":"","retried":false}'),
    ('e4', 'my_api/production', 'request_answered', '2026-01-01T12:00:41.000000Z', NULL, NULL, 1, 'done',
        '{"state":"done"}');
INSERT INTO tb_deployment_attempts (id, identifier, fk_deployment, number, "trigger", requested_by, started_at,
    deadline_at)
VALUES ('a2', 'my_api/production', 2, 1, 'poll', 'daemon', '2026-01-02T12:00:00.000000Z',
        '2026-01-02T12:10:00.000000Z');
INSERT INTO tb_deployment_events (id, identifier, kind, at, fk_deployment, fk_deployment_attempt, message, data)
VALUES ('e5', 'my_api/production', 'attempt_opened', '2026-01-02T12:00:00.000000Z', 2, 2, '', '{"number":1}'),
    ('e6', 'my_api/production', 'quarantined', '2026-01-02T12:00:20.000000Z', 2, 2, 'exit 3',
        '{"sha":"bbb","config_digest":"c1","fault":"revision"}'),
    ('e7', 'my_api/production', 'proven_healthy', '2026-01-02T12:00:30.000000Z', 2, 2, 'aaa is healthy',
        '{"ref":"main","sha":"aaa","build_digest":"b","runtime_digest":"r","release":"aaa","at":"2026-01-02T12:00:30.000000Z"}'),
    ('e8', 'my_api/production', 'attempt_closed', '2026-01-02T12:00:30.000000Z', 2, 2, 'exit 3',
        '{"outcome":"rolled_back","error_code":"x","retried":false}');
INSERT INTO tb_deployment_attempts (id, identifier, fk_deployment, number, "trigger", requested_by, started_at,
    deadline_at)
VALUES ('a3', 'my_api/production', 3, 1, 'poll', 'daemon', '2026-01-02T13:00:00.000000Z',
        '2026-01-02T13:10:00.000000Z');
INSERT INTO tb_deployment_events (id, identifier, kind, at, fk_deployment, fk_deployment_attempt, message, data)
VALUES ('e9', 'my_api/production', 'attempt_opened', '2026-01-02T13:00:00.000000Z', 3, 3, '', '{"number":1}');
INSERT INTO tv_heads (remote, branch, sha, seen_at)
VALUES ('origin', 'main', 'ccc', '2026-01-02T12:59:59.000000Z');
INSERT INTO tv_fraise_status (identifier, id, type, ref, desired, sync, health, reason_code, reason_message, to_go_on,
    running, since, updated_at)
VALUES ('my_api/production', 's', 'api', 'main', 'ccc', 'pending', 'healthy', 'head_moved', 'main moved', '', 'aaa',
    '2026-01-02T13:00:00.000000Z', '2026-01-02T13:00:00.000000Z');
"""
"""What a program of schema 3 wrote: one success, one return, one attempt in the middle, a request that waits."""


def older(path: str) -> None:
    migrate.create(path, migrate.shipped()[:3])
    with closed(sqlite3.connect(path)) as connection:
        connection.executescript(AN_OLDER_LIFE)


LOG = ("tb_requests", "tb_deployments", "tb_deployment_attempts", "tb_deployment_events")


def rows_of(path: str, tables: tuple[str, ...]) -> dict[str, list[object]]:
    with closed(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables}


def test_a_store_of_the_schema_before_is_upgraded_with_all_that_it_knew(path: str) -> None:
    older(path)
    before = rows_of(path, LOG)

    with closed(SqliteStore.open(path)) as store:
        recorded = store.recorded(API)
        assert [(h.sha, h.is_chosen) for h in recorded.healthy] == [("aaa", False)]
        assert (recorded.attempted, [q.sha for q in recorded.quarantines]) == ("ccc", ["bbb"])
        assert [attempt.id for attempt in store.open_attempts()] == ["a3"]
        assert [asked.id for asked in store.pending_requests()] == ["r2"]
        assert store.request_state("r1") == ("done", "done")
        assert store.heads("origin")["refs/heads/main"].sha == "ccc"
        assert [row["status"] for row in store.history_rows()] == ["running", "rolled_back", "converged"]
        (status,) = store.status_rows()
        assert (status["healthy"], status["operation"], status["held_by"]) == ("aaa", "running", [])
        (stats,) = store.stats_rows(window="all")
        assert [stats[key] for key in ("deployments", "converged", "rolled_back", "running")] == [3, 1, 1, 1]
        assert stats["failing_since"] == "2026-01-02T12:00:30.000000Z"
        (then,) = store.status_at(datetime(2026, 1, 2, 13, 0, 1, tzinfo=UTC))
        assert (then["revision"], then["live_since"]) == ("aaa", "2026-01-01T12:00:40.000000Z")
        assert (then["deployment"]["id"], then["quarantined"]) == ("d3", ["bbb"])

    assert rows_of(path, LOG) == before


def test_an_upgraded_store_equals_one_that_was_rebuilt(path: str) -> None:
    older(path)
    with closed(SqliteStore.open(path)) as store:
        upgraded = rows_of(path, DERIVED)
        store.rebuild_projections()
        assert rows_of(path, DERIVED) == upgraded
    assert upgraded["tv_deployments"]


def test_the_copy_from_before_the_upgrade_is_as_it_was(path: str) -> None:
    older(path)

    SqliteStore.open(path).close()

    with closed(sqlite3.connect(f"{path}.before-0004")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        assert connection.execute("SELECT branch FROM tv_heads").fetchall() == [("main",)]
        assert connection.execute("SELECT count(*) FROM tb_deployment_events").fetchone() == (10,)


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
