"""What was live at a moment, from the log alone.

Only the few lines of the journal that can have made a difference are read, each off an index: the cost
goes with the number of targets, not with what they have been through.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from ..model.names import Scope, TargetId
from .values import from_json, moment
from .views import Rows

_TELLING = "kind NOT IN ('step_started', 'step_finished', 'step_failed', 'note', 'request_taken', 'request_answered')"
"""The words of the index `tb_deployment_events_by_kind`, without which SQLite does not use it."""

_BEGINNINGS = ("attempt_opened", "quarantined", "suspended", "pinned", "approved", "emergency", "forced")
"""Any of these gives a target a past."""

Moment = tuple[str, int]
"""When, and in which order of the journal: a clock that stood still does not mix them up."""

_NEVER: Moment = ("", 0)


class Past:
    """The journal up to `at`."""

    def __init__(self, connection: sqlite3.Connection, at: datetime) -> None:
        self._connection = connection
        self._at = moment(at)

    def rows(self, identifiers: Collection[str] | None) -> Rows:
        """By identifier; no row for a target that had no past by then."""
        wanted = self._targets() if identifiers is None else sorted(set(identifiers))
        return [self._row(TargetId.parse(name)) for name in wanted if self._began(name)]

    def _row(self, target: TargetId) -> dict[str, Any]:
        name = str(target)
        closed = self._newest(name, "attempt_closed")
        return {
            "identifier": name,
            "fraise": target.fraise,
            "environment": target.environment,
            **self._live(name),
            "deployment": self._open(name),
            "last_outcome": closed and from_json(closed["data"])["outcome"],
            "suspended": self._suspended(target),
            "quarantined": self._quarantined(name),
        }

    # -- which targets there were

    def _targets(self) -> list[str]:
        """Scopes of more than one target are none."""
        return [row["identifier"] for row in self._connection.execute(TARGETS) if "*" not in row["identifier"]]

    def _began(self, name: str) -> bool:
        return any(self._newest(name, kind) for kind in _BEGINNINGS)

    # -- what was live

    def _live(self, name: str) -> dict[str, Any]:
        """The newest proof, unless the service was stopped or removed since. `live_since`: the first of the proofs
        of the same commit in a row: a repair does not begin anything.
        """
        gone = max(self._stopped(name), _moment(self._newest(name, "removed")))
        proofs = self._down(name, "proven_healthy")
        newest = next(proofs, None)
        if newest is None or _moment(newest) < gone:
            return {"revision": None, "ref": None, "live_since": None, "healthy": False}
        proven, since = from_json(newest["data"]), newest["at"]
        for proof in proofs:
            if _moment(proof) < gone or from_json(proof["data"])["sha"] != proven["sha"]:
                break
            since = proof["at"]
        return {"revision": proven["sha"], "ref": proven["ref"], "live_since": since, "healthy": True}

    def _stopped(self, name: str) -> Moment:
        return _moment(self._connection.execute(STOPPED, (name, self._at)).fetchone())

    def _open(self, name: str) -> dict[str, Any] | None:
        """The deployment in the middle of which the moment lies."""
        opened = self._newest(name, "attempt_opened")
        row = opened and self._connection.execute(OPEN, (opened["fk_deployment_attempt"], self._at)).fetchone()
        return dict(row) if row else None

    # -- what people and failures had arranged

    def _suspended(self, target: TargetId) -> dict[str, Any] | None:
        """By the narrowest scope that covered it."""
        for scope in (Scope.of(target), Scope(target.fraise), Scope()):
            event = self._newest(str(scope), "suspended")
            if event is None or _moment(event) < self._resumed(scope):
                continue
            data = from_json(event["data"])
            if data["until"] is None or data["until"] > self._at:
                return {"by": data["by"], "reason": event["message"], "since": event["at"]}
        return None

    def _resumed(self, scope: Scope) -> Moment:
        wider = {scope, Scope(scope.fraise), Scope()}
        return max(_moment(self._newest(str(each), "resumed")) for each in wider)

    def _quarantined(self, name: str) -> list[str]:
        """Commits that were kept out, the newest first."""
        lifted = [(_moment(event), from_json(event["data"])["sha"]) for event in self._lifts(name)]
        kept: dict[str, None] = {}
        for event in self._down(name, "quarantined"):
            if any(sha is None and _moment(event) < at for at, sha in lifted):
                break
            sha = from_json(event["data"])["sha"]
            if sha is not None and not any(of == sha and _moment(event) < at for at, of in lifted):
                kept[sha] = None
        return list(kept)

    def _lifts(self, name: str) -> Iterator[sqlite3.Row]:
        """As far back as the last one of everything."""
        for event in self._down(name, "lifted"):
            yield event
            if from_json(event["data"])["sha"] is None:
                return

    # -- reading

    def _newest(self, name: str, kind: str) -> sqlite3.Row | None:
        return next(self._down(name, kind), None)

    def _down(self, name: str, kind: str) -> Iterator[sqlite3.Row]:
        """Newest first, read as far as anybody asks."""
        return iter(self._connection.execute(OF_KIND, (name, kind, self._at)))


def _moment(event: sqlite3.Row | None) -> Moment:
    return _NEVER if event is None else (event["at"], event["pk_deployment_event"])


OF_KIND = f"""
SELECT pk_deployment_event, at, message, data, fk_deployment_attempt FROM tb_deployment_events
WHERE identifier = ? AND kind = ? AND {_TELLING} AND at <= ?
ORDER BY at DESC, pk_deployment_event DESC"""  # noqa: S608 - words of our own

STOPPED = """
SELECT pk_deployment_event, at FROM tb_deployment_events
WHERE kind = 'step_finished' AND step = 'stop' AND identifier = ? AND at <= ?
ORDER BY at DESC, pk_deployment_event DESC LIMIT 1"""

# From name to name along the index, whatever lies in between.
TARGETS = f"""
WITH RECURSIVE found (identifier) AS (
    SELECT min(identifier) FROM tb_deployment_events WHERE {_TELLING}
    UNION ALL
    SELECT (SELECT min(identifier) FROM tb_deployment_events WHERE {_TELLING} AND identifier > found.identifier)
    FROM found WHERE found.identifier IS NOT NULL)
SELECT identifier FROM found WHERE identifier IS NOT NULL"""  # noqa: S608 - words of our own

OPEN = """
SELECT d.id, d.action, d.to_revision, d.created_at AS started_at
FROM tb_deployment_attempts a JOIN tb_deployments d ON d.pk_deployment = a.fk_deployment
WHERE a.pk_deployment_attempt = ?1 AND NOT EXISTS (
    SELECT 1 FROM tb_deployment_events
    WHERE kind = 'attempt_closed' AND fk_deployment_attempt = ?1 AND at <= ?2)"""
