"""Everything that may be desired, observed and recorded of one target, as hypothesis strategies.

The pieces come from a small world on purpose (four commits, two builds, three runtimes), so that
they meet each other often.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st

from fraisier.model.config import DRIFT_FIELDS, ApiTarget, OnDrift, Verification
from fraisier.model.names import Scope
from fraisier.model.ports import Runtime
from fraisier.model.selection import Branch, Exact
from fraisier.model.state import (
    BackOff,
    Desired,
    Difference,
    Head,
    HealthyRevision,
    Inspection,
    Layout,
    NoRevision,
    Observed,
    OpenGate,
    Override,
    ProbeResult,
    Quarantine,
    Recorded,
    ReleaseMark,
    ServiceState,
    Signature,
    Stamp,
    Suspension,
    Unknown,
)
from fraisier.services.api_look import runtime_of
from fraisier.testing import FakeHost, api_target
from fraisier.testing.clock import START

BASE = api_target()
TARGETS = (
    BASE,
    api_target(env={"LEVEL": "1"}),
    api_target(build=(("make", "fast"),)),
    api_target(keep_releases=1),
    api_target(shared=("uploads",)),
    api_target(verify=Verification(ssh_allowed_signers="/etc/fraisier/signers")),
)
SHAS = tuple(character * 40 for character in "abcd")
BUILDS = tuple(sorted({target.build_digest for target in TARGETS}))
RUNTIMES = tuple(sorted({target.runtime_digest for target in TARGETS} | {"9" * 32}))
CONFIGS = tuple(sorted({target.config_digest for target in TARGETS}))

on_drift = st.builds(
    OnDrift,
    st.sampled_from(["repair", "report", "ignore"]),
    st.dictionaries(st.sampled_from(DRIFT_FIELDS), st.sampled_from(["repair", "report", "ignore"]), max_size=3),
    st.sampled_from([(), ("app.py",), ("*.log",)]),
)
repairing = st.sampled_from(TARGETS)
targets = st.one_of(repairing, st.builds(lambda target, policy: replace(target, on_drift=policy), repairing, on_drift))
shas = st.sampled_from(SHAS)
moments = st.integers(-100, 0).map(lambda minutes: START + timedelta(minutes=minutes))
unknowns = st.builds(Unknown, st.just("unreachable"), st.just("no answer"), moments)
names = st.one_of(shas, st.builds(lambda sha, build: f"{sha}.{build[:8]}", shas, st.sampled_from(BUILDS)))

heads = st.one_of(
    st.builds(Head, st.just("main"), shas, moments, st.one_of(st.none(), unknowns)),
    st.builds(NoRevision, st.just(Branch("main"))),
    unknowns,
)
signatures = st.sampled_from(
    [None, None, Signature(True, "Ann"), Signature(False, "nobody signed it"), Signature(None)]
)
desires = st.builds(
    Desired,
    heads,
    st.sampled_from(["same", "descends", "rewind", "unknown"]),
    st.one_of(st.none(), st.integers(0, 9)),
    signatures,
    st.just(Branch("main")),
)


@st.composite
def marks(draw: Any) -> dict[str, ReleaseMark]:
    """Sealed releases under the names that they are given, some of them found changed since."""
    found: dict[str, ReleaseMark] = {}
    for sha, build in draw(st.lists(st.tuples(shas, st.sampled_from(BUILDS)), max_size=6, unique=True)):
        name = sha if sha not in found else f"{sha}.{build[:8]}"
        found[name] = ReleaseMark(sha, build, draw(moments), draw(st.sampled_from([False, False, False, True])))
    return found


layouts = st.builds(
    Layout,
    marks(),
    st.one_of(st.none(), names),
    st.one_of(st.none(), st.builds(Stamp, names, st.sampled_from(RUNTIMES))),
    st.frozensets(st.sampled_from(RUNTIMES)),
)
services = st.builds(
    ServiceState,
    st.sampled_from(["running", "starting", "stopped", "failed", "missing"]),
    st.one_of(st.none(), st.integers(2, 9)),
    st.integers(0, 3),
    enabled=st.sampled_from([True, True, False]),
)
units = st.sampled_from([(), (), (Difference("/etc/systemd/system/shop-production.service", "changed"),)])
inspected_files = st.sampled_from([(), (), (Difference("app.py", "changed"),), (Difference("a", "missing"),) * 5])
inspected_shared = st.sampled_from([(), (), (Difference("uploads", "missing"),)])


@st.composite
def seen(draw: Any, layouts: Any, services: Any) -> Observed:
    """A look into the release is at the one that is current, where there is one."""
    layout = draw(layouts)
    current = layout.current if isinstance(layout, Layout) and layout.current in layout.releases else None
    inspection = None
    if current is not None and draw(st.booleans()):
        inspection = Inspection(current, draw(inspected_files), draw(inspected_shared))
    probe = draw(st.one_of(st.none(), st.builds(ProbeResult, st.booleans(), st.just("HTTP"))))
    return Observed(layout, draw(services), draw(units), inspection, probe)


observations = seen(st.one_of(layouts, layouts, layouts, unknowns), st.one_of(services, services, services, unknowns))


@st.composite
def proofs(draw: Any) -> HealthyRevision:
    """Under one of the two names that its release may have had."""
    sha, build = draw(shas), draw(st.sampled_from(BUILDS))
    name = draw(st.sampled_from([sha, f"{sha}.{build[:8]}"]))
    chosen = draw(st.sampled_from([False, False, True]))
    return HealthyRevision("main", sha, build, draw(st.sampled_from(RUNTIMES)), draw(moments), name, chosen)


readable = seen(layouts, services)
unreadable = st.one_of(
    st.builds(Observed, unknowns, services),
    st.builds(Observed, layouts, unknowns),
    st.builds(Observed, unknowns, unknowns),
)
known_heads = st.builds(
    Desired,
    st.builds(Head, st.just("main"), shas, moments),
    st.sampled_from(["same", "descends", "rewind"]),
    st.one_of(st.none(), st.integers(0, 9)),
    st.sampled_from([None, Signature(True, "Ann"), Signature(False, "nobody signed it")]),
    st.just(Branch("main")),
)
quarantines = st.builds(
    Quarantine,
    st.one_of(st.none(), shas),
    st.sampled_from(CONFIGS),
    st.sampled_from(["revision", "configuration", "person"]),
    st.sampled_from(["it failed", "first line\nsecond line", ""]),
    moments,
)
back_offs = st.builds(
    BackOff,
    shas,
    st.sampled_from(CONFIGS),
    st.integers(1, 30),
    st.integers(-10, 10).map(lambda minutes: START + timedelta(minutes=minutes)),
    st.just("the remote hung up"),
)
pasts = st.builds(
    Recorded,
    st.lists(proofs(), max_size=5, unique_by=lambda p: (p.sha, p.build_digest, p.runtime_digest)).map(tuple),
    st.one_of(st.none(), shas),
    st.lists(quarantines, max_size=4).map(tuple),
    st.one_of(st.none(), back_offs),
    st.one_of(st.none(), st.builds(OpenGate, names, st.sampled_from(RUNTIMES), moments)),
    st.frozensets(shas, max_size=2),
    st.booleans(),
)
suspensions = st.builds(
    Suspension,
    st.sampled_from([Scope("shop", "production"), Scope("shop"), Scope()]),
    st.sampled_from(["", "an audit"]),
    st.just("ann"),
    moments,
    st.one_of(st.none(), st.integers(-10, 10).map(lambda minutes: START + timedelta(minutes=minutes))),
    st.booleans(),
)
overrides = st.builds(
    Override,
    st.sampled_from(["pin", "try"]),
    st.one_of(st.builds(Exact, shas), st.just(Branch("fix-x"))),
    st.just("ann"),
    moments,
    st.sampled_from(["", "a look"]),
    st.one_of(st.none(), st.integers(-10, 10).map(lambda minutes: START + timedelta(minutes=minutes))),
)
arranged_pasts = st.builds(
    lambda past, suspended, override, repairs: replace(
        past, suspensions=tuple(suspended), override=override, repairs=tuple(sorted(repairs, reverse=True))
    ),
    pasts,
    st.lists(suspensions, max_size=2),
    st.one_of(st.none(), overrides),
    st.lists(moments, max_size=8),
)


def machine(target: ApiTarget, observed: Observed) -> FakeHost:
    """A machine that looks like `observed`, with a remote that has every commit in one line."""
    host = FakeHost("systemd")
    remote = host.git.remote(target.remote)
    remote.parents = dict(zip(SHAS, (None, *SHAS), strict=False))
    remote.branches["main"] = SHAS[-1]
    remote.signed.update(SHAS)
    layout, app = observed.layout, host.releases.app(target.app_path)
    assert isinstance(layout, Layout)
    assert isinstance(observed.service, ServiceState)
    for name, mark in layout.releases.items():
        app.marks[name] = mark
        host.directories[host.releases.path(target.app_path, name)] = mark.sha
    app.current, app.stamp = layout.current, layout.stamp
    for digest in layout.runtimes:
        app.runtimes[digest] = runtime(target, digest)
    unit = target.service.unit
    host.services.known[unit] = replace(observed.service, enabled=True)
    if layout.stamp is not None:
        release = host.releases.path(target.app_path, layout.stamp.release)
        host.services.installed[unit] = (runtime(target, layout.stamp.runtime_digest), release)
        if observed.units:
            host.services.edit_unit(unit)
        if not observed.service.enabled:
            host.services.disable(unit)
    if observed.inspection is not None:
        app.files[observed.inspection.release] = {each.path: each for each in observed.inspection.files}
        app.links[observed.inspection.release] = {each.path: each for each in observed.inspection.shared}
    return host


def runtime(target: ApiTarget, digest: str) -> Runtime:
    return replace(runtime_of(target), digest=digest)
