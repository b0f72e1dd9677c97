"""Figures over deployments: statistics by window, what something usually takes, what was last healthy."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection
from statistics import median

from ..model.errors import StoreError
from ..model.names import TargetId
from ..model.plan import ACTION_KINDS, ActionKind
from ..model.records import STATS_WINDOWS
from .views import Rows, data, names

STATS_OF_ALL = 'SELECT data FROM v_deployment_stats WHERE "window" = ?1 ORDER BY identifier'
STATS_OF_SOME = """
SELECT data FROM v_deployment_stats
WHERE "window" = ?1 AND identifier IN (SELECT value FROM json_each(?2)) ORDER BY identifier"""


def stats_rows(connection: sqlite3.Connection, identifiers: Collection[str] | None, window: str) -> Rows:
    if window not in STATS_WINDOWS:
        raise StoreError(
            f"there are no statistics of {window}", code="unknown_window", hint=f"one of: {', '.join(STATS_WINDOWS)}"
        )
    if identifiers is None:
        return data(connection.execute(STATS_OF_ALL, (window,)))
    return data(connection.execute(STATS_OF_SOME, (window, names(identifiers))))


USUAL = 5
"""How many of the last that converged say what something takes."""

DURATIONS = """
SELECT d.identifier, d.action, d.busy_ms / 1000.0 AS seconds
FROM json_each(?1) names CROSS JOIN json_each(?2) actions
CROSS JOIN tv_deployments d ON d.pk_deployment IN (
    SELECT pk_deployment FROM tv_deployments
    WHERE identifier = names.value AND action = actions.value AND status = 'converged'
    ORDER BY pk_deployment DESC LIMIT ?3)"""


def typical_durations(
    connection: sqlite3.Connection, identifiers: Collection[str]
) -> dict[str, dict[ActionKind, float]]:
    """Time at work, waits between attempts left out."""
    taken: dict[str, dict[ActionKind, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in connection.execute(DURATIONS, (names(identifiers), names(ACTION_KINDS), USUAL)):
        taken[row["identifier"]][row["action"]].append(row["seconds"])
    return {name: {action: median(times) for action, times in of.items()} for name, of in taken.items()}


# What a deployment that was rolled back declared was proven of nothing: it is passed over. What was removed is
# declared by nothing.
DECLARED = """
SELECT w.plan ->> '$.declared' AS declared FROM tb_deployment_events e
JOIN tv_deployments d ON d.pk_deployment = e.fk_deployment AND d.status = 'converged'
JOIN tb_deployments w ON w.pk_deployment = e.fk_deployment
WHERE e.identifier = ?1 AND e.kind = 'proven_healthy'
    AND e.kind NOT IN ('step_started', 'step_finished', 'step_failed', 'note', 'request_taken', 'request_answered')
    AND EXISTS (SELECT 1 FROM tv_healthy WHERE identifier = ?1)
ORDER BY e.at DESC, e.pk_deployment_event DESC LIMIT 1"""


def declared_when_healthy(connection: sqlite3.Connection, target: TargetId) -> str | None:
    row = connection.execute(DECLARED, (str(target),)).fetchone()
    declared: str | None = row and row["declared"]
    return declared
