"""Look at one target, or all, and plan: the same for the CLI, the daemon and the API (law 2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..model.config import Config, Target
from ..model.names import TargetId, short
from ..model.plan import Action, ActionKind, Basis, Health, Hold, Plan, ReasonCode, Sync
from ..model.ports import Host, Interrupt, ServiceRef
from ..model.records import Status, Store
from ..model.selection import Exact, Selection
from ..model.state import (
    BackOff,
    DependencyState,
    Desired,
    Head,
    Inspection,
    Observed,
    ProbeResult,
    Recorded,
    Unknown,
)
from ..planning.basis import basis, deployment_hash
from ..planning.gates import Circumstances, gate
from ..planning.order import dependencies_first
from ..planning.standing import ends_at, override_note, selection_of, standing_at, suspension_hold
from ..services.registry import Glimpse, service_type
from .desire import Heads, desire, head_of, read_heads
from .removal import removals


@dataclass(frozen=True, slots=True)
class Look:
    """One target as seen just now, and what would be done to it."""

    target: Target
    desired: Desired
    observed: Observed
    recorded: Recorded
    action: Action
    status: Status
    wake_at: datetime | None = None
    """When something ends by itself that keeps the target as it is: a hold, a pin, a trial, a suspension."""

    @property
    def shown(self) -> Action:
        """The action with what it was made from, for people to see and to save."""
        hashed = deployment_hash(self.target, self.action, self.recorded)
        return replace(
            self.action,
            hash=hashed if self.action.action in ("deploy", "reconfigure") else "",
            basis=basis(self.target, self.desired, self.observed, self.recorded),
        )


@dataclass(frozen=True, slots=True)
class Eyes:
    """Everything a look needs. It writes nothing."""

    host: Host
    store: Store
    config: Config
    probes: Mapping[TargetId, ProbeResult] = field(default_factory=dict)
    """The last probe of each target that the daemon probes while nothing else happens to it."""

    inspections: Mapping[TargetId, Inspection | Unknown] = field(default_factory=dict)
    """The last look into the release of each target, which the daemon takes less often than the others."""

    holds: Mapping[TargetId, Hold] = field(default_factory=dict)
    """Targets whose configuration has problems: looked at as last good, and nothing new is deployed."""

    def look(
        self,
        target: Target,
        heads: Heads,
        *,
        glimpse: Glimpse | None = None,
        interrupt: Interrupt | None = None,
        inspects: bool = False,
        afresh: bool = False,
        gated: bool = True,
    ) -> Look:
        """`inspects`: looks into the release now. `afresh`: that, and goes by no earlier probe. `gated` False:
        for an attempt that is at work, whose way back nothing may hold.
        """
        kind, now = service_type(target), self.host.clock.now()
        recorded = standing_at(self.store.recorded(target.id), now)
        head = head_of(selection_of(target, recorded), target.remote, heads, self.store)
        desired = desire(target, head, recorded, self.host.git, interrupt)
        observed = self._observe(target, glimpse, inspects=inspects or afresh)
        if not afresh:
            observed = replace(observed, probe=self.probes.get(target.id))
        planned = kind.plan(target, desired, observed, recorded)
        around = Circumstances(target, recorded, self.dependencies(target), now, self.holds.get(target.id))
        action = _noted(gate(planned, around) if gated else planned, recorded)
        status = self._status(target, desired, observed, recorded, action)
        return Look(target, desired, observed, recorded, action, status, _wake_at(action, recorded))

    def _observe(self, target: Target, glimpse: Glimpse | None, *, inspects: bool) -> Observed:
        kind = service_type(target)
        inspection = kind.inspect(target, self.host) if inspects else self.inspections.get(target.id)
        return replace(kind.observe(target, self.host, glimpse), inspection=inspection)

    def selection(self, target: Target) -> Selection:
        """What is selected of the target's remote just now."""
        return selection_of(target, standing_at(self.store.recorded(target.id), self.host.clock.now()))

    def dependencies(self, target: Target) -> Iterable[DependencyState]:
        """Lazily, since only a target with steps asks: "healthy at my desired revision" (law 15)."""
        for other in target.depends_on:
            yield self._dependency(self.config.targets.get(other), other)

    def _dependency(self, other: Target | None, id: TargetId) -> DependencyState:
        if other is None:
            return DependencyState(id, False, "it is not configured on this server, or held")
        recorded = standing_at(self.store.recorded(id), self.host.clock.now())
        if not recorded.healthy:
            return DependencyState(id, False, "it was never healthy")
        if any(each.stop for each in recorded.suspensions):
            return DependencyState(id, False, "it is suspended and stopped")
        proven = recorded.healthy[0]
        if self._wanted(other, recorded) != proven.sha or proven.runtime_digest != other.runtime_digest:
            return DependencyState(id, False, "it is not healthy at its desired revision")
        return DependencyState(id, True)

    def _wanted(self, target: Target, recorded: Recorded) -> str | None:
        selection = selection_of(target, recorded)
        if isinstance(selection, Exact):
            return selection.sha
        head = self.store.heads(target.remote).get(selection.key)
        return None if head is None else head.sha

    def _status(
        self, target: Target, desired: Desired, observed: Observed, recorded: Recorded, action: Action
    ) -> Status:
        held = action.held_by[0] if action.held_by else self.holds.get(target.id)
        why = held or (action.incomplete or (action.reasons if action.steps else action.notes) or action.reasons)[0]
        head = desired.head
        return Status(
            id=target.id,
            type=target.type,
            ref=head.ref or short(head.sha) if isinstance(head, Head) else str(desired.selection),
            desired=head.sha if isinstance(head, Head) else None,
            sync=_sync(action, held),
            health=_with_failures(
                service_type(target).health(target, observed, recorded), recorded.back_off if action.steps else None
            ),
            reason_code=why.code.value,
            reason_message=why.message,
            to_go_on=why.to_go_on if isinstance(why, Hold) else "",
            running=action.from_revision,
            held_by=action.held_by or (() if held is None else (held,)),
            drift=tuple(reason.drift for reason in action.reasons if reason.drift is not None),
            suspension=recorded.suspensions[0] if recorded.suspensions else None,
            override=recorded.override,
        )


