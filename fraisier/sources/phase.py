"""When the next poll is due: a phase that is stable for a machine, and a little jitter."""

from __future__ import annotations

import hashlib
from datetime import timedelta

SPREAD = 0.1
"""Each wait is shortened or lengthened by up to this share."""


def first_wait(server: str, interval: timedelta) -> float:
    """Seconds to wait after the first, immediate poll, so that the servers of a fleet spread over the interval."""
    digest = hashlib.sha256(server.encode()).digest()
    return interval.total_seconds() * int.from_bytes(digest[:4], "big") / 2**32


def next_wait(interval: timedelta, jitter: float) -> float:
    """Seconds until the next poll; `jitter` is a random number in [0, 1)."""
    return interval.total_seconds() * (1 + SPREAD * (2 * jitter - 1))
