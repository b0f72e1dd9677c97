"""Desired, observed and recorded: the three things a plan is made of.

Unknown is not absent (law 5): whatever could not be read is an `Unknown` with its reason, never an
empty value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from .names import TargetId


@dataclass(frozen=True, slots=True)
class Unknown:
    """Could not be read just now."""

    code: str
    message: str
    since: datetime | None = None
    hint: str = ""


# --- desired ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    """The branch's head and when it was read. `stale` says why it could not be read again since."""

    ref: str
    sha: str
    seen_at: datetime
    stale: Unknown | None = None


@dataclass(frozen=True, slots=True)
class NoBranch:
    """The remote answered and has no such branch."""

    ref: str


Lineage = Literal["same", "descends", "rewind", "unknown"]
"""How the new head relates to the last healthy revision; `unknown` while the mirror lacks one of them."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What git says for one target."""

    head: Head | NoBranch | Unknown
    lineage: Lineage = "unknown"
    commits: int | None = None
    """How many commits the head is ahead of the healthy revision, where the mirror knows."""


# --- observed --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReleaseMark:
    """What the seal inside a complete release directory says."""

    sha: str
    build_digest: str
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the service was last started with; written after the start, read to know what runs."""

    release: str
    runtime_digest: str


@dataclass(frozen=True, slots=True)
class Layout:
    """What lies under `app_path`."""

    releases: Mapping[str, ReleaseMark] = field(default_factory=dict)
    """Complete (sealed) releases by directory name; a directory without a seal is not listed."""
    current: str | None = None
    """The release that `current` points at; None when there is no link, or it points elsewhere."""
    stamp: Stamp | None = None
    runtimes: frozenset[str] = frozenset()
    """Digests of the runtime descriptions kept for returning to."""


Run = Literal["running", "starting", "stopped", "failed", "missing"]


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What the service manager says. `missing`: it knows no such unit."""

    run: Run
    pid: int | None = None
    restarts: int = 0
    """`NRestarts`: how often the manager itself has started it again."""
    since: datetime | None = None
    message: str = ""
    """Why it is not running, in the manager's words."""
    enabled: bool = True
    """Comes back after a reboot; always true for managers without the notion."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    ok: bool
    message: str
    """`HTTP 500`, `connection refused`, `exit 3`."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the machine says for one `api` target, read afresh."""

    layout: Layout | Unknown
    service: ServiceState | Unknown
    unit_matches: bool = True
    """False when a unit or drop-in that Fraisier keeps is missing or differs from what is kept."""
    probe: ProbeResult | None = None
    """None when the target was not probed (nothing runs, or the check is the manager itself)."""


# --- recorded --------------------------------------------------------------------------------

Fault = Literal["revision", "configuration", "person"]


@dataclass(frozen=True, slots=True)
class HealthyRevision:
    """A revision proven healthy by both stages of its gate."""

    ref: str
    sha: str
    build_digest: str
    runtime_digest: str
    at: datetime
    release: str = ""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Not tried again by itself. `sha` None: whatever the revision (a fault of the configuration)."""

    sha: str | None
    config_digest: str
    fault: Fault
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class BackOff:
    """Transient failures in a row of one goal, and when the next try is due."""

    sha: str
    config_digest: str
    failures: int
    until: datetime
    message: str


@dataclass(frozen=True, slots=True)
class OpenGate:
    """A health gate whose deadline was stored before a crash or a restart; it still counts (law 9)."""

    release: str
    runtime_digest: str
    deadline_at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the store last knew of one target: for returning, back-off and quarantine only (law 3)."""

    healthy: tuple[HealthyRevision, ...] = ()
    """Newest proof first, each (sha, build, runtime) once, at most `HEALTHY_KEPT`."""
    attempted: str | None = None
    quarantines: tuple[Quarantine, ...] = ()
    back_off: BackOff | None = None
    gate: OpenGate | None = None
    rewinds: frozenset[str] = frozenset()
    """SHAs that a person accepted although the branch was rewound."""
    forced: bool = False
    """A person asked to deploy again although nothing differs."""


HEALTHY_KEPT = 20


@dataclass(frozen=True, slots=True)
class DependencyState:
    """One line of `depends_on`, as it stands now."""

    id: TargetId
    ready: bool
    message: str = ""
