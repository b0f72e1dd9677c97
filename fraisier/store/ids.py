"""Names for rows."""

from __future__ import annotations

import secrets
import time
import uuid

_TARGETS = uuid.UUID("6c2f4a5e-0d0b-5f3e-9a51-3f0c6f1b7a10")


def new_id() -> str:
    """A UUIDv7 (RFC 9562, 5.7; the 12 bits after the milliseconds hold their fraction, method 3 of 6.2).

    Time-ordered rather than random, so that the unique indexes of the log grow at their end: with a
    million rows a random id dirties another page for each row. Nothing relies on the order.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def target_id(identifier: str) -> str:
    """The same UUID for the same target, in every store and for ever."""
    return str(uuid.uuid5(_TARGETS, identifier))
