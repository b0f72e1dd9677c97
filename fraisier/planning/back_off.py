"""When a transient failure is tried again: exponential, jittered, stored (law 11)."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..model.state import BackOff

FIRST = timedelta(seconds=5)
LONGEST = timedelta(minutes=15)
SPREAD = 0.2
"""The wait is lengthened by up to this share, so that targets which failed together do not return together."""


def next_back_off(
    previous: BackOff | None, *, sha: str, config_digest: str, message: str, now: datetime, jitter: float
) -> BackOff:
    """The back-off after one more failure; `jitter` is a random number in [0, 1).

    Failures of another revision or configuration do not count: a fix starts from the beginning.
    """
    same = previous is not None and (previous.sha, previous.config_digest) == (sha, config_digest)
    failures = previous.failures + 1 if same and previous is not None else 1
    wait = min(FIRST * 2 ** min(failures - 1, 20), LONGEST)
    return BackOff(sha, config_digest, failures, now + wait * (1 + SPREAD * jitter), message)
