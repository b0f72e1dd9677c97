"""What may happen: others push, machines and hands do harm, people ask, the daemon looks and dies."""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import rule

from fraisier.model.config import DRIFT_FIELDS, HttpProbe, OnDrift, RepairBudget, Verification
from fraisier.model.errors import ConfigFault, Refused, StoreError, Transient
from fraisier.model.names import Scope
from fraisier.model.state import Unknown
from fraisier.reconcile.requests import rollback_payload
from fraisier.testing import Behaviour, PowerCut
from fraisier.testing.host import BREAKS, BROKEN
from tests.laws.machine_watch import Watched
from tests.laws.machine_world import BAD, CALENDARS, DB, SOUND

WHERE = st.sampled_from(["before", "after"])
EFFECT = st.integers(1, 45)
SECONDS = st.floats(0.5, 40)
HOURS = st.sampled_from([-24, -1, 1, 7, 24])
POLICIES = st.sampled_from(["repair", "report", "ignore"])
TICKS = st.integers(0, 2)
"""Cycles that follow at once: most of what happens is noticed soon."""
SCOPES = st.sampled_from([Scope("shop", "production"), Scope("shop"), Scope("db"), Scope()])


class Others(Watched):
    """Those who push, and the remote."""

    @rule(behaviour=st.sampled_from([Behaviour.HEALTHY, Behaviour.SLOW, *BAD]), is_signed=st.booleans(), ticks=TICKS)
    def push_to_main(self, behaviour: Behaviour, is_signed: bool, ticks: int) -> None:
        self.push(behaviour, is_signed=is_signed)
        self.ticks(ticks)

    @rule(ticks=TICKS)
    def push_a_good_one(self, ticks: int) -> None:
        self.push(Behaviour.HEALTHY)
        self.ticks(ticks)

    @rule(behaviour=st.sampled_from([Behaviour.HEALTHY, Behaviour.HEALTHY, Behaviour.UNHEALTHY]), ticks=TICKS)
    def push_what_it_depends_on(self, behaviour: Behaviour, ticks: int) -> None:
        self.push(behaviour, to=DB)
        for _ in range(ticks):
            self.watched(lambda: self.bench.cycle(DB), DB)

    @rule(behaviour=st.sampled_from([Behaviour.HEALTHY, Behaviour.UNHEALTHY]))
    def push_to_another_branch(self, behaviour: Behaviour) -> None:
        self.push(behaviour, branch="fix-x", onto=self.head())

    @rule(back=st.integers(1, 3), fork=st.booleans(), ticks=TICKS)
    def rewind(self, back: int, fork: bool, ticks: int) -> None:
        line = list(self.bench.remote.ancestry(self.head()))
        to = line[min(back, len(line) - 1)]
        if fork:
            self.push(Behaviour.HEALTHY, onto=to)
        else:
            self.bench.remote.branches["main"] = to
        self.ticks(ticks)

    @rule()
    def delete_the_branch(self) -> None:
        self.bench.remote.branches.pop("main", None)

    @rule(reachable=st.sampled_from([False, True, True]))
    def break_or_heal_the_remote(self, reachable: bool) -> None:
        self.bench.remote.reachable = reachable

    @rule()
    def lose_the_mirror(self) -> None:
        self.bench.host.git.mirrors.clear()


