"""Safe mode: after several crashes in a row the daemon comes up and answers, and does nothing by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..host.crashes import CrashNotes
from ..model.names import Scope
from ..model.state import Suspension

WITHIN = timedelta(minutes=10)
BY = "fraisier (safe mode)"


def safe_mode(crashes: CrashNotes, limit: int, now: datetime) -> Suspension | None:
    """The suspension of everything that begins now; None when there were fewer crashes than `limit`.

    What is resumed starts from the beginning: it takes as many crashes again.
    """
    count = crashes.count(now, WITHIN)
    if not limit or count < limit:
        return None
    crashes.forget()
    reason = f"the daemon ended uncleanly {count} times within {WITHIN.seconds // 60} minutes"
    return Suspension(Scope(), reason, BY, now)
