"""Rows of views as the objects in their column `data`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .values import from_json

Rows = list[Mapping[str, Any]]


def data(rows: Iterable[sqlite3.Row]) -> Rows:
    return [from_json(row["data"]) for row in rows]


def names(identifiers: Collection[str]) -> str:
    """For `json_each`: one statement for any number of names."""
    return json.dumps(sorted(set(identifiers)))
