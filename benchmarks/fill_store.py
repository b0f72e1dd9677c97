"""A store with a long past, and what reading it costs beside one with a short past.

python -m benchmarks.fill_store [SHORT] [LONG]
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

from fraisier.model.names import TargetId
from fraisier.model.records import Status
from fraisier.store import SqliteStore
from fraisier.store.connect import connect_writer
from fraisier.store.ids import new_id
from fraisier.store.values import moment, to_json

TARGETS = 50
START = datetime(2020, 1, 1, tzinfo=UTC)

_DEPLOYMENT = """
INSERT INTO tb_deployments (pk_deployment, id, identifier, action, ref, from_revision, to_revision, config_digest,
    "trigger", requested_by, plan, created_at)
VALUES (?, ?, ?, 'deploy', 'main', ?, ?, 'c0ffee', 'poll', 'daemon', '{"steps":[]}', ?)"""
_ATTEMPT = """
INSERT INTO tb_deployment_attempts (pk_deployment_attempt, id, identifier, fk_deployment, number, "trigger",
    requested_by, started_at, deadline_at)
VALUES (?1, ?2, ?3, ?1, 1, 'poll', 'daemon', ?4, ?5)"""
_EVENT = """
INSERT INTO tb_deployment_events (id, identifier, kind, at, fk_deployment, fk_deployment_attempt, message, data)
VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7)"""


def targets() -> list[TargetId]:
    return [TargetId(f"fraise_{n}", "production") for n in range(TARGETS)]


def fill(path: str, deployments: int) -> None:
    """Writes that many deployments, one attempt each, through the triggers of the real schema.

    The file must not exist. A tenth of the deployments fail, so that every counter moves.
    """
    SqliteStore.open(path, create=True).close()
    with closing(connect_writer(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # a file that is made for measuring may be lost
        connection.execute("PRAGMA cache_size = -200000")
        for first in range(1, deployments + 1, 10_000):
            connection.execute("BEGIN")
            for pk in range(first, min(first + 10_000, deployments + 1), TARGETS):
                _write_round(connection, range(pk, min(pk + TARGETS, deployments + 1)))
            connection.execute("COMMIT")
    with closing(SqliteStore.open(path)) as store:
        store.save_status([_status(target) for target in targets()], START)


def _write_round(connection: sqlite3.Connection, pks: range) -> None:
    """One deployment of each target in turn; none has two open at a time."""
    rows = [(pk, str(targets()[pk % TARGETS]), START + timedelta(minutes=pk)) for pk in pks]
    connection.executemany(
        _DEPLOYMENT, ((pk, new_id(), name, f"{pk - TARGETS:040x}", f"{pk:040x}", moment(at)) for pk, name, at in rows)
    )
    connection.executemany(
        _ATTEMPT, ((pk, new_id(), name, moment(at), moment(at + timedelta(minutes=10))) for pk, name, at in rows)
    )
    connection.executemany(_EVENT, (event for row in rows for event in _events(*row)))


def _events(pk: int, name: str, at: datetime) -> Iterator[tuple[object, ...]]:
    end = moment(at + timedelta(seconds=40))
    yield new_id(), name, "attempt_opened", moment(at), pk, "", '{"number":1}'
    if failed := pk % 10 == 0:
        yield new_id(), name, "step_failed", end, pk, "exit 1", "{}"
    else:
        proven = {
            "ref": "main",
            "sha": f"{pk:040x}",
            "build_digest": "b",
            "runtime_digest": "r",
            "release": f"{pk:040x}",
            "at": end,
        }
        yield new_id(), name, "proven_healthy", end, pk, "", to_json(proven)
    closed = {"outcome": "failed" if failed else "converged", "error_code": "", "retried": False}
    yield new_id(), name, "attempt_closed", end, pk, "", to_json(closed)


def _status(target: TargetId) -> Status:
    return Status(target, "api", "main", "f" * 40, "in_sync", "healthy", "in_sync", "nothing to do")


def measure(store: SqliteStore) -> dict[str, float]:
    """Median seconds of each way to read."""
    one = [str(targets()[7])]
    reads: dict[str, Callable[[], object]] = {
        "status": store.status_rows,
        "status of one": lambda: store.status_rows(one),
        "history": store.history_rows,
        "history of one": lambda: store.history_rows(one),
        "history of all by name": lambda: store.history_rows([str(t) for t in targets()]),
        "stats": store.stats_rows,
        "recorded_all": store.recorded_all,
    }
    return {name: _median(read) for name, read in reads.items()}


def _median(read: Callable[[], object], times: int = 200) -> float:
    read()
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        read()
        took.append(time.perf_counter() - begin)
    return statistics.median(took)


def main(short: int = 1_000, long: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found: list[dict[str, float]] = []
        for count in (short, long):
            path = os.path.join(folder, f"{count}.db")
            begin = time.perf_counter()
            fill(path, count)
            print(f"{count} deployments in {time.perf_counter() - begin:.1f} s, {os.stat(path).st_size / 1e6:.0f} MB")
            with closing(SqliteStore.open(path)) as store:
                found.append(measure(store))
        for name, quick in found[0].items():
            print(f"{name:24} {quick * 1e6:8.0f} us {found[1][name] * 1e6:8.0f} us  x {found[1][name] / quick:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
