"""Protocols: everything the thinking half may ask of the machine, and how it is answered.

Steps and services reach the machine only through these. `fraisier.host` has the real ones,
`fraisier.testing` fakes that are proven by the same contract tests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from .config import Argv, HealthCheck, Service, ServiceManagerKind, Verification
from .secret import Text
from .selection import Pick, Selection
from .state import (
    Difference,
    Inspection,
    Layout,
    Lineage,
    OpenGate,
    ProbeResult,
    ReleaseMark,
    ServiceState,
    Signature,
    Stamp,
    Unknown,
)


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds; never jumps."""
        ...


class Interrupt(Protocol):
    """How waits are ended on purpose: a newer revision, a stop of the daemon, a person."""

    def check(self) -> None:
        """Raises `Interrupted` when it has been set."""
        ...

    def wait(self, seconds: float) -> None:
        """Returns after `seconds`; raises `Interrupted` at once when it is set meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a fraise, to be run as `run_as` in an environment built from nothing."""

    argv: Argv
    cwd: str
    env: Mapping[str, Text] = field(default_factory=dict)
    run_as: str | None = None
    timeout: float = 600.0
    """Seconds; then TERM, a few seconds of grace, and KILL for everything it started."""
    log: str | None = None
    """The file its output is appended to, capped in bytes with head and tail kept."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    exit_code: int
    """As a shell counts: 128 + n for signal n, 127 for a program that is not there."""
    tail: str
    """The last lines of its output, for the error that people see."""
    timed_out: bool = False


class Commands(Protocol):
    def run(self, command: Command, interrupt: Interrupt) -> CommandResult:
        """Runs to the end and leaves no process behind, whatever the command did.

        Raises `ConfigFault` for a `run_as` that does not exist or may not be become, `Transient`
        when no process can be started or the log cannot be written, `Interrupted` after having
        ended the command.
        """
        ...


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    subject: str
    author: str
    at: datetime


class Git(Protocol):
    """Remotes and their bare mirrors. Everything raises `Transient` when the remote or disk fails."""

    def heads(self, remote: str, selections: Collection[Selection]) -> Mapping[Selection, Pick]:
        """What each of `selections` comes to, those that come to something. One process, no more; none
        where all of them name commits. An annotated tag comes to the commit it is of.
        """
        ...

    def has(self, remote: str, sha: str) -> bool:
        """Whether the mirror has the commit already."""
        ...

    def fetch(self, remote: str, ref: str, sha: str, interrupt: Interrupt) -> None:
        """Brings `sha` into the mirror; nothing is done when it is there.

        `ref` is the short name of the branch or tag that is known to lead to it; where it is empty or
        does not lead there (any more), the commit itself is asked for, and then all branches and tags.
        A tag of that name is brought along as it is, with its signature.
        """
        ...

    def signature(self, remote: str, ref: str, sha: str, verification: Verification) -> Signature:
        """Whether `sha` (and the tag `ref`, where that is asked for) bears a good signature. Reads the
        mirror only; costs a process or two the first time and nothing while the files of keys stay as
        they are. Raises `ConfigFault` when a file of keys cannot be used.
        """
        ...

    def read_file(self, remote: str, sha: str, path: str) -> bytes | None:
        """A file as committed; None where the mirror lacks the commit, or the commit the file."""
        ...

    def committed_at(self, remote: str, sha: str) -> datetime | None:
        """When it was committed; None where the mirror lacks it."""
        ...

    def export(self, remote: str, sha: str, into: str) -> None:
        """Writes the files of `sha` into the existing empty directory `into`; no `.git`."""
        ...

    def lineage(self, remote: str, base: str, head: str) -> tuple[Lineage, int | None]:
        """How `head` relates to `base`, and how many commits it is ahead. Reads the mirror only."""
        ...

    def log(self, remote: str, base: str | None, head: str, limit: int) -> tuple[Commit, ...]:
        """Commits in `head` and not in `base`, newest first. Reads the mirror only."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """How a service runs, apart from the release it runs: kept on the machine, so that returning to
    an earlier revision returns to its environment and unit too.
    """

    digest: str
    identifier: str
    app_path: str
    service: Service
    env: Mapping[str, Text] = field(default_factory=dict)
    run_as: str | None = None


class Releases(Protocol):
    """`app_path`: `releases/<name>`, `current`, `shared/` and our own notes in `.fraisier/` (0700).

    Raises `Transient` for a disk that is full or fails and `ConfigFault` for a path that cannot
    be used.
    """

    def layout(self, app_path: str) -> Layout | Unknown: ...

    def path(self, app_path: str, release: str) -> str:
        """`<app_path>/releases/<release>`."""
        ...

    def inspect(self, app_path: str, release: str, shared: Iterable[str]) -> Inspection | Unknown:
        """Looks into a release: files of the commit that changed since the seal, missing links of `shared`.

        Reads no content where sizes, times and modes are as they were. What a build or the service wrote
        beside the files of the commit is its own business.
        """
        ...

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
        """Makes an unsealed release: `fill(directory)` beside it, shared links, ownership, rename into place.

        Files of it named in `keep` are first copied to where `run_as` cannot write; raises
        `RevisionFault` when one is not there.
        Replaces an unsealed one of that name; does nothing when a sealed one is there.
        """
        ...

    def seal(self, app_path: str, release: str, mark: ReleaseMark) -> None:
        """Marks a release as complete, durably, and notes how its files are. Only sealed ones are ever activated."""
        ...

    def condemn(self, app_path: str, release: str) -> None:
        """Marks a sealed release as changed (`ReleaseMark.is_changed`): it is never activated again."""
        ...

    def share(self, app_path: str, release: str, shared: Iterable[str], run_as: str | None) -> None:
        """Makes the links of `shared` that are missing or lead elsewhere. Raises `ConfigFault` where something
        else that is not empty has taken the place of one: it is nobody's to remove.
        """
        ...

    def activate(self, app_path: str, release: str) -> None:
        """Points `current` at a sealed release in one atomic, durable rename; never dangling."""
        ...

    def stamp(self, app_path: str, stamp: Stamp | None) -> None:
        """Notes what the service was last started with; None before it is started or stopped."""
        ...

    def keep_runtime(self, runtime: Runtime) -> None:
        """Writes the description, mode 0600, under its digest."""
        ...

    def runtime(self, app_path: str, digest: str) -> Runtime:
        """Reads it back. Raises `Transient` when it is not there or cannot be read."""
        ...

    def remove(self, app_path: str, releases: Iterable[str], runtimes: Iterable[str] = ()) -> None:
        """Removes releases (never the one `current` points at) and kept runtimes."""
        ...

    def remove_app(self, app_path: str) -> None:
        """Removes what Fraisier made there: releases, `current`, its notes; the folder itself only when that
        leaves it empty. Never `shared/`, nor anything else.
        """
        ...

    def has_space(self, app_path: str) -> bool:
        """False when the file system is so full that a failure may be due to it."""
        ...


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """Enough to find a service: its unit, and for the `process` manager where its notes are."""

    unit: str
    app_path: str


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A unit or drop-in that Fraisier keeps; None for what should not be there, or is not."""

    path: str
    desired: str | None
    observed: str | None


