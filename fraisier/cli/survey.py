"""What a folder tells about itself, for `fraisier init`: its repository, its branch, how it is started."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from fraisier.config import Guess

_LARGEST_READ = 256 * 1024
_PYTHON_BUILD = ("python3 -m venv .venv", ".venv/bin/pip install -r requirements.txt")


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found; `remote` is the checkout itself where it has no origin."""

    name: str
    remote: str | None
    branch: str
    guess: Guess | None


def survey(folder: Path) -> Survey:
    """Looks only; a folder that is no checkout, or has no git, still has a name."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    root = Path(top) if top else folder.resolve()
    remote = (_git(root, "config", "--get", "remote.origin.url") or str(root)) if top else None
    branch = _git(root, "symbolic-ref", "--short", "HEAD") if top else None
    return Survey(root.name, remote, branch or "main", guess_service(root))


def guess_service(root: Path) -> Guess | None:
    """The first sign that is found, the most explicit first."""
    signs: tuple[Callable[[Path], Guess | None], ...] = (
        _unit_file,
        _procfile,
        _django,
        _python_app,
        _node,
    )
    found = next((guess for sign in signs if (guess := sign(root)) is not None), None)
    return replace(found, build=found.build or _build(root)) if found else None


def _unit_file(root: Path) -> Guess | None:
    units = sorted((root / "deploy").glob("*.service"))
    if not units or "@" in units[0].name:
        return None
    path = f"deploy/{units[0].name}"
    return Guess(f"{path} is in the repository", unit_file=path)


def _procfile(root: Path) -> Guess | None:
    for line in _read(root / "Procfile").splitlines():
        kind, colon, command = line.partition(":")
        if colon and kind.strip() == "web" and command.strip():
            return Guess("the line web: of the Procfile", exec=command.strip(), port=_port(command))
    return None


def _django(root: Path) -> Guess | None:
    wsgi = sorted(path.parent.name for path in root.glob("*/wsgi.py"))
    if not (root / "manage.py").is_file() or not wsgi:
        return None
    command = f".venv/bin/gunicorn --bind 127.0.0.1:8000 {wsgi[0]}.wsgi"
    return Guess(f"manage.py and {wsgi[0]}/wsgi.py; gunicorn must be among the requirements", exec=command)


def _python_app(root: Path) -> Guess | None:
    if not (root / "app.py").is_file():
        return None
    python = ".venv/bin/python" if (root / "requirements.txt").is_file() else "python3"
    return Guess("app.py", exec=f"{python} app.py", port=_port(_read(root / "app.py")))


def _node(root: Path) -> Guess | None:
    try:
        start = json.loads(_read(root / "package.json"))["scripts"]["start"]
    except (ValueError, KeyError, TypeError):
        return None
    install = "npm ci" if (root / "package-lock.json").is_file() else "npm install"
    return Guess("package.json has a script start", exec="npm start", build=(install,), port=_port(str(start)))


def _build(root: Path) -> tuple[str, ...]:
    return _PYTHON_BUILD if (root / "requirements.txt").is_file() else ()


def _port(text: str) -> int | None:
    """A port to hand over, where the program reads the variable PORT."""
    return 8000 if "PORT" in text else None


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_LARGEST_READ)
    except OSError:
        return ""


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = done.stdout.decode(errors="replace").strip()
    return text if done.returncode == 0 and text else None
