from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.bench import Bench, scratch


@pytest.fixture
def bench() -> Iterator[Bench]:
    """One target on a machine in memory with systemd, and the real store."""
    made = Bench(scratch(), kind="systemd")
    yield made
    made.close()