class Hands(Watched):
    """What befalls the machine and its configuration."""

    @rule(fields=st.lists(st.sampled_from(DRIFT_FIELDS), min_size=1, max_size=2), ticks=TICKS)
    def drift(self, fields: list[str], ticks: int) -> None:
        for field in fields:
            self._drift(field)
        self.ticks(ticks)

    def _drift(self, field: str) -> None:
        host, path, unit = self.bench.host, self.shop.app_path, self.shop.service.unit
        current = host.releases.app(path).current
        if field == "service":
            host.services.kill(unit)
        elif field == "enabled":
            host.services.disable(unit)
        elif field == "unit":
            host.services.edit_unit(unit)
        elif current is not None:
            self._drift_of_the_release(field, path, current)

    def _drift_of_the_release(self, field: str, path: str, current: str) -> None:
        releases = self.bench.host.releases
        if field == "link":
            releases.app(path).current = None
        elif field == "release":
            self.by_hand.add(current)
            releases.lose_directory(path, current)
        elif field == "files":
            releases.change_file(path, current, "app.py")
        else:
            releases.lose_link(path, current, "uploads")

    @rule()
    def restart_the_service_behind_our_back(self) -> None:
        self.bench.host.services.restart_itself(self.shop.service.unit)

    @rule(facet=st.sampled_from(["releases", "services"]), readable=st.sampled_from([False, True, True]))
    def make_unreadable_or_heal(self, facet: str, readable: bool) -> None:
        getattr(self.bench.host, facet).unreadable = None if readable else Unknown("unreadable", "permission denied")

    @rule(env=st.sampled_from([{}, {"LEVEL": "1"}, {"LEVEL": "2"}, {BREAKS: "1"}]), ticks=TICKS)
    def change_env(self, env: dict[str, str], ticks: int) -> None:
        self.configure(env=env)
        self.ticks(ticks)

    @rule(url=st.sampled_from([BROKEN, SOUND]))
    def change_the_health_check(self, url: str) -> None:
        self.configure(health=replace(self.shop.health, probe=HttpProbe(url)))

    @rule(default=POLICIES, fields=st.dictionaries(st.sampled_from(DRIFT_FIELDS), POLICIES, max_size=2))
    def change_on_drift(self, default: Any, fields: Any) -> None:
        self.configure(on_drift=OnDrift(default, fields))

    @rule(windows=st.sampled_from(CALENDARS), approval=st.sampled_from([False, False, True]), at_most=st.integers(1, 3))
    def change_when_to_act(self, windows: Any, approval: bool, at_most: int) -> None:
        self.configure(windows=windows, approval=approval, repairs=RepairBudget(at_most, timedelta(hours=1)))

    @rule(verify=st.sampled_from([None, Verification(ssh_allowed_signers="/etc/fraisier/signers")]))
    def change_verify(self, verify: Verification | None) -> None:
        self.configure(verify=verify)

    @rule(hours=HOURS)
    def jump_clock(self, hours: int) -> None:
        self.bench.host.clock.jump(timedelta(hours=hours))

    @rule(seconds=st.integers(1, 8000))
    def wait(self, seconds: int) -> None:
        self.bench.host.clock.advance(seconds)


