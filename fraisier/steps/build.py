"""Run the build commands in the release and seal it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..model.config import Argv
from ..model.errors import RevisionFault, Transient
from ..model.names import short
from ..model.ports import Command, CommandResult, Context
from ..model.secret import Text
from ..model.state import Layout, ReleaseMark
from .environment import command_environment


@dataclass(frozen=True, slots=True)
class Build:
    """Builds where the release will be run from, since what a build writes often holds its own path
    (the scripts of a Python virtual environment do); the seal, written last, is what makes the
    release complete.
    """

    kind: ClassVar[str] = "build"
    undo: ClassVar[str] = "nothing to undo: nothing points at the release, and without its seal nothing will"

    identifier: str
    app_path: str
    release: str
    sha: str
    build_digest: str
    commands: tuple[Argv, ...]
    env: Mapping[str, Text] = field(default_factory=dict)
    run_as: str | None = None

    def summary(self) -> str:
        return "build" if len(self.commands) == 1 else f"build ({len(self.commands)} commands)"

    def apply(self, context: Context) -> None:
        releases = context.host.releases
        layout = releases.layout(self.app_path)
        if isinstance(layout, Layout) and self.release in layout.releases:
            return  # sealed: this very build was done
        directory = releases.path(self.app_path, self.release)
        env = command_environment(self.env, identifier=self.identifier, sha=self.sha, release=directory)
        for argv in self.commands:
            context.note(f"$ {shlex.join(argv)}")
            command = Command(argv, directory, env, self.run_as, context.remaining(), context.log)
            self._judge(argv, context.host.commands.run(command, context.interrupt), context)
        releases.seal(self.app_path, self.release, ReleaseMark(self.sha, self.build_digest, context.host.clock.now()))

    def _judge(self, argv: Argv, result: CommandResult, context: Context) -> None:
        if result.exit_code == 0:
            return
        what = f"build of {short(self.sha)}: `{shlex.join(argv)}`"
        tail = f"\n{result.tail}" if result.tail else ""
        if not context.host.releases.has_space(self.app_path):
            raise Transient(
                f"{what} failed while the disk under {self.app_path} is full{tail}",
                code="disk_full",
                hint=f"make room under {self.app_path}; it is tried again by itself",
            )
        if result.timed_out:
            raise RevisionFault(
                f"{what} did not end within the attempt's timeout and was killed{tail}",
                code="build_timeout",
                hint="push a commit that builds faster, or raise `timeout`",
            )
        raise RevisionFault(
            f"{what} exited {result.exit_code}{tail}",
            code="build_failed",
            hint=f"push a commit that builds; the whole output: fraisier logs {self.identifier.replace('/', ' ')}",
        )
