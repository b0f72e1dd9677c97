"""Remotes that are not there, hang, want a password or were rewound."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.world import World

pytestmark = pytest.mark.slow


@contextmanager
def silent_server() -> Iterator[int]:
    """Accepts and never answers: the kernel does so for whoever listens."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield listener.getsockname()[1]


@contextmanager
def https_server(folder: Path, answer: bytes) -> Iterator[tuple[int, Path]]:
    """Gives the same answer to everybody; its port, and the certificate to trust."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*new, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), raw, context.wrap_socket(raw, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], certificate
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def only_action(world: World, code: int | None = 5) -> dict[str, object]:
    planned = world.json("plan", "--json", "--detailed-exitcode", code=code)
    assert len(planned["actions"]) == 1
    return {**planned["actions"][0], "complete": planned["complete"]}


def test_a_repository_that_does_not_exist_makes_the_plan_incomplete_and_deploys_nothing(world: World):
    world.fraise(repository=str(world.folder / "remotes" / "nowhere"))

    action = only_action(world)
    done = world.run("apply", "--yes", code=1)

    assert action["complete"] is False
    assert action["action"] == "none"
    assert "nowhere" in str(action["incomplete"])
    assert "nowhere" in done.stdout
    assert not world.app_path().exists()


def test_a_repository_that_vanishes_leaves_its_service_running_and_says_since_when_it_is_unknown(world: World):
    origin = world.origin()
    world.fraise()
    world.start_daemon()
    sha = origin.head()
    world.converges(sha)
    before = world.pid()

    origin.folder.rename(origin.folder.with_name("away"))
    world.until(lambda: world.row()["sync"] == "unknown")

    assert world.row()["reason"]["code"] == "stale"
    assert " UTC" in world.row()["reason"]["message"]
    assert world.pid() == before
    action = only_action(world)
    assert action["steps"] == []

    origin.folder.with_name("away").rename(origin.folder)
    newer = world.push(origin)
    world.converges(newer, seconds=30)


@pytest.mark.parametrize("scheme", ["https://127.0.0.1:{}/shop.git", "ssh://git@127.0.0.1:{}/shop.git"])
def test_a_remote_that_hangs_is_given_up_after_its_timeout_and_leaves_no_process(world: World, scheme: str):
    world.document["git"]["timeout"] = "1s"
    with silent_server() as port:
        world.fraise(repository=scheme.format(port))

        began = time.monotonic()
        action = only_action(world)

        assert time.monotonic() - began < 8
        assert "no answer within 1 s" in str(action["incomplete"])
        assert world.processes() == []


def test_a_remote_that_needs_a_password_is_an_error_at_once_and_nobody_is_asked(world: World):
    answer = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="git"\r\nContent-Length: 0\r\n\r\n'
    with https_server(world.folder, answer) as (port, certificate):
        world.env["GIT_SSL_CAINFO"] = str(certificate)
        world.fraise(repository=f"https://127.0.0.1:{port}/shop.git")

        began = time.monotonic()
        action = only_action(world)

    assert time.monotonic() - began < 10
    assert "could not read Username" in str(action["incomplete"])


def test_a_branch_that_does_not_exist_is_held_until_it_is_pushed(world: World):
    origin = world.origin()
    world.fraise(branch="release")

    action = only_action(world, code=4)
    assert [hold["code"] for hold in action["held_by"]] == ["branch_missing"]  # type: ignore[attr-defined]
    world.run("apply", "--yes", code=2)

    world.start_daemon()
    world.until(lambda: world.is_held("branch_missing"))
    origin.git("branch", "release")
    world.converges(origin.head())


def test_a_branch_that_is_deleted_leaves_its_service_running(world: World):
    origin = world.origin()
    world.fraise()
    world.start_daemon()
    sha = origin.head()
    world.converges(sha)
    before = world.pid()

    origin.git("checkout", "--quiet", "-b", "other")
    origin.git("branch", "--quiet", "-D", "main")

    world.until(lambda: world.is_held("branch_missing"))
    assert world.pid() == before


@pytest.mark.parametrize("with_daemon", [True, False], ids=["daemon", "alone"])
def test_a_branch_that_was_force_pushed_is_held_until_accepted_by_name(world: World, with_daemon: bool):
    origin = world.origin()
    base = origin.head()
    old = world.push(origin, mode="ok", note="old")
    world.fraise()
    world.run("apply", "--yes")
    if with_daemon:
        world.start_daemon()
        world.converges(old)

    origin.rewind(base)
    rewound = world.push(origin, mode="ok", note="rewritten")
    if with_daemon:
        world.until(lambda: world.is_held("rewind"))
    held = world.run("deploy", "shop", code=2)
    refused = world.run("deploy", "shop", "--allow-rewind", old, code=2)
    assert f"--allow-rewind {rewound}" in held.stdout
    assert "rewound" in refused.stdout
    assert world.served() == old

    world.run("deploy", "shop", "--allow-rewind", rewound)

    assert world.served() == rewound
    assert world.run("plan", "--detailed-exitcode")
