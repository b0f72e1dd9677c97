"""Certificates that nobody vouches for."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(folder: Path) -> Path:
    """A key and a certificate for `localhost` in one file, as servers and trust stores both read it."""
    pem = folder / "localhost.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    done = subprocess.run([*argv, "-keyout", "-", "-out", "-"], check=True, capture_output=True)
    pem.write_bytes(done.stdout)
    return pem
