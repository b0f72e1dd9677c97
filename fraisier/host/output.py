"""What becomes of the output of commands: secrets masked, the log capped, the last lines kept for the error.

Memory and disk stay bounded whatever a command prints: of each command's output the log keeps the
first and the last mebibyte.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..model.errors import Transient
from ..model.secret import Secret, Text
from . import files

HEAD = 1 << 20
"""Bytes of one command's output that are appended to the log as they come."""

LAST = 1 << 20
"""Bytes of its end that are kept in memory and appended when it has ended."""

_MASK = b"***"
_SHORTEST_SECRET = 4
"""Shorter values are everywhere in any output; masking them would hide everything and protect nothing."""
_SHORTEST_LINE = 8
"""Of a secret with several lines (a key), each line that is at least this long is masked too."""

_TAIL_LINES = 20
_TAIL_BYTES = 2048

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """Without terminal escapes and control characters; of a line that redraws itself, what it showed last."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in _ESCAPES.sub("", text).split("\n"))
    return _CONTROLS.sub("", "\n".join(lines))


def last_lines(data: bytes, lines: int = _TAIL_LINES, size: int = _TAIL_BYTES) -> str:
    """The last lines of some output, for people: decoded whatever it is, at most `size` bytes."""
    text = clean(data.decode(errors="replace")).strip("\n")
    kept = "\n".join(text.split("\n")[-lines:]).encode()
    return kept[-size:].decode(errors="ignore").strip("\n")


class Masker:
    """Replaces secrets in a stream by `***`: the same bytes, however the stream is cut into chunks.

    Where several secrets begin at one place, the longest is masked. Besides the secrets, at most
    one byte less than the longest of them is kept.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._secrets))) if self._secrets else None
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """What can be shown already; what may be the beginning of a secret waits for the next chunk."""
        if self._pattern is None:
            return chunk
        data = self._rest + chunk
        shown, at, undecided = bytearray(), 0, self._undecided(data, 0)
        for match in self._pattern.finditer(data):
            if match.start() >= undecided:
                break
            shown += data[at : match.start()] + _MASK
            at = match.end()
            if at > undecided:
                undecided = self._undecided(data, at)
        self._rest = data[undecided:]
        return bytes(shown + data[at:undecided])

    def _undecided(self, data: bytes, start: int) -> int:
        """From where on, not before `start`, more bytes could make a secret, or a longer one."""
        return min(_beginning(secret, data, start) for secret in self._secrets)

    def flush(self) -> bytes:
        """What still waited, now that nothing more comes."""
        rest, self._rest = self._rest, b""
        return self._pattern.sub(_MASK, rest) if self._pattern else rest


def _beginning(secret: bytes, data: bytes, start: int) -> int:
    """Where the longest end of `data[start:]` that `secret` begins with begins, the whole of it apart."""
    ends = memoryview(data)
    at = max(start, len(data) - len(secret) + 1)
    while (at := data.find(secret[:1], at)) >= 0:
        if secret.startswith(ends[at:]):
            return at
        at += 1
    return len(data)


def masked(text: str, values: Iterable[Text]) -> str:
    """`text` without the secrets among the values of an environment."""
    masker = Masker(secrets_of(values))
    return (masker.feed(text.encode(errors="replace")) + masker.flush()).decode(errors="replace")


def secrets_of(values: Iterable[Text]) -> list[bytes]:
    """What a `Masker` shall hide of the values of an environment."""
    return [form for value in values if isinstance(value, Secret) for form in _forms(value.reveal())]


def _forms(secret: str) -> list[bytes]:
    lines = [line.strip() for line in secret.splitlines()]
    forms = [secret, secret.strip()]
    shown = [form for form in forms if len(form.strip()) >= _SHORTEST_SECRET]
    shown += [line for line in lines if len(line) >= _SHORTEST_LINE]
    return [form.encode() for form in shown]


class CappedLog:
    """A command's output, appended to a log file; without a path only the last lines are kept.

    What lies between head and tail is dropped and counted in a line of its own. Raises `Transient`
    when the file cannot be written.
    """

    def __init__(self, path: str | None, masker: Masker) -> None:
        self._masker = masker
        self._room = HEAD if path else 0
        self._file = _open_log(path) if path else None
        self._path = path
        self._last = bytearray()
        self._dropped = 0
        self._end = b""

    def add(self, chunk: bytes) -> None:
        self._take(self._masker.feed(chunk))

    def _take(self, data: bytes) -> None:
        if not data:
            return
        self._end = (self._end + data)[-2 * _TAIL_BYTES :] if len(data) < 2 * _TAIL_BYTES else data[-2 * _TAIL_BYTES :]
        head = data[: self._room]
        if self._file is not None and head:
            self._write(head)
            self._room -= len(head)
        self._last += data[len(head) :] if self._file is not None else b""
        # Cut only now and then: moving a mebibyte for every chunk would cost more than the command.
        if len(self._last) > 2 * LAST:
            self._cut()

    def _cut(self) -> None:
        excess = max(0, len(self._last) - LAST)
        del self._last[:excess]
        self._dropped += excess

    def close(self) -> None:
        if self._file is None:
            self._take(self._masker.flush())
            return
        try:
            self._take(self._masker.flush())
            self._cut()
            if self._dropped:
                self._write(f"\n… {self._dropped} bytes dropped …\n".encode())
            self._write(self._last)
        finally:
            os.close(self._file)
            self._file = None

    def _write(self, data: bytes | bytearray) -> None:
        view = memoryview(data)
        try:
            while view and self._file is not None:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise _log_fault(self._path, error) from error

    def tail(self) -> str:
        return last_lines(self._end)


def _open_log(path: str) -> int:
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _log_fault(path, error) from error


def _log_fault(path: str | None, error: OSError) -> Transient:
    code = "disk_full" if error.errno in files.FULL else "disk_failed"
    return Transient(f"the log {path} cannot be written: {error.strerror}", code=code, hint="see to that file system")
