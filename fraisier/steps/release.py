"""Make the directory of a release from the exact commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..model.names import short
from ..model.ports import Context
from ..model.state import ReleaseMark


@dataclass(frozen=True, slots=True)
class CreateRelease:
    """Leaves an unsealed release for `build` to finish, or a sealed one where there is nothing to build."""

    kind: ClassVar[str] = "release"
    undo: ClassVar[str] = "nothing to undo: nothing points at it, and the next try replaces it"

    app_path: str
    release: str
    remote: str
    sha: str
    build_digest: str
    shared: tuple[str, ...]
    run_as: str | None
    has_build: bool
    unit_file: str | None = None
    """Installed from the copy that is kept of it, never from the release."""

    def summary(self) -> str:
        return f"release {short(self.sha)}"

    def apply(self, context: Context) -> None:
        host = context.host
        host.releases.create(
            self.app_path,
            self.release,
            lambda directory: host.git.export(self.remote, self.sha, directory),
            shared=self.shared,
            run_as=self.run_as,
            keep=() if self.unit_file is None else (self.unit_file,),
        )
        if not self.has_build:
            host.releases.seal(self.app_path, self.release, ReleaseMark(self.sha, self.build_digest, host.clock.now()))
