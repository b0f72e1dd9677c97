"""Law 20: history is append-only, enforced by the database."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing as closed

import pytest

from fraisier.store import SqliteStore, migrate
from tests.support.stores import deploy, request

LOG = sorted(set(re.findall(r"CREATE TABLE (tb_\w+)", " ".join(m.sql for m in migrate.shipped()))))


@pytest.fixture
def shell(store: SqliteStore, path: str) -> Iterator[sqlite3.Connection]:
    """What an operator has in hand: the file, with a row in every table of the log."""
    store.add_request(request())
    deploy(store)
    with closed(sqlite3.connect(path)) as connection:
        yield connection


def test_every_table_of_the_log_is_known_here(shell: sqlite3.Connection) -> None:
    tables = shell.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'tb\\_%' ESCAPE '\\'")

    assert sorted(name for (name,) in tables) == LOG
    assert len(LOG) == 4


@pytest.mark.parametrize("table", LOG)
@pytest.mark.parametrize("change", ["UPDATE {} SET identifier = 'x/y'", "DELETE FROM {}"])
def test_rows_of_the_log_neither_change_nor_go(shell: sqlite3.Connection, table: str, change: str) -> None:
    assert shell.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0

    with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
        shell.execute(change.format(table))


@pytest.mark.parametrize("table", LOG)
def test_a_row_of_the_log_is_not_replaced(shell: sqlite3.Connection, table: str) -> None:
    # Without recursive_triggers, REPLACE deletes a row and fires no DELETE trigger.
    (pk,) = (row[1] for row in shell.execute(f"PRAGMA table_info({table})") if row[1].startswith("pk_"))
    before = shell.execute(f"SELECT * FROM {table}").fetchall()

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        shell.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} WHERE {pk} = 1")

    assert shell.execute(f"SELECT * FROM {table}").fetchall() == before


def test_every_table_is_strict(shell: sqlite3.Connection) -> None:
    tables = shell.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")

    assert [name for name, sql in tables if "STRICT" not in sql.rpartition(")")[2]] == []


def test_keys_follow_the_convention(shell: sqlite3.Connection) -> None:
    columns = {table: [row[1] for row in shell.execute(f"PRAGMA table_info({table})")][:3] for table in LOG}

    assert columns == {table: [f"pk_{table.removeprefix('tb_').rstrip('s')}", "id", "identifier"] for table in LOG}
