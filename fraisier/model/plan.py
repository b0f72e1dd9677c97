"""Plans, actions, steps, reasons and holds: what would be done to each target, and why.

The same objects are shown by the CLI, run by the daemon and kept in the store (law 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, Protocol

from .config import DriftField
from .names import TargetId
from .ports import Context
from .state import HealthyRevision


class ReasonCode(StrEnum):
    """The closed list of why something is done or held; each has its sentence in `docs/reasons.md`."""

    NEVER_DEPLOYED = "never_deployed"
    HEAD_MOVED = "head_moved"
    CONFIG_CHANGED = "config_changed"
    REQUESTED = "requested"
    UNFINISHED = "unfinished"
    """The last attempt did not get as far as proving health."""
    DRIFT_SERVICE = "drift_service"
    DRIFT_LINK = "drift_link"
    DRIFT_RELEASE = "drift_release"
    DRIFT_UNIT = "drift_unit"
    DRIFT_ENABLED = "drift_enabled"
    DRIFT_FILES = "drift_files"
    DRIFT_SHARED = "drift_shared"
    PINNED = "pinned"
    TRIED = "tried"
    UNPINNED = "unpinned"
    """The pin or the trial that the running revision came from has ended."""
    STOPPED_BY_PERSON = "stopped_by_person"
    LEFT_CONFIGURATION = "left_configuration"
    RETURN_TO_HEALTHY = "return_to_healthy"
    NOTHING_TO_RETURN_TO = "nothing_to_return_to"
    IN_SYNC = "in_sync"
    # holds
    QUARANTINED = "quarantined"
    BACK_OFF = "back_off"
    REWIND = "rewind"
    SIGNATURE = "signature"
    DEPENDENCY = "dependency"
    BRANCH_MISSING = "branch_missing"
    TAG_MISSING = "tag_missing"
    CONFIG_INVALID = "config_invalid"
    SUSPENDED = "suspended"
    WINDOW = "window"
    APPROVAL = "approval"
    REPAIR_BUDGET = "repair_budget"
    DRIFT_REPORTED = "drift_reported"
    """`on_drift: report`: shown, and left to people."""
    # incomplete
    REMOTE_UNREACHABLE = "remote_unreachable"
    HOST_UNREADABLE = "host_unreadable"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Drift:
    """One way in which the machine is not as it was left."""

    field: DriftField
    desired: str
    observed: str

    def __str__(self) -> str:
        return f"desired {self.desired}, observed {self.observed}"


@dataclass(frozen=True, slots=True)
class Reason:
    code: ReasonCode
    message: str
    drift: Drift | None = None
    """What was desired and what was found, where it is about drift."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Keeps a plan from running; `to_go_on` is what a person does to end it (law 16)."""

    code: ReasonCode
    message: str
    to_go_on: str
    until: datetime | None = None
    """When it ends by itself, if it does."""


ActionKind = Literal["deploy", "reconfigure", "repair", "run", "roll_back", "remove", "none"]
ACTION_KINDS: tuple[ActionKind, ...] = ("deploy", "reconfigure", "repair", "run", "roll_back", "remove", "none")

Sync = Literal["in_sync", "pending", "drifted", "held", "unknown"]
Health = Literal["healthy", "degraded", "progressing", "stopped", "unknown"]
Outcome = Literal["converged", "failed", "rolled_back", "interrupted", "superseded"]
Trigger = Literal["poll", "webhook", "config", "schedule", "drift", "request", "start"]


class Step(Protocol):
    """One idempotent change that describes itself.

    `apply` may be called again after it succeeded, failed or was cut off at any point, and then
    ends in the same state (law 4). It raises `Transient`, `RevisionFault`, `ConfigFault` or
    `Interrupted`, by what must happen next.
    """

    @property
    def kind(self) -> str:
        """Its name in the journal, the plan and the registry: `restart`."""
        ...

    @property
    def undo(self) -> str:
        """How it is undone when a later step fails, or why it need not or cannot be."""
        ...

    def summary(self) -> str:
        """A few words for one line of a plan: `restart api.service`."""
        ...

    def apply(self, context: Context) -> None: ...


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done to one target, why, and what keeps it from being done."""

    id: TargetId
    action: ActionKind
    sync: Sync
    reasons: tuple[Reason, ...]
    steps: tuple[Step, ...] = ()
    from_revision: str | None = None
    to_revision: str | None = None
    ref: str = ""
    commits: int | None = None
    held_by: tuple[Hold, ...] = ()
    notes: tuple[Hold, ...] = ()
    """What people have arranged and should not forget: a pin, a trial, a suspension with nothing to hold,
    drift that is only reported. They keep nothing from running.
    """
    incomplete: tuple[Reason, ...] = ()
    """What could not be read; a plan with any of these is not complete (law 5)."""
    on_failure: str = ""
    config_digest: str = ""
    proves: Goal | None = None
    """What is proven healthy when all steps have succeeded."""
    hash: str = ""
    """What an approval is bound to: equal as long as the same is deployed over the same."""
    basis: Mapping[str, str] = field(default_factory=dict)
    """What the action was made from, by name, where a plan is shown or saved (`planning/basis.py`)."""
    estimate: float | None = None
    """Seconds such an action has taken lately, where history knows."""

    @property
    def is_held(self) -> bool:
        return bool(self.held_by)

    @property
    def is_runnable(self) -> bool:
        return bool(self.steps) and not self.held_by


@dataclass(frozen=True, slots=True)
class Goal:
    """The state a plan leads to: code, build and runtime together."""

    ref: str
    sha: str
    release: str
    build_digest: str
    runtime_digest: str
    is_chosen: bool = False
    """A person pinned or tries it."""

    def is_what_was(self, proven: HealthyRevision) -> bool:
        """Whether it is the very code, build and runtime that was proven healthy."""
        return (self.sha, self.build_digest, self.runtime_digest) == (
            proven.sha,
            proven.build_digest,
            proven.runtime_digest,
        )


@dataclass(frozen=True, slots=True)
class Basis:
    """What a plan was made from; a saved plan is stale when any of it moved."""

    server: str
    config_digest: str
    heads: tuple[tuple[str, str], ...] = ()
    """(identifier, sha) of every head that was known; what else each target was seen as is in its action."""
    heads_seen_at: datetime | None = None
    """When the oldest of those heads was read."""
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions for a set of targets, dependencies first."""

    basis: Basis
    actions: tuple[Action, ...] = field(default=())

    FORMAT_VERSION: ClassVar[str] = "1.1"

    @property
    def complete(self) -> bool:
        return not any(action.incomplete for action in self.actions)

    @property
    def is_noop(self) -> bool:
        return not any(action.steps for action in self.actions)
