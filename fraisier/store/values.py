"""Values as columns and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def moment(at: datetime) -> str:
    """ISO 8601 in UTC with microseconds and `Z`: sorts as text. Raises `ValueError` for naive times (law 19)."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def optional_moment(at: datetime | None) -> str | None:
    return None if at is None else moment(at)


def parse_moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def parse_optional_moment(text: str | None) -> datetime | None:
    return None if text is None else parse_moment(text)


def to_json(value: Mapping[str, Any]) -> str:
    return printable(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def printable(text: str) -> str:
    """What the database can hold: bytes that were no text (`os.fsdecode`) are escaped."""
    return text.encode(errors="backslashreplace").decode()


def from_json(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text)
    return value
