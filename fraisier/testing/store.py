"""A store whose every write is an effect that may be cut off."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from ..model.records import Store
from .faults import Faults

WRITES = frozenset(
    {
        "open_attempt",
        "step_started",
        "step_finished",
        "step_failed",
        "note",
        "gate_opened",
        "close_attempt",
        "quarantine",
        "lift",
        "accept_rewind",
        "force",
        "suspend",
        "resume",
        "override",
        "end_override",
        "approve",
        "allow_emergency",
        "save_heads",
        "save_status",
        "add_request",
        "take_request",
        "answer_request",
    }
)


class CuttingStore:
    """Hands everything on to a real store; `as_store` is how it is handed to what takes a `Store`."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    def as_store(self) -> Store:
        return cast("Store", self)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._cut(name, found) if name in WRITES else found

    def _cut(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def write(*args: Any, **kwargs: Any) -> Any:
            with self._faults.effect(f"store.{name}"):
                return method(*args, **kwargs)

        return write
