"""The declaration: what `fraises.yaml` says, parsed, checked and frozen.

Durations are `timedelta`, paths are absolute strings, commands are argument lists. Values that may
be secret are `Text`. The three digests of a target are computed once, when the file is read, so
that planning compares strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from .names import TargetId
from .secret import Secret, Text
from .selection import Selection

Argv = tuple[str, ...]
ServiceManagerKind = Literal["systemd", "systemd-user", "process"]
Provider = Literal["github", "gitlab", "gitea", "bitbucket"]


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Healthy when a GET answers with one of `status`; redirects are not followed."""

    url: str
    status: tuple[range, ...] = (range(200, 300),)
    headers: Mapping[str, Text] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class TcpProbe:
    """Healthy when a connection is accepted."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class CommandProbe:
    """Healthy when the command, run in the release as `run_as`, exits 0."""

    argv: Argv

    def __str__(self) -> str:
        return " ".join(self.argv)


@dataclass(frozen=True, slots=True)
class ManagerProbe:
    """Healthy when the service manager says the service is running."""

    def __str__(self) -> str:
        return "service manager"


Probe = HttpProbe | TcpProbe | CommandProbe | ManagerProbe


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """Two stages (law 9): ready before `deadline`, then healthy without a break for `healthy_for`.

    `start_period` is how long a restart by the service manager is not held against the service.
    """

    probe: Probe = ManagerProbe()
    interval: timedelta = timedelta(seconds=1)
    timeout: timedelta = timedelta(seconds=3)
    start_period: timedelta = timedelta(0)
    healthy_for: timedelta = timedelta(seconds=10)
    deadline: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class WrittenService:
    """`service:` — Fraisier writes the unit, or with the `process` manager keeps the process itself."""

    exec: Argv
    """Relative programs (`.venv/bin/python`) are looked up in the release."""
    type: Literal["simple", "exec", "notify"] = "exec"
    restart: Literal["no", "on-failure", "always"] = "on-failure"
    port: int | None = None
    """Given to the service as `PORT`; two targets on one server may not share it."""
    memory_max: str | None = None
    cpu_quota: str | None = None
    stop_timeout: timedelta = timedelta(seconds=10)
    """How long after TERM a service may take before KILL."""


@dataclass(frozen=True, slots=True)
class Service:
    """The long-running service of an `api` target.

    Exactly one of three ways: `written` (Fraisier's own definition), `unit_file` (a path in the
    repository, installed and kept), or neither (a unit that exists already and is restarted and
    watched only).
    """

    unit: str
    """`api.service`: the unit's name, or the name the `process` manager keeps it under."""
    written: WrittenService | None = None
    unit_file: str | None = None


DriftField = Literal["service", "enabled", "unit", "link", "release", "files", "shared"]
DRIFT_FIELDS: tuple[DriftField, ...] = ("service", "enabled", "unit", "link", "release", "files", "shared")
DriftPolicy = Literal["repair", "report", "ignore"]


@dataclass(frozen=True, slots=True)
class OnDrift:
    """What is done about each way in which the machine may differ without a new revision."""

    default: DriftPolicy = "repair"
    fields: Mapping[DriftField, DriftPolicy] = field(default_factory=dict)
    """Those that are treated otherwise than the rest."""
    except_files: tuple[str, ...] = ()
    """Globs below the release (`var/cache/**`) whose changes are nobody's business."""

    def of(self, name: DriftField) -> DriftPolicy:
        return self.fields.get(name, self.default)


@dataclass(frozen=True, slots=True)
class RepairBudget:
    """How often drift that comes back is repaired: then it is left until the oldest repair is `within` ago."""

    at_most: int = 6
    within: timedelta = timedelta(hours=1)


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which deployments may begin (`allow`) or may not (`deny`), by the clock on the wall of `zone`.

    Days and dates are those on which it begins; one whose `end` is not after its `start` ends on the
    next day. `end` None is midnight at the end of the day.
    """

    name: str
    kind: Literal["allow", "deny"] = "allow"
    days: frozenset[Weekday] = frozenset(WEEKDAYS)
    start: time = time(0, 0)
    end: time | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    dates: tuple[tuple[date, date], ...] = ()
    """First and last day of each span; none: every date."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Whose signature a revision needs before anything advances to it (law 13).

    At least one of the files is given. A revision passes when any key of any file has signed it.
    """

    what: Literal["head", "tag", "both"] = "head"
    """The commit, the annotated tag that selects it, or both."""
    ssh_allowed_signers: str | None = None
    """A file after ssh-keygen(1), ALLOWED SIGNERS."""
    gpg_keys: str | None = None
    """A file of OpenPGP public keys, armoured or not: those keys and no others are good."""


@dataclass(frozen=True, slots=True)
class ApiTarget:
    """One `api` fraise in one environment on this server."""

    id: TargetId
    remote: str
    """An https, ssh or scp-like URL, or an absolute local path."""
    selection: Selection
    app_path: str
    service: Service
    build: tuple[Argv, ...] = ()
    shared: tuple[str, ...] = ()
    env: Mapping[str, Text] = field(default_factory=dict)
    run_as: str | None = None
    health: HealthCheck = HealthCheck()
    timeout: timedelta = timedelta(minutes=10)
    """For a whole attempt, health gate included."""
    keep_releases: int = 5
    depends_on: tuple[TargetId, ...] = ()
    on_drift: OnDrift = OnDrift()
    repairs: RepairBudget = RepairBudget()
    windows: tuple[Window, ...] = ()
    approval: bool = False
    """Whether a person has to approve each deployment."""
    verify: Verification | None = None
    config_digest: str = ""
    """Over everything that was declared for the target and may change how a revision fares: with the
    revision, the key of quarantine. What only says when and whether to act takes no part.
    """
    build_digest: str = ""
    """Over what a release directory depends on besides its SHA: `build`, `shared`, `run_as`, `env`."""
    runtime_digest: str = ""
    """Over what the running service depends on besides its release: `env`, `service`, `run_as`."""
    declared_at: str = ""
    """`fraises.yaml:14:9`."""
    declared: str = ""
    """What was declared, as JSON with secrets as keyed fingerprints: what `diff` compares."""

    type: Literal["api"] = "api"


Target = ApiTarget
"""Every kind of target; more kinds join this union with their service module."""


@dataclass(frozen=True, slots=True)
class Server:
    """The machine the daemon runs on."""

    name: str
    listen: tuple[str, int] = ("127.0.0.1", 8780)
    state: str | None = None
    service_manager: ServiceManagerKind = "process"
    workers: int = 4
    crash_limit: int = 5
    """Unclean ends of the daemon within ten minutes after which it starts in safe mode; 0: never."""


@dataclass(frozen=True, slots=True)
class Git:
    """How remotes are read."""

    provider: Provider | None = None
    poll: timedelta = timedelta(seconds=60)
    timeout: timedelta = timedelta(seconds=60)
    """For one conversation with one remote; then its whole process group is killed."""
    webhook_secrets: Mapping[Provider, tuple[Secret, ...]] = field(default_factory=dict)
    ssh_known_hosts: str | None = None
    ssh_key: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Everything one server needs to know; only the targets that are declared for it."""

    server: Server
    git: Git
    targets: Mapping[TargetId, Target]
    elsewhere: Mapping[TargetId, tuple[str, ...]] = field(default_factory=dict)
    """Targets of other servers, with the names of those servers."""
    digest: str = ""
