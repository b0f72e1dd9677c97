"""A value that must never be shown (law 18)."""

from __future__ import annotations

import hashlib
import hmac


class Secret:
    """Wraps a secret so that printing, formatting, comparing in a log or pickling cannot leak it.

    Only `reveal()` gives the value, and only code that hands it to a process or a file with mode
    0600 calls it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def fingerprint(self, key: bytes) -> str:
        """Eight hex digits that change with the value and say nothing without `key`."""
        return hmac.new(key, self._value.encode(), hashlib.sha256).hexdigest()[:8]

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")


Text = str | Secret


def reveal(value: Text) -> str:
    """The plain text of a value that may be secret; for the process and file doors only."""
    return value.reveal() if isinstance(value, Secret) else value
