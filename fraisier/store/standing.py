"""Standing facts about a target that are not part of one attempt: quarantine, lift, rewind, force."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from ..model.names import TargetId, short
from ..model.records import Attempt
from ..model.state import Quarantine
from .journal import Entry, write


def quarantine(connection: sqlite3.Connection, target: TargetId, entry: Quarantine, attempt: Attempt | None) -> None:
    data = {"sha": entry.sha, "config_digest": entry.config_digest, "fault": entry.fault}
    write(connection, Entry("quarantined", target, entry.at, attempt, message=entry.message, data=data))


_LIFTED = """
SELECT
    ?2 IS NULL AND EXISTS (SELECT 1 FROM tv_repairs WHERE identifier = ?1) AS repaired,
    (SELECT count(*) FROM tv_quarantine WHERE identifier = ?1 AND (?2 IS NULL OR sha IS NULL OR sha = ?2))
        + (SELECT count(*) FROM tv_back_off WHERE identifier = ?1 AND (?2 IS NULL OR sha = ?2)) AS lifted"""


def lift(connection: sqlite3.Connection, target: TargetId, by: str, at: datetime, sha: str | None) -> int:
    """Writes nothing when there is nothing to lift. The repairs so far are forgotten with it; they are not counted,
    since most keep nothing from running, and alone are reason enough to lift everything.
    """
    repaired, count = connection.execute(_LIFTED, (str(target), sha)).fetchone()
    if count or repaired:
        what = f"{short(sha)} may be tried again" if sha else "every revision may be tried again"
        write(connection, Entry("lifted", target, at, message=what, data={"sha": sha, "by": by, "count": count}))
    return int(count)


def accept_rewind(connection: sqlite3.Connection, target: TargetId, sha: str, by: str, at: datetime) -> None:
    message = f"the rewind to {short(sha)} was accepted by {by}"
    write(connection, Entry("rewind_accepted", target, at, message=message, data={"sha": sha, "by": by}))


def force(connection: sqlite3.Connection, target: TargetId, by: str, at: datetime) -> None:
    write(connection, Entry("forced", target, at, message=f"all steps were asked for by {by}", data={"by": by}))