def _sync(action: Action, held: Hold | None) -> Sync:
    """A plan from stale or missing knowledge that finds nothing to do is not called in sync; drift that is
    only reported is drift.
    """
    if held is not None:
        return "drifted" if held.code is ReasonCode.DRIFT_REPORTED else "held"
    return "unknown" if action.incomplete and action.sync == "in_sync" else action.sync


def _noted(action: Action, recorded: Recorded) -> Action:
    """With what people have arranged, so that nobody forgets it."""
    notes = list(action.notes)
    if recorded.override is not None:
        notes.append(override_note(action.id, recorded.override))
    held = any(hold.code is ReasonCode.SUSPENDED for hold in action.held_by)
    suspension = None if held else suspension_hold(action.id, recorded.suspensions)
    if suspension is not None:
        notes.append(suspension)
    return replace(action, notes=tuple(notes)) if len(notes) > len(action.notes) else action


def _wake_at(action: Action, recorded: Recorded) -> datetime | None:
    moments = [hold.until for hold in action.held_by]
    moments.append(ends_at(recorded))
    return min((moment for moment in moments if moment is not None), default=None)


def _with_failures(health: Health, back_off: BackOff | None) -> Health:
    """A target that still has something to do after tries that failed is not called healthy."""
    return health if back_off is None or health in ("stopped", "unknown") else "degraded"


def make_plan(
    eyes: Eyes,
    targets: Collection[TargetId] | None = None,
    *,
    offline: bool = False,
    prune: bool = False,
    interrupt: Interrupt | None = None,
) -> Plan:
    """The plan for `targets` (all where None), dependencies first. Asks each remote once, writes nothing but
    the cache of commits, and that with an `interrupt` only (see `look_at`).

    With `prune`, what left the configuration is to be removed, dependants first. Raises `Refused` when
    the configuration is none that removes anything.
    """
    config = eyes.config
    looks = look_at(eyes, targets, offline=offline, interrupt=None if offline else interrupt)
    durations = eyes.store.typical_durations([str(look.target.id) for look in looks])
    actions = [_estimated(look.shown, durations) for look in looks]
    if prune:
        actions += removals(eyes, targets)
    known = [(str(look.target.id), look.desired.head) for look in looks if isinstance(look.desired.head, Head)]
    seen: list[datetime] = [head.seen_at for _, head in known]
    basis = Basis(
        config.server.name,
        config.digest,
        tuple((identifier, head.sha) for identifier, head in known),
        min(seen, default=None),
        offline,
    )
    return Plan(basis, tuple(actions))


def look_at(
    eyes: Eyes,
    targets: Collection[TargetId] | None = None,
    *,
    offline: bool = False,
    interrupt: Interrupt | None = None,
) -> tuple[Look, ...]:
    """A look at each of `targets` (all where None), afresh, dependencies first; each remote is asked once.

    With an `interrupt` new heads are fetched, into the mirror or, where nothing is written, into a scratch
    one: only then a rewind and a signature are known before anything is deployed.
    """
    config = eyes.config
    wanted = [config.targets[id] for id in _in_order(config) if targets is None or id in targets]
    heads = _offline(wanted, eyes.host.clock.now()) if offline else ask_remotes(eyes, wanted)
    states = eyes.host.services.states([ServiceRef(t.service.unit, t.app_path) for t in wanted]) if wanted else {}
    glimpse = Glimpse(states)
    return tuple(
        eyes.look(target, heads[target.remote], glimpse=glimpse, interrupt=interrupt, afresh=True) for target in wanted
    )


def _estimated(action: Action, durations: Mapping[str, Mapping[ActionKind, float]]) -> Action:
    seconds = durations.get(str(action.id), {}).get(action.action)
    return action if seconds is None else replace(action, estimate=seconds)


def _in_order(config: Config) -> tuple[TargetId, ...]:
    return dependencies_first({id: target.depends_on for id, target in config.targets.items()})


def _offline(targets: Iterable[Target], now: datetime) -> Mapping[str, Heads]:
    unknown = Unknown("offline", "not asked (--offline)", now)
    return {target.remote: Heads(unknown, now) for target in targets}


REMOTES_AT_ONCE = 8


def selections_by_remote(eyes: Eyes, targets: Iterable[Target]) -> Mapping[str, frozenset[Selection]]:
    found: defaultdict[str, set[Selection]] = defaultdict(set)
    for target in targets:
        found[target.remote].add(eyes.selection(target))
    return {remote: frozenset(selections) for remote, selections in found.items()}


def ask_remotes(eyes: Eyes, targets: Iterable[Target]) -> Mapping[str, Heads]:
    """One `ls-remote` per remote, several at a time."""
    asked, git, now = selections_by_remote(eyes, targets), eyes.host.git, eyes.host.clock.now()
    if len(asked) == 1:
        return {remote: read_heads(git, remote, selections, now) for remote, selections in asked.items()}
    with ThreadPoolExecutor(REMOTES_AT_ONCE, thread_name_prefix="remotes") as pool:
        answers = pool.map(lambda item: read_heads(git, item[0], item[1], now), asked.items())
        return dict(zip(asked, answers, strict=True))
