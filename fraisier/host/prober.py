"""One look at whether a service is healthy, ended after the check's timeout whatever the other side does."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from typing import Any, assert_never

from ..model import ports
from ..model.config import CommandProbe, HealthCheck, HttpProbe, ManagerProbe, TcpProbe
from ..model.errors import FraisierError
from ..model.secret import reveal
from ..model.state import ProbeResult, ServiceState
from .interrupt import Interruption

_BODY_LIMIT = 64 << 10


class HostProber:
    def __init__(self, commands: ports.Commands) -> None:
        self._commands = commands

    def probe(self, check: HealthCheck, runtime: ports.Runtime, release: str, state: ServiceState) -> ProbeResult:
        timeout = check.timeout.total_seconds()
        match check.probe:
            case HttpProbe() as http:
                return _within(timeout, lambda: _http(http))
            case TcpProbe() as tcp:
                return _within(timeout, lambda: _tcp(tcp))
            case CommandProbe(argv):
                return self._command(argv, runtime, release, timeout)
            case ManagerProbe():
                return ProbeResult(state.run == "running", _manager_message(state))
            case _:
                assert_never(check.probe)

    def _command(self, argv: tuple[str, ...], runtime: ports.Runtime, release: str, timeout: float) -> ProbeResult:
        command = ports.Command(argv, release, runtime.env, runtime.run_as, timeout)
        try:
            result = self._commands.run(command, Interruption())
        except FraisierError as error:
            return ProbeResult(False, str(error))
        if result.timed_out:
            return ProbeResult(False, _timed_out(timeout))
        last = result.tail.rpartition("\n")[2].strip()
        if result.exit_code:
            return ProbeResult(False, f"exit {result.exit_code}: {last}" if last else f"exit {result.exit_code}")
        return ProbeResult(True, "exit 0")


def _manager_message(state: ServiceState) -> str:
    return f"{state.run}: {state.message}" if state.message else state.run


def _timed_out(seconds: float) -> str:
    return f"timed out after {seconds:g}s"


def _within(seconds: float, ask: Callable[[], Coroutine[Any, Any, ProbeResult]]) -> ProbeResult:
    """On an event loop of its own: cancelling is the one way to hold a whole conversation to a deadline,
    slow drips and names that do not resolve included.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(asyncio.wait_for(ask(), seconds))
    except TimeoutError:
        return ProbeResult(False, _timed_out(seconds))
    finally:
        # Not `shutdown_default_executor`: that would wait for a resolver that hangs.
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _tcp(probe: TcpProbe) -> ProbeResult:
    try:
        _, writer = await asyncio.open_connection(probe.host, probe.port)
    except OSError as error:
        return ProbeResult(False, _reason(error))
    writer.transport.abort()
    return ProbeResult(True, "connected")


async def _http(probe: HttpProbe) -> ProbeResult:
    import httpx2

    headers: Mapping[str, str] = {name: reveal(value) for name, value in probe.headers.items()}
    verify = _trust() if probe.url.lower().startswith("https:") else False
    try:
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=None, verify=verify) as client,
            client.stream(
                "GET", probe.url, headers={"User-Agent": "fraisier", "Connection": "close", **headers}
            ) as answer,
        ):
            await _read_some(answer)
            ok = any(answer.status_code in span for span in probe.status)
            return ProbeResult(ok, f"HTTP {answer.status_code}")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return ProbeResult(False, _reason(error))


async def _read_some(answer: Any) -> None:
    """Lets the service finish its answer, up to a point: a small server that is hung up on logs errors."""
    left = _BODY_LIMIT
    async for chunk in answer.aiter_raw():
        left -= len(chunk)
        if left <= 0:
            return


@cache
def _trust() -> ssl.SSLContext:
    """The machine's own certificate authorities, read once."""
    return ssl.create_default_context()


def _reason(error: BaseException) -> str:
    """A few words: what the system said at the bottom of the chain.

    An error of ours ends it: it is what was being handled when the probe was made, and tells nothing of it.
    """
    bottom: BaseException = error
    while (below := bottom.__cause__ or bottom.__context__) is not None and not isinstance(below, FraisierError):
        bottom = below
    if isinstance(bottom, ssl.SSLCertVerificationError):
        return f"certificate: {bottom.verify_message}"
    if isinstance(bottom, OSError) and bottom.errno in errno.errorcode:
        return os.strerror(bottom.errno or 0).lower()
    text = str(bottom.strerror if isinstance(bottom, OSError) and bottom.strerror else bottom)
    return text or type(error).__name__
