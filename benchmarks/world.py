"""A machine with many targets that are all in sync: real repositories, real layouts, a real store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fraisier.daemon.assembly import Assembly, assemble
from fraisier.host.release_files import list_files, note_files, render_notes
from fraisier.host.release_paths import Paths
from fraisier.host.runtime_notes import render_runtime
from fraisier.model.config import Target
from fraisier.model.records import Closing, Store, Wish
from fraisier.model.state import HealthyRevision
from fraisier.services.api_look import runtime_of

BRANCHES = ("main", "staging")
OLDER = 2
"""Releases of each target besides the one that runs."""
FILES = 30
"""Of the commit that runs, which a look into the release compares."""

GIT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=GIT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class World:
    """`config` declares `targets` over `repositories`; everything is deployed, healthy and running.

    What runs is one real process that all targets' notes name: the service manager reads each note
    and looks the process up in /proc as it does for services of their own.
    """

    folder: Path
    targets: int
    repositories: int
    hanging: str | None = None
    """What the configuration names instead of the first repository: a remote that never answers."""

    @property
    def config(self) -> Path:
        return self.folder / "fraises.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "server.state"

    @property
    def remotes(self) -> list[Path]:
        return [self.folder / "repositories" / f"{number:03d}.git" for number in range(self.repositories)]

    @property
    def declared_remotes(self) -> list[str]:
        remotes = [str(remote) for remote in self.remotes]
        return remotes if self.hanging is None else [self.hanging, *remotes[1:]]

    def assemble(self) -> Assembly:
        return assemble(config=str(self.config), state=str(self.state), mode="write", environ={"PATH": GIT["PATH"]})

    def build(self, service_pid: int, poll: str = "1h") -> None:
        self.folder.mkdir(parents=True)
        self._make_repositories()
        self.config.write_text(self._declared(poll))
        assembly = self.assemble()
        heads = {branch: git(self.remotes[0], "rev-parse", branch) for branch in BRANCHES}
        try:
            for target in assembly.config.targets.values():
                _write_layout(target, heads[str(target.selection)], service_pid)
            parts = self._make_parts()
            for target in assembly.config.targets.values():
                _add_files(target, heads[str(target.selection)], parts)
            for target in assembly.config.targets.values():
                _note_files(target, heads[str(target.selection)])
            _record(assembly.store, assembly.config.targets.values(), heads)
        finally:
            assembly.store.close()

    def _make_repositories(self) -> None:
        seed = self.folder / "seed"
        seed.mkdir()
        git(seed, "init", "--quiet", "--initial-branch=main")
        (seed / "run").write_text("#!/bin/sh\n")
        git(seed, "add", "run")
        for branch in BRANCHES:
            git(seed, "checkout", "--quiet", "-B", branch)
            git(seed, "commit", "--quiet", "--allow-empty", "--message", branch)
        self.remotes[0].parent.mkdir()
        git(seed, "clone", "--quiet", "--bare", str(seed), str(self.remotes[0]))
        for remote in self.remotes[1:]:
            shutil.copytree(self.remotes[0], remote)

    def _make_parts(self) -> list[Path]:
        """With the file `run`, as many as a release has."""
        parts = [self.folder / "parts" / f"part_{number}.py" for number in range(FILES - 1)]
        parts[0].parent.mkdir()
        for part in parts:
            part.write_text(f"name = {part.stem!r}\n")
        return parts

    def _declared(self, poll: str) -> str:
        lines = [
            'server: {name: web-1, listen: "127.0.0.1:0", service_manager: process}',
            f"git: {{poll: {poll}, timeout: 10m}}",
            "fraises:",
        ]
        for number in range(self.targets):
            remote = self.declared_remotes[number % self.repositories]
            branch = BRANCHES[number // self.repositories % len(BRANCHES)]
            lines += [
                f"  service_{number:05d}:",
                "    type: api",
                f"    repository: {remote}",
                "    environments:",
                "      production:",
                f"        branch: {branch}",
                f"        app_path: {self.folder}/srv/{number:05d}",
                "        service: {exec: ./run}",
                "        env: {LOG_LEVEL: info}",
            ]
        return "\n".join(lines) + "\n"


def _write_layout(target: Target, sha: str, pid: int) -> None:
    """What a deployment leaves behind, without waiting for the disk at each file. Were it ever written
    otherwise than the daemon writes it, the survey would find work to do, and the measurement fails.
    """
    now = datetime.now(UTC)
    app = Path(target.app_path)
    notes = app / ".fraisier"
    for folder in (notes / "seals", notes / "runtime", notes / "files"):
        folder.mkdir(parents=True)
    notes.chmod(0o700)
    for age, name in enumerate([sha, *(str(age) * 40 for age in range(1, OLDER + 1))]):
        (app / "releases" / name).mkdir(parents=True)
        (app / "releases" / name / "run").write_text("#!/bin/sh\n")
        seal = {"sha": name, "build_digest": target.build_digest, "sealed_at": (now - timedelta(days=age)).isoformat()}
        (notes / "seals" / f"{name}.json").write_text(json.dumps(seal))
    (app / "current").symlink_to(f"releases/{sha}")
    (notes / "runtime" / f"{target.runtime_digest}.json").write_bytes(render_runtime(runtime_of(target)))
    stamp = {"release": sha, "runtime_digest": target.runtime_digest}
    (notes / "stamp.json").write_text(json.dumps(stamp))
    process = {
        "pid": pid,
        "started": _started(pid),
        "unit": target.service.unit,
        "release": str(app / "releases" / sha),
        "since": now.isoformat(),
    }
    (notes / "process.json").write_text(json.dumps(process))


def _add_files(target: Target, sha: str, parts: Iterable[Path]) -> None:
    """Links to the same few files, which takes a moment where so many of their own would take minutes."""
    source = Path(target.app_path) / "releases" / sha / "src"
    source.mkdir()
    for part in parts:
        (source / part.name).hardlink_to(part)


def _note_files(target: Target, sha: str) -> None:
    """As a seal does, but later: what was written in the same moment as it was noted is read once more."""
    paths = Paths(target.app_path)
    release = paths.release(sha)
    Path(paths.files_of(sha)).write_bytes(render_notes(note_files(release, list_files(release))))


def _started(pid: int) -> int:
    """Field 22 of proc_pid_stat(5)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def _record(store: Store, targets: Iterable[Target], heads: dict[str, str]) -> None:
    """One deployment each, proven healthy; many at a time, since commits that wait together share one."""

    def deploy(target: Target) -> None:
        now, sha = datetime.now(UTC), heads[str(target.selection)]
        ref = str(target.selection)
        wish = Wish(target.id, "deploy", ref, None, sha, target.config_digest, "start", "benchmark", {})
        attempt = store.open_attempt(wish, at=now, deadline_at=now + target.timeout)
        proven = HealthyRevision(ref, sha, target.build_digest, target.runtime_digest, now, sha)
        store.close_attempt(attempt, Closing("converged", "deployed", now, proven=proven))

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(deploy, targets))


@contextmanager
def standing_service() -> Iterator[int]:
    """A process that runs until the end; its pid."""
    # With no environment: it stands for the services of all targets, and one that has any must carry its own mark.
    service = subprocess.Popen(["sleep", "infinity"], env={})
    try:
        yield service.pid
    finally:
        service.terminate()
        service.wait()
