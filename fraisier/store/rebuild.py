"""Making the projections anew from the log, which is the truth."""

from __future__ import annotations

import sqlite3

# Children of other rows come last: `tv_deployment_days` follows from changes of `tv_deployments`.
DERIVED = (
    "tv_open_attempts",
    "tv_targets",
    "tv_deployments",
    "tv_deployment_days",
    "tv_healthy",
    "tv_quarantine",
    "tv_back_off",
    "tv_gates",
    "tv_rewinds",
    "tv_forced",
    "tv_suspensions",
    "tv_overrides",
    "tv_approvals",
    "tv_emergencies",
    "tv_repairs",
    "tv_inventory",
    "tv_requests",
)
"""Every projection that follows from the log; `tv_fraise_status` and `tv_heads` are observations."""

_REPLAY = (
    """
    INSERT INTO tv_requests (pk_request, id, identifier, state, message, changed_at)
    SELECT pk_request, id, identifier, 'pending', '', requested_at FROM tb_requests""",
    "INSERT INTO projector SELECT * FROM projector ORDER BY pk_deployment_event",
    """
    INSERT INTO tv_open_attempts (identifier, fk_deployment_attempt)
    SELECT a.identifier, a.pk_deployment_attempt FROM tb_deployment_attempts a
    WHERE NOT EXISTS (
        SELECT 1 FROM tb_deployment_events e
        WHERE e.fk_deployment_attempt = a.pk_deployment_attempt AND e.kind = 'attempt_closed')""",
)


def rebuild(connection: sqlite3.Connection) -> None:
    """Inside one transaction: readers see the old projections or the new ones."""
    for table in DERIVED:
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
    for statement in _REPLAY:
        connection.execute(statement)
