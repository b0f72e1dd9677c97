from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from fraisier.host.commands import SessionCommands
from fraisier.host.prober import HostProber
from fraisier.host.processes import Processes
from fraisier.model.config import CommandProbe, HealthCheck, HttpProbe, ManagerProbe, Probe, Service, TcpProbe
from fraisier.model.errors import RevisionFault
from fraisier.model.ports import Runtime
from fraisier.model.secret import Secret
from fraisier.model.state import ProbeResult, ServiceState
from tests.support.certificates import self_signed

RUNNING = ServiceState("running", pid=1)


@pytest.fixture
def probe(tmp_path: Path) -> Callable[..., ProbeResult]:
    prober = HostProber(SessionCommands(Processes(uuid.uuid4().hex, grace=0.3)))
    runtime = Runtime("digest", "shop/production", str(tmp_path), Service("api.service"), {"A": "1"})

    def probes(kind: Probe, timeout: float = 5, state: ServiceState = RUNNING) -> ProbeResult:
        return prober.probe(HealthCheck(kind, timeout=timedelta(seconds=timeout)), runtime, str(tmp_path), state)

    return probes


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Answers one connection, byte for byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(20)
                try:
                    answer(connection)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/health"
        thread.join(20)


def saying(text: str) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text.encode())

    return answer


@pytest.mark.parametrize(
    ("status", "ok"), [("200 OK", True), ("204 No Content", True), ("500 Oh no", False), ("302 Found", False)]
)
def test_http_is_healthy_by_its_status_and_redirects_are_not_followed(
    probe: Callable[..., ProbeResult], status: str, ok: bool
) -> None:
    answer = f"HTTP/1.1 {status}\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n"

    with server(saying(answer)) as url:
        result = probe(HttpProbe(url))

    assert result == ProbeResult(ok, f"HTTP {status[:3]}")


def test_headers_are_sent_and_proxies_of_the_environment_are_not_used(
    probe: Callable[..., ProbeResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    heard: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with server(answer) as url:
        result = probe(HttpProbe(url, headers={"Host": "shop.example.com", "Authorization": Secret("Bearer x")}))

    assert result.ok
    assert b"Host: shop.example.com\r\n" in heard[0]
    assert b"Authorization: Bearer x\r\n" in heard[0]


def drip_headers(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Drip: 1\r\n")
        time.sleep(0.05)


def drip_body(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def never(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@pytest.mark.parametrize("answer", [drip_headers, drip_body, never])
def test_a_slow_answer_ends_at_the_deadline(
    probe: Callable[..., ProbeResult], answer: Callable[[socket.socket], None]
) -> None:
    with server(answer) as url:
        began = time.monotonic()
        result = probe(HttpProbe(url), timeout=0.4)
        took = time.monotonic() - began

    assert result == ProbeResult(False, "timed out after 0.4s")
    assert took < 3


def test_a_body_without_end_is_not_read_to_its_end(probe: Callable[..., ProbeResult]) -> None:
    def endless(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with server(endless) as url:
        assert probe(HttpProbe(url)) == ProbeResult(True, "HTTP 200")


def test_nonsense_is_unhealthy_and_no_error_of_ours(probe: Callable[..., ProbeResult]) -> None:
    with server(saying("220 mail.example.com ESMTP\r\n")) as url:
        result = probe(HttpProbe(url))

    assert not result.ok
    assert result.message


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_nobody_listening_is_connection_refused(probe: Callable[..., ProbeResult], kind: str) -> None:
    port = free_port()
    what = HttpProbe(f"http://127.0.0.1:{port}/") if kind == "http" else TcpProbe("127.0.0.1", port)

    assert probe(what) == ProbeResult(False, "connection refused")


def test_an_error_that_is_being_handled_meanwhile_is_not_the_reason(probe: Callable[..., ProbeResult]) -> None:
    try:
        raise RevisionFault("did not become healthy: HTTP 500", code="unhealthy")
    except RevisionFault:
        result = probe(HttpProbe(f"http://127.0.0.1:{free_port()}/"))  # as in a return to the last healthy revision

    assert result == ProbeResult(False, "connection refused")


def test_tcp_is_healthy_when_a_connection_is_accepted(probe: Callable[..., ProbeResult]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert probe(TcpProbe("127.0.0.1", listener.getsockname()[1])).ok


def test_a_certificate_nobody_vouches_for_is_unhealthy(probe: Callable[..., ProbeResult], tmp_path: Path) -> None:
    script = (
        "import ssl, sys, http.server\n"
        "s = http.server.HTTPServer(('127.0.0.1', 0), http.server.BaseHTTPRequestHandler)\n"
        "c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[1])\n"
        "s.socket = c.wrap_socket(s.socket, server_side=True)\n"
        "print(s.server_port, flush=True); s.serve_forever()\n"
    )
    pem = self_signed(tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(pem)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout is not None
    port = child.stdout.readline().strip()

    result = probe(HttpProbe(f"https://localhost:{port}/"))

    child.kill()
    child.wait()
    child.stdout.close()
    assert not result.ok
    assert result.message.startswith("certificate: self")


def test_a_command_is_healthy_when_it_exits_0_in_the_release(probe: Callable[..., ProbeResult], tmp_path: Path) -> None:
    assert probe(CommandProbe(("sh", "-c", f'test "$PWD" = {tmp_path} && test "$A" = 1'))) == ProbeResult(
        True, "exit 0"
    )


def test_a_command_that_fails_says_its_last_line(probe: Callable[..., ProbeResult]) -> None:
    result = probe(CommandProbe(("sh", "-c", "echo starting; echo database is away >&2; exit 3")))

    assert result == ProbeResult(False, "exit 3: database is away")


def test_a_command_that_hangs_times_out(probe: Callable[..., ProbeResult]) -> None:
    assert probe(CommandProbe(("sleep", "60")), timeout=0.2) == ProbeResult(False, "timed out after 0.2s")


def test_the_manager_is_believed(probe: Callable[..., ProbeResult]) -> None:
    failed = ServiceState("failed", message="exit 3")

    assert probe(ManagerProbe()) == ProbeResult(True, "running")
    assert probe(ManagerProbe(), state=failed) == ProbeResult(False, "failed: exit 3")
