"""The one door to child processes.

Each child gets an argument list, an environment that is named in full, a session of its own and a
deadline. When it has ended, by itself or not, nothing that it started is left (law 8), and a daemon
that starts kills what a killed predecessor left (`sweep`). Waits are on file descriptors: the pipe,
the child's pidfd, and an eventfd that interrupts write to; a grandchild that keeps the pipe open
holds up nothing.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Protocol, Self, runtime_checkable
from uuid import uuid4

from ..model import ports
from ..model.errors import Because, Transient
from . import survivors
from .interrupt import Interruption
from .users import User

STEP_MARK = "FRAISIER_STEP"
"""The variable that every child carries: `<store id>:<id of this call>`."""

GRACE = 5.0
"""Seconds between TERM and KILL."""

_CHUNK = 65536
_MOST_AFTER_THE_END = 1 << 20
"""Bytes still read from the pipe after the end: more than it holds, should somebody unkillable go on writing."""

Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended. `stdout` and `stderr` are cut after the caller's limit."""

    exit_code: int
    """As a shell counts: 128 + n for signal n."""
    stdout: bytes = b""
    stderr: bytes = b""
    timed_out: bool = False


@runtime_checkable
class _Watchable(Protocol):
    """An interrupt that can wake a wait on file descriptors; others are looked at ten times a second."""

    @contextmanager
    def watch(self, wake: Callable[[], None]) -> Iterator[None]: ...


class Processes:
    """`store_id` marks the children as those of one daemon's store; letters and digits only."""

    def __init__(self, store_id: str, *, grace: float = GRACE) -> None:
        if not store_id.isalnum():
            raise ValueError(f"store id {store_id!r} is not letters and digits")
        self._store_id = store_id
        self._grace = grace
        self._stopping = Interruption()

    def stop(self, because: Because = "stopping") -> None:
        """Ends everything that runs, in every thread, and refuses to start more: each `run` raises `Interrupted`."""
        self._stopping.set(because)

    def sweep(self) -> int:
        """Kills what a killed predecessor with the same store left running; how many processes there were.

        To be called by a daemon that starts, once it holds the store's lock and before it runs anything.
        A child that was caught between fork and exec carries no mark for less than a millisecond more;
        no daemon starts that fast.
        """
        return survivors.end_all(survivors.carries(STEP_MARK, f"{self._store_id}:", prefix=True))

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        timeout: float,
        cwd: str | None = None,
        interrupt: ports.Interrupt | None = None,
        output: Sink | None = None,
        limit: int = 1 << 20,
        become: User | None = None,
        keep_fds: Sequence[int] = (),
        ask_to_end: Callable[[], None] | None = None,
        trusted: bool = False,
    ) -> Ended:
        """Runs to the end.

        With `output`, stdout and stderr are one stream handed over as it comes; without, each is
        kept up to `limit` bytes. `ask_to_end` replaces the TERM to the process group. `trusted`
        spares the look through all processes after an orderly end: for programs that are known to
        leave none. Raises `OSError` when it cannot be started, `Interrupted` after having ended it,
        and whatever `output` raises, after having ended it.
        """
        self._stopping.check()
        if interrupt is not None:
            interrupt.check()
        mark = f"{self._store_id}:{uuid4().hex}"
        popen = _start(argv, {**env, STEP_MARK: mark}, cwd, become, keep_fds, merged=output is not None)
        child = _Child(popen, mark, self._grace, ask_to_end, trusted)
        return child.see_out(timeout, [i for i in (self._stopping, interrupt) if i is not None], output, limit)

    @staticmethod
    def spawn(
        argv: Sequence[str], *, env: Mapping[str, str], cwd: str, output: int, become: User
    ) -> subprocess.Popen[bytes]:
        """A child that outlives us: own session, nothing on stdin, output to the file descriptor. Raises `OSError`."""
        return subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=0o022,
            **become.popen(),
        )


def _start(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str | None,
    become: User | None,
    keep_fds: Sequence[int],
    *,
    merged: bool,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(argv),
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        start_new_session=True,
        umask=0o022,
        pass_fds=tuple(keep_fds),
        bufsize=0,
        **(become.popen() if become else {}),
    )


