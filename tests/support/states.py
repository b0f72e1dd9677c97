"""Everything that may be desired, observed and recorded of one target, as hypothesis strategies.

The pieces come from a small world on purpose (four commits, two builds, three runtimes), so that
they meet each other often.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st

from fraisier.model.config import ApiTarget
from fraisier.model.ports import Runtime
from fraisier.model.state import (
    BackOff,
    Desired,
    Head,
    HealthyRevision,
    Layout,
    NoBranch,
    Observed,
    OpenGate,
    ProbeResult,
    Quarantine,
    Recorded,
    ReleaseMark,
    ServiceState,
    Stamp,
    Unknown,
)
from fraisier.services.api_look import release_name, runtime_of
from fraisier.testing import FakeHost, api_target
from fraisier.testing.clock import START

BASE = api_target()
TARGETS = (BASE, api_target(env={"LEVEL": "1"}), api_target(build=(("make", "fast"),)), api_target(keep_releases=1))
SHAS = tuple(character * 40 for character in "abcd")
BUILDS = tuple(sorted({target.build_digest for target in TARGETS}))
RUNTIMES = tuple(sorted({target.runtime_digest for target in TARGETS} | {"9" * 32}))
CONFIGS = tuple(sorted({target.config_digest for target in TARGETS}))

targets = st.sampled_from(TARGETS)
shas = st.sampled_from(SHAS)
moments = st.integers(-100, 0).map(lambda minutes: START + timedelta(minutes=minutes))
unknowns = st.builds(Unknown, st.just("unreachable"), st.just("no answer"), moments)
names = st.one_of(shas, st.builds(lambda sha, build: f"{sha}.{build[:8]}", shas, st.sampled_from(BUILDS)))

heads = st.one_of(
    st.builds(Head, st.just("main"), shas, moments, st.one_of(st.none(), unknowns)),
    st.builds(NoBranch, st.just("main")),
    unknowns,
)
desires = st.builds(
    Desired, heads, st.sampled_from(["same", "descends", "rewind", "unknown"]), st.one_of(st.none(), st.integers(0, 9))
)


@st.composite
def marks(draw: Any) -> dict[str, ReleaseMark]:
    """Sealed releases under the names that they are given."""
    layout = Layout()
    for sha, build in draw(st.lists(st.tuples(shas, st.sampled_from(BUILDS)), max_size=6)):
        name = release_name(layout, sha, build)
        layout = Layout({**layout.releases, name: ReleaseMark(sha, build, draw(moments))})
    return dict(layout.releases)


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
)
observations = st.builds(
    Observed,
    st.one_of(layouts, layouts, layouts, unknowns),
    st.one_of(services, services, services, unknowns),
    st.booleans(),
    st.one_of(st.none(), st.builds(ProbeResult, st.booleans(), st.just("HTTP"))),
)


@st.composite
def proofs(draw: Any) -> HealthyRevision:
    """Under one of the two names that its release may have had."""
    sha, build = draw(shas), draw(st.sampled_from(BUILDS))
    name = draw(st.sampled_from([sha, f"{sha}.{build[:8]}"]))
    return HealthyRevision("main", sha, build, draw(st.sampled_from(RUNTIMES)), draw(moments), name)


readable = st.builds(Observed, layouts, services, st.booleans())
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


def machine(target: ApiTarget, observed: Observed) -> FakeHost:
    """A machine that looks like `observed`, with a remote that has every commit in one line."""
    host = FakeHost("systemd")
    remote = host.git.remote(target.remote)
    remote.parents = dict(zip(SHAS, (None, *SHAS), strict=False))
    remote.branches["main"] = SHAS[-1]
    layout, app = observed.layout, host.releases.app(target.app_path)
    assert isinstance(layout, Layout)
    assert isinstance(observed.service, ServiceState)
    for name, mark in layout.releases.items():
        app.marks[name] = mark
        host.directories[host.releases.path(target.app_path, name)] = mark.sha
    app.current, app.stamp = layout.current, layout.stamp
    for digest in layout.runtimes:
        app.runtimes[digest] = runtime(target, digest)
    host.services.known[target.service.unit] = observed.service
    if layout.stamp is not None and observed.unit_matches:
        release = host.releases.path(target.app_path, layout.stamp.release)
        host.services.installed[target.service.unit] = (runtime(target, layout.stamp.runtime_digest), release)
    return host


def runtime(target: ApiTarget, digest: str) -> Runtime:
    return replace(runtime_of(target), digest=digest)
