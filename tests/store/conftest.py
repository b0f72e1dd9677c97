from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fraisier.store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "server.state")


@pytest.fixture
def store(path: str) -> Iterator[SqliteStore]:
    store = SqliteStore.open(path, create=True)
    yield store
    store.close()