class _Child:
    """One running child, from its start to the end of everything it started."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        mark: str,
        grace: float,
        ask_to_end: Callable[[], None] | None,
        trusted: bool,
    ) -> None:
        self._popen = popen
        self._mark = mark
        self._grace = grace
        self._ask_to_end = ask_to_end or self._terminate
        self._trusted = trusted
        self._timed_out = False

    def see_out(self, timeout: float, interrupts: Sequence[ports.Interrupt], output: Sink | None, limit: int) -> Ended:
        kept_out, kept_err = _Kept(limit), _Kept(limit)
        sinks: dict[IO[bytes], Sink] = {}
        if self._popen.stdout is not None:
            sinks[self._popen.stdout] = output or kept_out.add
        if self._popen.stderr is not None:
            sinks[self._popen.stderr] = kept_err.add
        orderly = False
        try:
            with ExitStack() as opened:
                events = self._listen(opened, sinks, interrupts)
                try:
                    self._wait(events, timeout)
                    orderly = not self._timed_out
                finally:
                    self._clear(orderly)
                events.drain()
        finally:
            code = self._reap(sinks)
        return Ended(code, bytes(kept_out.data), bytes(kept_err.data), self._timed_out)

    def _listen(
        self, opened: ExitStack, sinks: Mapping[IO[bytes], Sink], interrupts: Sequence[ports.Interrupt]
    ) -> _Events:
        """Raises `OSError`, after having ended the child, when there are no file descriptors for it."""
        try:
            return opened.enter_context(_Events(self._popen.pid, sinks, interrupts))
        except BaseException:
            # Looking for survivors needs descriptors too: those of the pipes.
            for pipe in sinks:
                pipe.close()
            self._clear(orderly=False)
            raise

    def _wait(self, events: _Events, timeout: float) -> None:
        """Until the child itself has ended; raises `Interrupted` after having ended it."""
        until = time.monotonic() + timeout
        while not events.step(until):
            if time.monotonic() >= until:
                self._timed_out = True
                self._end(events)
                return
            try:
                events.check()
            except BaseException:
                self._end(events)
                raise

    def _end(self, events: _Events) -> None:
        """Asks, waits for as long as grace allows, and leaves the rest to KILL."""
        self._ask_to_end()
        events.deaf = True
        until = time.monotonic() + self._grace
        while not events.step(until) and time.monotonic() < until:
            pass

    def _terminate(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGTERM)

    def _clear(self, orderly: bool) -> None:
        """Kills what is left. The child is not reaped yet, so its number is still that of its group and session."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        if not (orderly and self._trusted):
            survivors.end_all(survivors.in_session(self._popen.pid), survivors.carries(STEP_MARK, self._mark))

    def _reap(self, pipes: Mapping[IO[bytes], Sink]) -> int:
        for pipe in pipes:
            pipe.close()
        try:
            code = self._popen.wait(timeout=self._grace)
        except subprocess.TimeoutExpired:
            # Stuck in the kernel (a dead network file system): nobody can end it, and nobody shall wait for it.
            raise Transient(
                f"process {self._popen.pid} cannot be killed", code="unkillable", hint="look for a hanging mount"
            ) from None
        return code if code >= 0 else 128 - code


class _Kept:
    """The first `limit` bytes of a stream; the rest is read and dropped."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self._limit = limit

    def add(self, chunk: bytes) -> None:
        room = self._limit - len(self.data)
        if room > 0:
            self.data += chunk[:room]


class _Events:
    """Everything a wait for a child listens to, in one selector."""

    def __init__(self, pid: int, sinks: Mapping[IO[bytes], Sink], interrupts: Sequence[ports.Interrupt]) -> None:
        self._sinks = sinks
        self._interrupts = interrupts
        self._pid = pid
        self._open = ExitStack()
        self._longest = 3600.0
        self.deaf = False
        """Once the child is being ended, further interrupts change nothing."""

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._selector = opened.enter_context(selectors.PollSelector())
            self._wake = _closing(opened, os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
            self._exit = _closing(opened, os.pidfd_open(self._pid))
            for pipe in self._sinks:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, selectors.EVENT_READ)
            self._selector.register(self._exit, selectors.EVENT_READ)
            self._selector.register(self._wake, selectors.EVENT_READ)
            for interrupt in self._interrupts:
                self._listen(opened, interrupt)
            self._open = opened.pop_all()
        return self

    def _listen(self, opened: ExitStack, interrupt: ports.Interrupt) -> None:
        if isinstance(interrupt, _Watchable):
            opened.enter_context(interrupt.watch(lambda: os.eventfd_write(self._wake, 1)))
        else:
            self._longest = 0.1

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def step(self, until: float) -> bool:
        """Waits for one thing to happen, at most `until`; True when the child has ended."""
        ended = False
        pause = max(0.0, min(until - time.monotonic(), self._longest))
        for key, _ in self._selector.select(pause):
            if key.fd == self._exit:
                ended = True
            elif key.fd == self._wake:
                os.eventfd_read(self._wake)
            else:
                self._read(key.fileobj)  # type: ignore[arg-type]  # only pipes are registered besides
        return ended

    def _read(self, pipe: IO[bytes]) -> int:
        try:
            chunk = os.read(pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return 0
        if not chunk:
            self._selector.unregister(pipe)
            return 0
        self._sinks[pipe](chunk)
        return len(chunk)

    def check(self) -> None:
        for interrupt in () if self.deaf else self._interrupts:
            interrupt.check()

    def drain(self) -> None:
        """What was written before the end and not yet read."""
        for pipe in self._sinks:
            left = _MOST_AFTER_THE_END
            while left > 0 and pipe in self._selector.get_map() and (got := self._read(pipe)):
                left -= got


def _closing(opened: ExitStack, handle: int) -> int:
    opened.callback(os.close, handle)
    return handle
