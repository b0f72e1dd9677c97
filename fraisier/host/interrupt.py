"""How a wait is ended on purpose, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..model.errors import Because, Interrupted


class Interruption:
    """Set once; the first reason stays. Every wait on it ends at once, in every thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._why: tuple[Because, str] | None = None
        self._wakes: set[Callable[[], None]] = set()

    @property
    def is_set(self) -> bool:
        return self._why is not None

    def set(self, because: Because, message: str = "") -> None:
        with self._lock:
            if self._why is not None:
                return
            self._why = (because, message)
            # Under the lock, so that nothing is woken after `watch` has returned.
            for wake in self._wakes:
                wake()
        self._event.set()

    def check(self) -> None:
        if self._why is not None:
            raise Interrupted(*self._why)

    def wait(self, seconds: float) -> None:
        self._event.wait(seconds)
        self.check()

    @contextmanager
    def watch(self, wake: Callable[[], None]) -> Iterator[None]:
        """Calls `wake` once when it is set, or at once when it is already; never after the block has ended.

        For waits on file descriptors: `wake` writes to one of them. It must neither block nor raise.
        """
        with self._lock:
            self._wakes.add(wake)
            if self._why is not None:
                wake()
        try:
            yield
        finally:
            with self._lock:
                self._wakes.discard(wake)