class ServiceManager(Protocol):
    """`process`, `systemd` or `systemd-user`."""

    @property
    def kind(self) -> ServiceManagerKind: ...

    def states(self, services: Sequence[ServiceRef]) -> Mapping[str, ServiceState | Unknown]:
        """The state of each by unit name; at most one child process for all of them."""
        ...

    def unit_differences(self, runtime: Runtime, release: str) -> tuple[Difference, ...]:
        """Units and drop-ins that Fraisier keeps and that are not on disk as they should be.

        `release` is the release's directory.
        """
        ...

    def unit_files(
        self, runtime: Runtime, release: str, kept: Mapping[str, bytes] | None = None
    ) -> tuple[UnitFile, ...]:
        """Each of them as it should be and as it is. `kept`: files of the repository by path, for a release
        that is not made yet.
        """
        ...

    def uninstall(self, runtime: Runtime) -> None:
        """Disables the unit where Fraisier wrote it, and removes the units and drop-ins that it keeps."""
        ...

    def install(self, runtime: Runtime, release: str) -> None:
        """Writes them where they differ, reloads the manager only when one did, and enables."""
        ...

    def restart(self, runtime: Runtime, release: str, timeout: float, interrupt: Interrupt) -> None:
        """Starts the service afresh on the release directory, ending an earlier one for certain.

        Returns when the manager has started it, which is not yet healthy. `Interrupted` is raised
        only where that leaves no service stopped: before the earlier one is ended, or while the
        manager itself goes on with the start. Raises `ConfigFault` when the unit does not exist,
        `RevisionFault` when the manager could not start it.
        """
        ...

    def stop(self, runtime: Runtime, timeout: float) -> None:
        """Stops it and everything it started. Nothing to do when it is not running."""
        ...

    def tidy(self, services: Sequence[ServiceRef]) -> None:
        """Keeps what services write from filling the disk; for the daemon, at every look."""
        ...

    def output(self, service: ServiceRef, lines: int) -> str:
        """The last lines the service itself wrote."""
        ...


class Prober(Protocol):
    def probe(self, check: HealthCheck, runtime: Runtime, release: str, state: ServiceState) -> ProbeResult:
        """One probe, ended after `check.timeout`. Never raises for an unhealthy answer."""
        ...


class Host(Protocol):
    """The machine: every facet by its Protocol."""

    @property
    def clock(self) -> Clock: ...
    @property
    def git(self) -> Git: ...
    @property
    def releases(self) -> Releases: ...
    @property
    def commands(self) -> Commands: ...
    @property
    def services(self) -> ServiceManager: ...
    @property
    def prober(self) -> Prober: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What one step is applied with."""

    host: Host
    interrupt: Interrupt
    ends_at: float
    """When the whole attempt is over (law 12), by the clock that never jumps."""
    log: str | None
    """Where the output of commands goes."""
    note: Callable[[str], None]
    """Tells people how it goes: one short line, shown live and kept in the journal's log."""
    open_gate: Callable[[OpenGate], None]
    """Stores the deadline of the health gate before the wait begins."""

    def remaining(self) -> float:
        """Seconds until the attempt's deadline, at least 0."""
        return max(0.0, self.ends_at - self.host.clock.monotonic())
