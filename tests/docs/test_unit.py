"""The shipped systemd unit: accepted by systemd, hardened, and it does what docs/operations.md says of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gitrepo import Origin
from tests.support.waiting import until

UNIT = Path(__file__).resolve().parents[2] / "contrib" / "systemd" / "fraisier.service"
NEEDS_ANALYZE = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
EXPOSURE = 3.5
"""systemd's scale goes from 0 to 10; up to 4.9 it calls it OK. What is left is what root is for."""

SERVICE = """
import http.server, os, pathlib
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello")
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hello).serve_forever()
"""
PORTS = {"systemd": 8123, "process": 8124}
"""Sandboxes that run at once share one network."""

CONFIG = """
version: 1
server: {{name: box, listen: 127.0.0.1:0, service_manager: {manager}}}
git: {{poll: 1s}}
fraises:
  hello:
    type: api
    repository: /srv/hello.git
    environments:
      production:
        branch: main
        app_path: /srv/hello
        run_as: nobody
        build: [[sh, -c, "id -un > built_by"]]
        service: {{exec: python3 app.py, port: {port}}}
        health_check: {{url: http://127.0.0.1:{port}/, healthy_for: 500ms, deadline: 20s}}
"""


@NEEDS_ANALYZE
def test_systemd_finds_no_fault_with_it(tmp_path: Path) -> None:
    program = tmp_path / "fraisier"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "fraisier.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={program}", UNIT.read_text(), flags=re.MULTILINE))

    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


@NEEDS_ANALYZE
def test_it_is_hardened() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNIT)], capture_output=True, text=True
    )

    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure, done.stdout + done.stderr
    assert float(exposure[1]) <= EXPOSURE


def test_it_starts_an_absolute_program_and_leaves_services_alone() -> None:
    lines = UNIT.read_text().splitlines()

    assert next(line for line in lines if line.startswith("ExecStart=")).startswith(
        "ExecStart=/opt/fraisier/.venv/bin/"
    )
    for line in ("Type=notify", "Restart=always", "KillMode=process", "StateDirectory=fraisier"):
        assert line in lines
    assert any(line.startswith("WatchdogSec=") for line in lines)
    assert any(line.startswith("TimeoutStopSec=") for line in lines)


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\n{journal()}"
    return done.stdout.strip()


def journal() -> str:
    return subprocess.run(["journalctl", "-b", "--no-pager", "-n", "60"], capture_output=True, text=True).stdout


def fraisier(*arguments: str) -> str:
    program = str(Path(sys.executable).with_name("fraisier"))
    argv = [program, "--config", "/etc/fraisier/fraises.yaml", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, cwd="/").stdout


def pid_of_service() -> int:
    for name in os.listdir("/proc"):
        if name.isdigit() and b"python3\0app.py" in Path(f"/proc/{name}/cmdline").read_bytes():
            return int(name)
    return 0


def install(manager: str) -> None:
    Origin(Path("/srv/hello.git")).commit({"app.py": SERVICE})
    Path("/etc/fraisier").mkdir()
    Path("/etc/fraisier/fraises.yaml").write_text(CONFIG.format(manager=manager, port=PORTS[manager]))
    shutil.copyfile(UNIT, "/etc/systemd/system/fraisier.service")
    drop_in = Path("/etc/systemd/system/fraisier.service.d")
    drop_in.mkdir()
    program = Path(sys.executable).with_name("fraisier")
    start = f"{program} --config /etc/fraisier/fraises.yaml --state /var/lib/fraisier/fraisier.db daemon"
    # A checkout below /tmp would be hidden by the unit's own /tmp; below /root or /home it stays readable.
    tmp = "no" if str(program).startswith("/tmp") else "yes"
    (drop_in / "here.conf").write_text(f"[Service]\nExecStart=\nExecStart={start}\nPrivateTmp={tmp}\n")
    systemctl("daemon-reload")
    systemctl("start", "fraisier")


def is_converged() -> bool:
    return "in sync  healthy" in fraisier("status")


@pytest.mark.slow
@pytest.mark.systemd
@pytest.mark.parametrize("manager", ["systemd", "process"])
def test_under_the_shipped_unit_a_service_converges_and_survives_the_daemon(manager: str) -> None:
    install(manager)
    until(is_converged, 40)
    before = pid_of_service()

    systemctl("restart", "fraisier")
    until(is_converged, 20)

    assert before and pid_of_service() == before, journal()
    assert Path("/srv/hello/current/built_by").read_text() == "nobody\n"
    assert systemctl("show", "-P", "NRestarts", "fraisier") == "0"