class People(Watched):
    """What they ask for."""

    @rule(what=st.sampled_from([{"force": True}, {"allow_rewind": True}, {"emergency": "the shop is down"}]))
    def ask_to_deploy(self, what: dict[str, Any]) -> None:
        payload = {"allow_rewind": self.head()} if "allow_rewind" in what else what
        self.bench.ask("deploy", {**payload, "sha": self.head()})

    @rule()
    def ask_retry(self) -> None:
        self.bench.ask("retry")

    @rule()
    def ask_rollback(self) -> None:
        with suppress(Refused):
            self.bench.ask("rollback", rollback_payload(self.bench.recorded, self.head(), None))

    @rule(scope=SCOPES, hours=st.sampled_from([None, 1, 1, 24]), stop=st.booleans(), ticks=TICKS)
    def suspend(self, scope: Scope, hours: int | None, stop: bool, ticks: int) -> None:
        self.bench.ask("suspend", {"reason": "an audit", "stop": stop, **self._until(hours)}, scope)
        self.ticks(ticks)

    @rule(scope=st.sampled_from([Scope(), Scope(), Scope("shop"), Scope("shop", "production")]), ticks=TICKS)
    def resume(self, scope: Scope, ticks: int) -> None:
        self.bench.ask("resume", scope=scope)
        self.ticks(ticks)

    @rule(hours=st.sampled_from([None, 1, 24]), ticks=TICKS)
    def pin_an_earlier_one(self, hours: int | None, ticks: int) -> None:
        line = list(self.bench.remote.ancestry(self.head()))
        self.bench.ask("pin", {"kind": "revision", "value": line[min(1, len(line) - 1)], **self._until(hours)})
        self.ticks(ticks)

    @rule(hours=st.sampled_from([1, 24]), ticks=TICKS)
    def try_a_branch(self, hours: int, ticks: int) -> None:
        self.push(Behaviour.HEALTHY, branch="fix-x", onto=self.head())
        self.bench.ask("pin", {"kind": "branch", "value": "fix-x", "try": True, **self._until(hours)})
        self.ticks(ticks)

    @rule(ticks=TICKS)
    def unpin(self, ticks: int) -> None:
        self.bench.ask("unpin")
        self.ticks(ticks)

    @rule(ticks=TICKS)
    def approve_what_is_planned(self, ticks: int) -> None:
        look = self.bench.look()
        shown = look.shown
        if shown.hash:
            self.approved[shown.hash] = self.deployment(shown.to_revision, look.recorded)
            self.bench.ask("approve", {"hash": shown.hash})
        self.ticks(ticks)

    def _until(self, hours: int | None) -> dict[str, str]:
        now = self.bench.host.clock.now()
        return {} if hours is None else {"until": (now + timedelta(hours=hours)).isoformat()}


class Cycles(Watched):
    """The daemon looks, is disturbed, and dies."""

    @rule()
    def tick(self) -> None:
        self.bench.desk.receive()
        before = self.bench.serving
        self.watched(self.bench.cycle)
        # What somebody removed by hand may not be there to be returned to.
        if self.bench.recorded.healthy and before is not None and self.is_readable() and not self.by_hand:
            stopped = any(each.stop for each in self.bench.look().recorded.suspensions)
            assert self.bench.serving is not None or stopped, "what was served before is served no more"

    @rule()
    def tick_what_it_depends_on(self) -> None:
        self.watched(lambda: self.bench.cycle(DB), DB)

    @rule(seconds=SECONDS)
    def tick_and_be_superseded(self, seconds: float) -> None:
        self.pushed += 1
        self.bench.supersede_after(seconds, f"commit {self.pushed}")
        self.watched(self.bench.cycle)

    @rule(seconds=SECONDS)
    def tick_and_be_cancelled(self, seconds: float) -> None:
        self.bench.cancel_after(seconds)
        self.watched(self.bench.cycle)

    @rule(seconds=SECONDS, hours=HOURS)
    def tick_while_the_clock_jumps(self, seconds: float, hours: int) -> None:
        clock = self.bench.host.clock
        clock.after(seconds, lambda: clock.jump(timedelta(hours=hours)))
        self.watched(self.bench.cycle)

    @rule(at=EFFECT, where=WHERE, power=st.booleans())
    def tick_and_lose_power(self, at: int, where: Any, power: bool) -> None:
        self.bench.host.faults.arm(at, where)
        with suppress(PowerCut):
            self.watched(self.bench.cycle)
        self.bench.restart(power=power)

    @rule(at=EFFECT, where=WHERE, error=st.sampled_from(["disk_full", "configuration"]))
    def tick_with_a_fault(self, at: int, where: Any, error: str) -> None:
        self.bench.host.faults.arm(at, where, lambda: self._error(error))
        with suppress(StoreError):
            self.watched(self.bench.cycle)
        self.bench.host.faults.disarm()

    def _error(self, kind: str) -> BaseException:
        name = self.bench.host.faults.names[-1]
        if name.startswith("store."):
            return StoreError("the disk is full", code="disk_full")
        if name.startswith("git."):
            return Transient("the remote hung up", code="remote_unreachable")
        return OSError(errno.ENOSPC, "no space") if kind == "disk_full" else ConfigFault("no such user", code="no_user")
