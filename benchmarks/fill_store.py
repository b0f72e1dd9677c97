"""A store with a long past, and what reading it costs beside one with a short past.

python -m benchmarks.fill_store [SHORT] [LONG]
"""

from __future__ import annotations

import hashlib
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
from fraisier.model.records import HistoryFilter, Status
from fraisier.store import SqliteStore
from fraisier.store.connect import connect_writer
from fraisier.store.ids import new_id
from fraisier.store.values import moment, to_json

TARGETS = 50
SPAN = timedelta(days=700)
"""Over which every store spreads its deployments, up to now: windows of time then hold the same share of each."""
NOW = datetime.now(UTC)

_DEPLOYMENT = """
INSERT INTO tb_deployments (pk_deployment, id, identifier, action, ref, from_revision, to_revision, config_digest,
    "trigger", requested_by, plan, created_at)
VALUES (?, ?, ?, ?, 'main', ?, ?, 'c0ffee', 'poll', 'daemon', '{"steps":[]}', ?)"""
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

    The file must not exist. A tenth of the deployments fail, and another tenth are repairs, so that every
    counter moves.
    """
    begin, step = NOW - SPAN, SPAN / deployments
    SqliteStore.open(path, create=True).close()
    with closing(connect_writer(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # a file that is made for measuring may be lost
        connection.execute("PRAGMA cache_size = -200000")
        for first in range(1, deployments + 1, 10_000):
            connection.execute("BEGIN")
            for pk in range(first, min(first + 10_000, deployments + 1), TARGETS):
                _write_round(connection, [(n, begin + n * step) for n in range(pk, min(pk + TARGETS, deployments + 1))])
            connection.execute("COMMIT")
    with closing(SqliteStore.open(path)) as store:
        store.save_status([_status(target) for target in targets()], NOW)


def _write_round(connection: sqlite3.Connection, due: list[tuple[int, datetime]]) -> None:
    """One deployment of each target in turn; none has two open at a time."""
    rows = [(pk, str(targets()[pk % TARGETS]), at) for pk, at in due]
    connection.executemany(
        _DEPLOYMENT,
        ((pk, new_id(), name, _action(pk), sha(pk - TARGETS), sha(pk), moment(at)) for pk, name, at in rows),
    )
    connection.executemany(
        _ATTEMPT, ((pk, new_id(), name, moment(at), moment(at + timedelta(minutes=10))) for pk, name, at in rows)
    )
    connection.executemany(_EVENT, (event for row in rows for event in _events(*row)))


def sha(pk: int) -> str:
    """Of the commit that a deployment brings."""
    return hashlib.sha1(str(pk).encode(), usedforsecurity=False).hexdigest()


def _action(pk: int) -> str:
    return "repair" if pk // TARGETS % 10 == 5 else "deploy"


def _events(pk: int, name: str, at: datetime) -> Iterator[tuple[object, ...]]:
    end = moment(at + timedelta(seconds=40))
    yield new_id(), name, "attempt_opened", moment(at), pk, "", '{"number":1}'
    if failed := pk // TARGETS % 10 == 3:
        yield new_id(), name, "step_failed", end, pk, "exit 1", "{}"
    else:
        proven = {
            "ref": "main",
            "sha": sha(pk),
            "build_digest": "b",
            "runtime_digest": "r",
            "release": sha(pk),
            "at": end,
            "is_chosen": False,
            "committed_at": moment(at - timedelta(minutes=5)),
        }
        yield new_id(), name, "proven_healthy", end, pk, "", to_json(proven)
    closed = {"outcome": "failed" if failed else "converged", "error_code": "", "retried": False}
    yield new_id(), name, "attempt_closed", end, pk, "", to_json(closed)


def _status(target: TargetId) -> Status:
    return Status(target, "api", "main", "f" * 40, "in_sync", "healthy", "in_sync", "nothing to do")


def measure(store: SqliteStore) -> dict[str, float]:
    """Median seconds of each way to read."""
    one, all_names = [str(targets()[7])], [str(t) for t in targets()]
    failed, repaired = HistoryFilter(outcomes=frozenset({"failed"})), HistoryFilter(actions=frozenset({"repair"}))
    never = HistoryFilter(outcomes=frozenset({"superseded"}))
    month = NOW - timedelta(days=30)
    commit = store.history_rows(one)[0]["to_revision"]
    reads: dict[str, Callable[[], object]] = {
        "status": store.status_rows,
        "status of one": lambda: store.status_rows(one),
        "status --at": lambda: store.status_at(month),
        "status --at of one": lambda: store.status_at(month, one),
        "history": store.history_rows,
        "history of one": lambda: store.history_rows(one),
        "history of all by name": lambda: store.history_rows(all_names),
        "history of failures": lambda: store.history_rows(filter=failed),
        "history of failures of one": lambda: store.history_rows(one, limit=2, filter=failed),  # as many as are in both
        "history of repairs": lambda: store.history_rows(filter=repaired),
        "history of what never was": lambda: store.history_rows(filter=never),
        "history of what never was, of one": lambda: store.history_rows(one, filter=never),
        "history until a month ago": lambda: store.history_rows(filter=HistoryFilter(until=month)),
        "history of a commit": lambda: store.history_rows(filter=HistoryFilter(revision=commit[:12])),
        "stats of all time": lambda: store.stats_rows(window="all"),
        "stats of 30 days": lambda: store.stats_rows(window="30d"),
        "stats of 24 hours": lambda: store.stats_rows(window="24h"),
        "durations": lambda: store.typical_durations(all_names),
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
            print(f"{name:34} {quick * 1e6:8.0f} us {found[1][name] * 1e6:8.0f} us  x {found[1][name] / quick:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
