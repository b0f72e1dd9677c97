"""Pages of history, newest first, whatever the filter and however long the past."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Any, get_args

from ..model.errors import StoreError
from ..model.plan import ACTION_KINDS, Outcome
from ..model.records import HistoryFilter
from .values import moment
from .views import Rows, data, names

STATUSES = ("running", *get_args(Outcome))
_LAST = 2**63 - 1

Query = tuple[str, dict[str, Any]]


def history_rows(
    connection: sqlite3.Connection,
    identifiers: Collection[str] | None,
    limit: int,
    before: str | None,
    chosen: HistoryFilter,
) -> Rows:
    """`before` is the `id` of the last deployment of the page before."""
    bounds = {
        "limit": limit,
        "before": min(_LAST if before is None else deployment_pk(connection, before), _end(connection, chosen)),
        "after": _begin(connection, chosen),
    }
    sql, values = query(identifiers, chosen)
    return data(connection.execute(sql, bounds | values))


# Note [One page of a long history]
# ---------------------------------
# A filter that is tested row by row reads everything when little fits. So the page is put together from lists
# that an index holds ready in the right order: one for each target, action and outcome that is asked for, of which
# the newest `limit` are taken. With no filter at all that is the primary key itself.
#
# The start of a deployment grows with its key as long as the clock is not set back, so moments become bounds of
# the key (`_begin`, `_end`); where it was set back, a page that is bounded by time may lack deployments of the
# stretch that the clock passed twice.

_PAGE = """
SELECT h.data FROM {lists}
v_deployment_history h WHERE h.pk_deployment IN (
    SELECT pk_deployment FROM tv_deployments {index}
    WHERE {tests} pk_deployment < :before AND pk_deployment > :after
        AND started_at >= :since AND started_at <= :until
    ORDER BY pk_deployment DESC LIMIT :limit)
ORDER BY h.pk_deployment DESC LIMIT :limit"""

_AMONG = " AND {column} IN (SELECT value FROM json_each(:{column}))"

_OF_ALL = """
SELECT data FROM v_deployment_history
WHERE pk_deployment < :before AND pk_deployment > :after AND started_at >= :since AND started_at <= :until
ORDER BY pk_deployment DESC LIMIT :limit"""


def query(identifiers: Collection[str] | None, chosen: HistoryFilter) -> Query:
    """The statement and its values, but for `limit` and the bounds. See Note [One page of a long history]."""
    values: dict[str, Any] = {
        "since": moment(chosen.since) if chosen.since else "",
        "until": moment(chosen.until) if chosen.until else "~",
    }
    lists: dict[str, Collection[str]] = {}
    if identifiers is not None:
        lists["identifier"] = identifiers
    if chosen.outcomes or chosen.actions:
        lists["action"] = chosen.actions or ACTION_KINDS
        lists["status"] = chosen.outcomes or STATUSES
    values |= {column: names(wanted) for column, wanted in lists.items()}
    if chosen.revision:
        return _of_revision(chosen.revision, lists, values)
    if not lists:
        return _OF_ALL, values
    sql = _PAGE.format(
        lists=" ".join(f"json_each(:{column}) {column}s CROSS JOIN" for column in lists),
        index="",
        tests=" ".join(f"{column} = {column}s.value AND" for column in lists),
    )
    return sql, values


def _of_revision(revision: str, lists: dict[str, Collection[str]], values: dict[str, Any]) -> Query:
    """One commit is deployed a few times: those are read, and the rest is tested."""
    others = "".join(_AMONG.format(column=column) for column in lists)
    sql = _PAGE.format(
        lists="",
        index="INDEXED BY tv_deployments_by_revision",
        tests=f"to_revision >= :revision AND to_revision < :revision || '~'{others} AND",
    )
    return sql, values | {"revision": revision}


def _begin(connection: sqlite3.Connection, chosen: HistoryFilter) -> int:
    """The newest key that is too old."""
    if chosen.since is None:
        return 0
    newest = "SELECT pk_deployment FROM tv_deployments WHERE started_at < ? ORDER BY started_at DESC LIMIT 1"
    row = connection.execute(newest, (moment(chosen.since),)).fetchone()
    return 0 if row is None else row["pk_deployment"]


def _end(connection: sqlite3.Connection, chosen: HistoryFilter) -> int:
    """The oldest key that is too new."""
    if chosen.until is None:
        return _LAST
    oldest = "SELECT pk_deployment FROM tv_deployments WHERE started_at > ? ORDER BY started_at LIMIT 1"
    row = connection.execute(oldest, (moment(chosen.until),)).fetchone()
    return _LAST if row is None else row["pk_deployment"]


def deployment_pk(connection: sqlite3.Connection, id: str) -> int:
    row = connection.execute("SELECT pk_deployment FROM tb_deployments WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise StoreError(f"there is no deployment {id}", code="unknown_deployment", hint="fraisier history lists them.")
    pk: int = row["pk_deployment"]
    return pk
