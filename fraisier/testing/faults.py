"""Effects that are counted, and cut off where a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Where = Literal["before", "after"]


class PowerCut(BaseException):
    """The process is gone: nothing after this line ran. No handler of errors may swallow it."""


@dataclass(slots=True)
class Faults:
    """Counts every change of the machine and every write of the store, and fails one of them.

    `before`: the effect did not happen. `after`: it did, and whoever asked for it never learned so.
    """

    names: list[str] = field(default_factory=list)
    """The effects since the last `arm` or `disarm`, in order."""
    _at: int | None = None
    _where: Where = "before"
    _error: Callable[[], BaseException] = PowerCut

    def arm(self, at: int, where: Where, error: Callable[[], BaseException] = PowerCut) -> None:
        """The effect number `at` from now (1 is the next one) raises `error`; once."""
        self.names.clear()
        self._at, self._where, self._error = at, where, error

    def disarm(self) -> None:
        self.names.clear()
        self._at = None

    @property
    def is_armed(self) -> bool:
        """False once it has struck."""
        return self._at is not None

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        self.names.append(name)
        number = len(self.names)
        self._strike(number, "before")
        yield
        self._strike(number, "after")

    def _strike(self, number: int, where: Where) -> None:
        if self._at == number and self._where == where:
            self._at = None
            raise self._error()
