"""`/healthz` and `/readyz` on `server.listen`.

They read what is in memory and answer within milliseconds, whatever the workers do. Starlette
rather than FastAPI: two routes without a body need no model layer, and it keeps the idle daemon
some ten megabytes smaller.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ..model.errors import Refused


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the daemon does its work, and what keeps it from that."""

    ready: bool
    facts: Mapping[str, object] = field(default_factory=dict)


def application(readiness: Callable[[], Readiness]) -> Starlette:
    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> JSONResponse:
        state = readiness()
        body = {"status": "ready" if state.ready else "not ready", **state.facts}
        return JSONResponse(body, status_code=200 if state.ready else 503)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `Refused` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Refused(
            f"cannot listen on {host}:{port}: {error.strerror}",
            code="cannot_listen",
            hint="another program has it; set `server.listen` to another address, or port 0 for any free one",
        ) from error
    return listener


class _Server(uvicorn.Server):
    """Leaves signals to the daemon, which stops everything in its own order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: Starlette, listener: socket.socket, stop: asyncio.Event) -> None:
    """Answers until `stop` is set."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=5,
        h11_max_incomplete_event_size=32 * 1024,
    )
    server = _Server(config)
    serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    await stop.wait()
    server.should_exit = True
    await serving
