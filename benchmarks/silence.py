"""A remote that takes every connection and never says anything."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PATIENCE = 60.0


@dataclass(slots=True)
class Silence:
    """`remote` is what a configuration names. Whoever asks it waits until `hang_up`, or their own timeout."""

    listener: socket.socket
    _held: list[socket.socket] = field(default_factory=list)

    @property
    def remote(self) -> str:
        return f"https://127.0.0.1:{self.listener.getsockname()[1]}/hangs.git"

    def take(self) -> None:
        """Returns when somebody has asked. Raises `TimeoutError` when nobody does."""
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        self._held.append(connection)

    def insist_somebody_waits(self) -> None:
        if not any(_is_open(connection) for connection in self._held):
            raise AssertionError("nobody waits for the remote that is to hang")

    def hang_up(self) -> None:
        for connection in self._held:
            connection.close()
        self._held.clear()


@contextmanager
def silence() -> Iterator[Silence]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        made = Silence(listener)
        try:
            yield made
        finally:
            made.hang_up()


def _is_open(connection: socket.socket) -> bool:
    """Whether the other end still waits; what it said is thrown away."""
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
