"""Errors, sorted by what must happen next (law 11), not by where they came from.

Whatever is none of these is a bug of ours: it travels up to the one handler at the edge of the
process or of a cycle, which writes a report and lets the other targets go on.
"""

from __future__ import annotations

from typing import Literal

Because = Literal["superseded", "stopping", "cancelled"]


class FraisierError(Exception):
    """An error that people are meant to read.

    `code` is stable and short (`remote_unreachable`); `str(error)` says what and where; `hint`
    says what to do now.
    """

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


class Transient(FraisierError):
    """The network, the host, a full disk, a lock: may heal by itself. Retried with back-off, never quarantined."""


class RevisionFault(FraisierError):
    """The revision is to blame: a build that fails, a service that does not become healthy. Quarantined."""


class ConfigFault(FraisierError):
    """The configuration is to blame: held until it changes, whatever the revision."""


class Interrupted(FraisierError):
    """A wait was ended on purpose. Not a failure: the cycle that follows decides afresh."""

    def __init__(self, because: Because, message: str = "") -> None:
        super().__init__(message or because, code=because)
        self.because = because


class Refused(FraisierError):
    """A person asked for something that cannot be done as asked; nothing was changed."""


class StoreError(FraisierError):
    """The database is corrupt, newer than the program, locked by another daemon or out of space."""


class AttemptOpen(StoreError):
    """Another attempt at the same target is still open; the database refused a second one (law 7)."""
