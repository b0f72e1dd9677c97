"""Real repositories, made with the git command in a pinned environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
}


class Origin:
    """A repository to push to and to read from; `path` is its remote."""

    def __init__(self, folder: Path, *, object_format: str = "sha1") -> None:
        self.folder = folder
        self.path = str(folder)
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=ENVIRONMENT, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(
        self, files: Mapping[str, str] | None = None, message: str = "change", *, sign: Sequence[str] = ()
    ) -> str:
        """Commits these files, and returns the commit. Without any, an empty commit. `sign`: see `support.signing`."""
        for name, content in (files or {}).items():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        self.git("add", "--all", "--force")
        how = ("--gpg-sign",) if sign else ()
        self.git(*sign, "commit", *how, "--quiet", "--allow-empty", "--message", message)
        return self.head()

    def tag(self, name: str, at: str = "HEAD", *, sign: Sequence[str] = (), lightweight: bool = False) -> str:
        """Makes or moves a tag, and returns the object that it names."""
        kind = () if lightweight else ("--sign" if sign else "--annotate", "--message", f"release {name}")
        self.git(*sign, "tag", "--force", *kind, name, at)
        return self.head(f"refs/tags/{name}")

    def head(self, branch: str = "HEAD") -> str:
        return self.git("rev-parse", branch)

    def rewind(self, to: str) -> None:
        """What a force push does to those who read."""
        self.git("reset", "--quiet", "--hard", to)

    def prune(self) -> None:
        """Removes what no branch and no tag leads to, as hosts do sooner or later."""
        self.git("reflog", "expire", "--expire=now", "--all")
        self.git("gc", "--quiet", "--prune=now")
