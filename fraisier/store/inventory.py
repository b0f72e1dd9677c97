"""What Fraisier has made on this server: one entry per target, changed by attempts, ended by a removal."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from ..model.names import TargetId
from ..model.state import InventoryEntry
from .values import parse_moment


def document(entry: InventoryEntry) -> dict[str, Any]:
    """`data` of an `inventoried` event."""
    return {
        "type": entry.type,
        "app_path": entry.app_path,
        "unit": entry.unit,
        "runtime_digest": entry.runtime_digest,
        "depends_on": [str(other) for other in entry.depends_on],
    }


def is_news(connection: sqlite3.Connection, entry: InventoryEntry) -> bool:
    """Whether anything but the moment differs from what is kept."""
    row = connection.execute("SELECT * FROM tv_inventory WHERE identifier = ?", (str(entry.id),)).fetchone()
    return row is None or document(_entry(row)) != document(entry)


def load(connection: sqlite3.Connection) -> list[InventoryEntry]:
    return [_entry(row) for row in connection.execute("SELECT * FROM tv_inventory ORDER BY identifier")]


def _entry(row: sqlite3.Row) -> InventoryEntry:
    return InventoryEntry(
        id=TargetId.parse(row["identifier"]),
        type=row["type"],
        app_path=row["app_path"],
        unit=row["unit"],
        runtime_digest=row["runtime_digest"],
        depends_on=tuple(TargetId.parse(name) for name in json.loads(row["depends_on"])),
        at=parse_moment(row["at"]),
    )
