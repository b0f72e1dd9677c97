"""Look at one target, or all, and plan: the same for the CLI, the daemon and the API (law 2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..model.config import Config, Target
from ..model.names import TargetId
from ..model.plan import Action, Basis, Health, Hold, Plan, Sync
from ..model.ports import Host, Interrupt, ServiceRef
from ..model.records import Status, Store
from ..model.state import BackOff, DependencyState, Desired, Head, Observed, ProbeResult, Recorded, Unknown
from ..planning.gates import gate
from ..planning.order import dependencies_first
from ..services.registry import Glimpse, service_type
from .desire import Heads, desire, head_of, read_heads


@dataclass(frozen=True, slots=True)
class Look:
    """One target as seen just now, and what would be done to it."""

    target: Target
    desired: Desired
    observed: Observed
    recorded: Recorded
    action: Action
    status: Status


@dataclass(frozen=True, slots=True)
class Eyes:
    """Everything a look needs. It writes nothing."""

    host: Host
    store: Store
    config: Config
    probes: Mapping[TargetId, ProbeResult] = field(default_factory=dict)
    """The last probe of each target that the daemon probes while nothing else happens to it."""

    holds: Mapping[TargetId, Hold] = field(default_factory=dict)
    """Targets whose configuration has problems: looked at as last good, and nothing new is deployed."""

    def look(
        self,
        target: Target,
        heads: Heads,
        *,
        glimpse: Glimpse | None = None,
        interrupt: Interrupt | None = None,
    ) -> Look:
        kind = service_type(target)
        recorded = self.store.recorded(target.id)
        head = head_of(target, heads, self.store)
        desired = desire(target, head, recorded, self.host.git, interrupt)
        observed = replace(kind.observe(target, self.host, glimpse), probe=self.probes.get(target.id))
        planned = kind.plan(target, desired, observed, recorded)
        now = self.host.clock.now()
        invalid = self.holds.get(target.id)
        action = gate(planned, recorded.back_off, self.dependencies(target), now, invalid)
        return Look(
            target, desired, observed, recorded, action, self._status(target, desired, observed, recorded, action)
        )

    def dependencies(self, target: Target) -> Iterable[DependencyState]:
        """Lazily, since only a target with steps asks: "healthy at my desired revision" (law 15)."""
        for other in target.depends_on:
            yield self._dependency(self.config.targets.get(other), other)

    def _dependency(self, other: Target | None, id: TargetId) -> DependencyState:
        if other is None:
            return DependencyState(id, False, "it is not configured on this server, or held")
        recorded = self.store.recorded(id)
        if not recorded.healthy:
            return DependencyState(id, False, "it was never healthy")
        head = self.store.heads(other.remote).get(other.branch)
        proven = recorded.healthy[0]
        if head is None or head.sha != proven.sha or proven.runtime_digest != other.runtime_digest:
            return DependencyState(id, False, "it is not healthy at its desired revision")
        return DependencyState(id, True)

    def _status(
        self, target: Target, desired: Desired, observed: Observed, recorded: Recorded, action: Action
    ) -> Status:
        held = action.held_by[0] if action.held_by else self.holds.get(target.id)
        why = held or (action.incomplete or action.reasons)[0]
        head = desired.head
        return Status(
            id=target.id,
            type=target.type,
            ref=target.branch,
            desired=head.sha if isinstance(head, Head) else None,
            sync="held" if held is not None else _sync(action),
            health=_with_failures(
                service_type(target).health(target, observed, recorded), recorded.back_off if action.steps else None
            ),
            reason_code=why.code.value,
            reason_message=why.message,
            to_go_on=held.to_go_on if held is not None else "",
            running=action.from_revision,
        )


def _sync(action: Action) -> Sync:
    """A plan from stale or missing knowledge that finds nothing to do is not called in sync."""
    return "unknown" if action.incomplete and action.sync == "in_sync" else action.sync


def _with_failures(health: Health, back_off: BackOff | None) -> Health:
    """A target that still has something to do after tries that failed is not called healthy."""
    return health if back_off is None or health in ("stopped", "unknown") else "degraded"


def make_plan(eyes: Eyes, targets: Collection[TargetId] | None = None, *, offline: bool = False) -> Plan:
    """The plan for `targets` (all where None), dependencies first. Asks each remote once, writes nothing."""
    config = eyes.config
    wanted = [config.targets[id] for id in _in_order(config) if targets is None or id in targets]
    heads = _offline(wanted, eyes.host.clock.now()) if offline else ask_remotes(eyes.host, wanted)
    states = eyes.host.services.states([ServiceRef(t.service.unit, t.app_path) for t in wanted]) if wanted else {}
    looks = [eyes.look(target, heads[target.remote], glimpse=Glimpse(states)) for target in wanted]
    known = [(str(look.target.id), look.desired.head) for look in looks if isinstance(look.desired.head, Head)]
    seen: list[datetime] = [head.seen_at for _, head in known]
    basis = Basis(
        config.server.name,
        config.digest,
        tuple((identifier, head.sha) for identifier, head in known),
        min(seen, default=None),
        offline,
    )
    return Plan(basis, tuple(look.action for look in looks))


def _in_order(config: Config) -> tuple[TargetId, ...]:
    return dependencies_first({id: target.depends_on for id, target in config.targets.items()})


def _offline(targets: Iterable[Target], now: datetime) -> Mapping[str, Heads]:
    unknown = Unknown("offline", "not asked (--offline)", now)
    return {target.remote: Heads(unknown, now) for target in targets}


REMOTES_AT_ONCE = 8


def branches_by_remote(targets: Iterable[Target]) -> Mapping[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for target in targets:
        found[target.remote].add(target.branch)
    return {remote: frozenset(branches) for remote, branches in found.items()}


def ask_remotes(host: Host, targets: Iterable[Target]) -> Mapping[str, Heads]:
    """One `ls-remote` per remote, several at a time."""
    asked = branches_by_remote(targets)
    now = host.clock.now()
    if len(asked) == 1:
        return {remote: read_heads(host.git, remote, branches, now) for remote, branches in asked.items()}
    with ThreadPoolExecutor(REMOTES_AT_ONCE, thread_name_prefix="remotes") as pool:
        answers = pool.map(lambda item: read_heads(host.git, item[0], item[1], now), asked.items())
        return dict(zip(asked, answers, strict=True))
