"""What lies under `app_path`, in memory; every change is one atomic effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from ..model.errors import ConfigFault, Transient
from ..model.ports import Runtime
from ..model.state import Difference, Inspection, Layout, ReleaseMark, Stamp, Unknown
from .faults import Faults


@dataclass(slots=True)
class FakeApp:
    """One `app_path`."""

    marks: dict[str, ReleaseMark] = field(default_factory=dict)
    current: str | None = None
    stamp: Stamp | None = None
    runtimes: dict[str, Runtime] = field(default_factory=dict)
    files: dict[str, dict[str, Difference]] = field(default_factory=dict)
    """By release and path, what somebody did to its files."""
    links: dict[str, dict[str, Difference]] = field(default_factory=dict)
    """By release and entry, what somebody did to its links to what is shared."""
    occupied: set[tuple[str, str]] = field(default_factory=set)
    """Releases and entries where something that is not empty is in a link's place."""

    def forget(self, release: str) -> None:
        """What is made under that name is as it should be."""
        self.marks.pop(release, None)
        self.files.pop(release, None)
        self.links.pop(release, None)
        self.occupied = {(of, entry) for of, entry in self.occupied if of != release}


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

    def inspect(self, app_path: str, release: str, shared: Iterable[str]) -> Inspection | Unknown:
        if self.unreadable is not None:
            return self.unreadable
        app = self.app(app_path)
        files, links = app.files.get(release, {}), app.links.get(release, {})
        lost = (links[entry] for entry in sorted(shared) if entry in links)
        return Inspection(release, tuple(files[path] for path in sorted(files)), tuple(lost))

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
        app.forget(release)
        fresh = f"{app_path}/releases/.new-{release}"
        self.directories.pop(fresh, None)
        fill(fresh)
        with self.faults.effect("releases.create"):
            self.directories[final] = self.directories.pop(fresh, "")

    def seal(self, app_path: str, release: str, mark: ReleaseMark) -> None:
        if self.path(app_path, release) not in self.directories:
            raise Transient(f"{self.path(app_path, release)} is not there", code="host_error")
        sealed = self.app(app_path).marks.get(release)
        if sealed is not None and (sealed.sha, sealed.build_digest) == (mark.sha, mark.build_digest):
            return
        with self.faults.effect("releases.seal"):
            self.app(app_path).marks[release] = mark

    def condemn(self, app_path: str, release: str) -> None:
        app = self.app(app_path)
        mark = app.marks.get(release)
        if mark is None or mark.is_changed or self.path(app_path, release) not in self.directories:
            return
        with self.faults.effect("releases.condemn"):
            app.marks[release] = replace(mark, is_changed=True)

    def share(self, app_path: str, release: str, shared: Iterable[str], run_as: str | None) -> None:
        del run_as
        app = self.app(app_path)
        for entry in shared:
            if (release, entry) in app.occupied:
                raise ConfigFault(f"{entry} is in the place of a link, and not empty", code="shared_occupied")
            if entry in app.links.get(release, {}):
                with self.faults.effect("releases.share"):
                    del app.links[release][entry]

    def activate(self, app_path: str, release: str) -> None:
        app = self.app(app_path)
        if release not in app.marks or self.path(app_path, release) not in self.directories:
            raise Transient(f"{self.path(app_path, release)} is not complete", code="release_not_sealed")
        if app.marks[release].is_changed:
            raise Transient(f"{self.path(app_path, release)} was changed", code="release_changed")
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
                    app.forget(release)
                    self.directories.pop(self.path(app_path, release), None)
        for digest in runtimes:
            with self.faults.effect("releases.remove_runtime"):
                app.runtimes.pop(digest, None)

    def remove_app(self, app_path: str) -> None:
        if app_path not in self.apps:
            return
        with self.faults.effect("releases.remove_app"):
            del self.apps[app_path]
            for path in [path for path in self.directories if path.startswith(f"{app_path}/")]:
                del self.directories[path]

    # -- what people do by hand

    def change_file(
        self, app_path: str, release: str, path: str, found: Literal["changed", "missing"] = "changed"
    ) -> None:
        """Somebody edits or removes a file of the commit."""
        self.app(app_path).files.setdefault(release, {})[path] = Difference(path, found)

    def lose_link(
        self, app_path: str, release: str, entry: str, found: Literal["changed", "missing"] = "missing"
    ) -> None:
        """Somebody removes a link to what is shared, or points it elsewhere."""
        self.app(app_path).links.setdefault(release, {})[entry] = Difference(entry, found)

    def occupy_link(self, app_path: str, release: str, entry: str) -> None:
        """Somebody puts something of worth in the place of a link to what is shared."""
        self.lose_link(app_path, release, entry, "changed")
        self.app(app_path).occupied.add((release, entry))

    def lose_directory(self, app_path: str, release: str) -> None:
        """Somebody removes a release by hand."""
        self.directories.pop(self.path(app_path, release), None)
