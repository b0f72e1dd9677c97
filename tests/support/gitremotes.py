"""`GitRemotes` as tests use it, and programs that stand in for ssh."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

from fraisier.host.git import GitRemotes
from fraisier.host.processes import Processes
from fraisier.model import config


def remotes(
    state: Path, *, timeout: float = 20, ssh: str = "ssh", traceless: bool = False, **settings: str
) -> GitRemotes:
    git = config.Git(timeout=timedelta(seconds=timeout), **settings)  # type: ignore[arg-type]
    return GitRemotes(str(state), git, Processes(uuid.uuid4().hex, grace=0.3), ssh=ssh, traceless=traceless)


def ssh_stand_in(folder: Path, before: str = "", *, instead: str = "") -> str:
    """A program in the place of ssh, which runs the remote command here."""
    script = folder / "ssh-stand-in"
    script.write_text(f'#!/bin/sh\n{before}\n{instead or "for last; do :; done; exec sh -c "}"$last"\n')
    script.chmod(0o755)
    return str(script)
