"""Tells systemd how the daemon is: sd_notify(3) and sd_watchdog_enabled(3).

Own code because the protocol is one datagram and stable, and what there is on the index is either
not maintained or needs a compiler.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class SdNotify:
    """Silent where nobody listens (no `NOTIFY_SOCKET`)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_usec = int(environ.get("WATCHDOG_USEC") or 0)
        if environ.get("WATCHDOG_PID") not in (None, "", str(os.getpid())):
            self._watchdog_usec = 0

    @property
    def watchdog_interval(self) -> float | None:
        """Seconds between two signs of life: half of what systemd allows; None when it expects none."""
        return self._watchdog_usec / 2_000_000 if self._address and self._watchdog_usec else None

    def send(self, *assignments: str) -> None:
        """`send("READY=1", "STATUS=…")`. A lost datagram is not worth an error."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as datagram:
                datagram.connect(self._address)
                datagram.sendall("\n".join(assignments).encode())
        except OSError:
            return
