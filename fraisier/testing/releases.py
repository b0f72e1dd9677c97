"""What lies under `app_path`, in memory; every change is one atomic effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..model.errors import Transient
from ..model.ports import Runtime
from ..model.state import Layout, ReleaseMark, Stamp, Unknown
from .faults import Faults


@dataclass(slots=True)
class FakeApp:
    """One `app_path`."""

    marks: dict[str, ReleaseMark] = field(default_factory=dict)
    current: str | None = None
    stamp: Stamp | None = None
    runtimes: dict[str, Runtime] = field(default_factory=dict)


@dataclass(slots=True)
class FakeReleases:
    faults: Faults
    directories: dict[str, str]
    """Path of a directory -> the SHA that was written into it."""
    apps: dict[str, FakeApp] = field(default_factory=dict)
    unreadable: Unknown | None = None
    space: bool = True

    def app(self, app_path: str) -> FakeApp:
        return self.apps.setdefault(app_path, FakeApp())

    def layout(self, app_path: str) -> Layout | Unknown:
        if self.unreadable is not None:
            return self.unreadable
        app = self.app(app_path)
        there = {name: mark for name, mark in app.marks.items() if self.path(app_path, name) in self.directories}
        return Layout(there, app.current, app.stamp, frozenset(app.runtimes))

    def path(self, app_path: str, release: str) -> str:
        return f"{app_path}/releases/{release}"

    def has_space(self, app_path: str) -> bool:
        del app_path
        return self.space

    def create(
        self,
        app_path: str,
        release: str,
        fill: Callable[[str], None],
        *,
        shared: Iterable[str] = (),
        run_as: str | None = None,
        keep: Iterable[str] = (),
    ) -> None:
        del shared, run_as, keep
        app, final = self.app(app_path), self.path(app_path, release)
        if release in app.marks and final in self.directories:
            return
        app.marks.pop(release, None)
        fresh = f"{app_path}/releases/.new-{release}"
        self.directories.pop(fresh, None)
        fill(fresh)
        with self.faults.effect("releases.create"):
            self.directories[final] = self.directories.pop(fresh, "")

    def seal(self, app_path: str, release: str, mark: ReleaseMark) -> None:
        if self.path(app_path, release) not in self.directories:
            raise Transient(f"{self.path(app_path, release)} is not there", code="host_error")
        with self.faults.effect("releases.seal"):
            self.app(app_path).marks[release] = mark

    def activate(self, app_path: str, release: str) -> None:
        app = self.app(app_path)
        if release not in app.marks or self.path(app_path, release) not in self.directories:
            raise Transient(f"{self.path(app_path, release)} is not complete", code="release_not_sealed")
        with self.faults.effect("releases.activate"):
            app.current = release

    def stamp(self, app_path: str, stamp: Stamp | None) -> None:
        with self.faults.effect("releases.stamp"):
            self.app(app_path).stamp = stamp

    def keep_runtime(self, runtime: Runtime) -> None:
        with self.faults.effect("releases.keep_runtime"):
            self.app(runtime.app_path).runtimes[runtime.digest] = runtime

    def runtime(self, app_path: str, digest: str) -> Runtime:
        runtime = self.app(app_path).runtimes.get(digest)
        if runtime is None:
            raise Transient(f"the runtime {digest} is not there", code="runtime_missing")
        return runtime

    def remove(self, app_path: str, releases: Iterable[str], runtimes: Iterable[str] = ()) -> None:
        app = self.app(app_path)
        for release in releases:
            if release != app.current:
                with self.faults.effect("releases.remove"):
                    app.marks.pop(release, None)
                    self.directories.pop(self.path(app_path, release), None)
        for digest in runtimes:
            with self.faults.effect("releases.remove_runtime"):
                app.runtimes.pop(digest, None)

    def lose_directory(self, app_path: str, release: str) -> None:
        """Somebody removes a release by hand."""
        self.directories.pop(self.path(app_path, release), None)
