"""Desired, observed and recorded: the three things a plan is made of.

Unknown is not absent (law 5): whatever could not be read is an `Unknown` with its reason, never an
empty value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from .names import Scope, TargetId
from .selection import Selection


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
    """What the selection comes to and when that was read. `stale` says why it could not be read again since."""

    ref: str
    """Short name of the branch or tag; empty for a commit that was named itself."""
    sha: str
    seen_at: datetime
    stale: Unknown | None = None


@dataclass(frozen=True, slots=True)
class NoRevision:
    """The remote answered and has nothing that is selected: no such branch, no tag in the range."""

    selection: Selection


Lineage = Literal["same", "descends", "rewind", "unknown"]
"""How the new head relates to the last healthy revision; `unknown` while the mirror lacks one of them."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Whether the revision is signed as `verify` asks. `is_good` None: it is not here yet to be checked."""

    is_good: bool | None
    message: str = ""
    """Who signed it, or what is wrong, for people."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What git says for one target."""

    head: Head | NoRevision | Unknown
    lineage: Lineage = "unknown"
    commits: int | None = None
    """How many commits the head is ahead of the healthy revision, where the mirror knows."""
    signature: Signature | None = None
    """None where none is asked for, and for what was proven healthy already."""
    selection: Selection | None = None
    """What was selected: as declared, or as a person pinned it. None: as declared."""


# --- observed --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReleaseMark:
    """What the seal inside a complete release directory says."""

    sha: str
    build_digest: str
    sealed_at: datetime
    is_changed: bool = False
    """Its files were found changed since: never used again, and removed once nothing runs from it."""


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
class Difference:
    """One file that is not as it was left: its path (below the release, or absolute), and how it is."""

    path: str
    found: Literal["changed", "missing", "unexpected"]

    def __str__(self) -> str:
        return f"{self.path} {self.found}"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look into the current release found; a look into its files costs more than one at the rest."""

    release: str
    files: tuple[Difference, ...] = ()
    """Files of the commit that are not as they were when the release was sealed, by path."""
    shared: tuple[Difference, ...] = ()
    """`shared` entries whose link is missing or leads elsewhere."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the machine says for one `api` target, read afresh."""

    layout: Layout | Unknown
    service: ServiceState | Unknown
    units: tuple[Difference, ...] = ()
    """Units and drop-ins that Fraisier keeps and that are not as they should be."""
    inspection: Inspection | Unknown | None = None
    """The last one there was; None when nobody has looked yet."""
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
    is_chosen: bool = False
    """Proven while a person had pinned or tried it: not what the next head must descend from."""


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
class Suspension:
    """A person, or the safe mode, lets nothing be done to what `scope` covers."""

    scope: Scope
    reason: str
    by: str
    at: datetime
    until: datetime | None = None
    """When it ends by itself; None: when it is resumed."""
    stop: bool = False
    """Whether the services are to be stopped as long."""


@dataclass(frozen=True, slots=True)
class Override:
    """A person selected otherwise than is declared: `pin` until it is unpinned, `try` until `until`."""

    kind: Literal["pin", "try"]
    selection: Selection
    by: str
    at: datetime
    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody approved the deployment with this hash (`planning/basis.py`), and no other."""

    hash: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Emergency:
    """Somebody lets one revision pass the windows, and says why."""

    sha: str
    reason: str
    by: str
    at: datetime


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
    suspensions: tuple[Suspension, ...] = ()
    """Those that cover the target, narrowest scope first."""
    override: Override | None = None
    approval: Approval | None = None
    emergency: Emergency | None = None
    repairs: tuple[datetime, ...] = ()
    """When the repairs that succeeded ended, newest first, since anything but a repair did; at most `REPAIRS_KEPT`."""


HEALTHY_KEPT = 20
REPAIRS_KEPT = 100


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """What Fraisier has made on this server for one target, whatever the configuration says now."""

    id: TargetId
    type: str
    app_path: str
    unit: str
    runtime_digest: str
    """Of the runtime description that is kept under `app_path`: says which units are Fraisier's."""
    depends_on: tuple[TargetId, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class DependencyState:
    """One line of `depends_on`, as it stands now."""

    id: TargetId
    ready: bool
    message: str = ""
