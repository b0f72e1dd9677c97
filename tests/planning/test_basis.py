"""What a plan was made from is told apart name by name, shows no secret, and names what moved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from fraisier.model.plan import Action, Reason, ReasonCode
from fraisier.model.secret import Secret
from fraisier.model.selection import Branch
from fraisier.model.state import (
    Desired,
    Difference,
    Head,
    HealthyRevision,
    Inspection,
    Layout,
    Observed,
    Recorded,
    ServiceState,
    Stamp,
    Unknown,
)
from fraisier.planning.basis import basis, deployment_hash, moved
from fraisier.testing import api_target
from fraisier.testing.clock import START
from tests.support.profiles import examples
from tests.support.states import arranged_pasts, desires, observations, targets

A, B = "a" * 40, "b" * 40
TARGET = api_target()
DESIRED = Desired(Head("main", B, START), "descends", 1, None, Branch("main"))
OBSERVED = Observed(Layout({}, A, Stamp(A, TARGET.runtime_digest)), ServiceState("running"), (), Inspection(A))
RECORDED = Recorded((HealthyRevision("main", A, TARGET.build_digest, TARGET.runtime_digest, START, A),))


def _changed(**changes: Any) -> list[str]:
    """The names of what moved."""
    target = replace(TARGET, **changes.get("target", {}))
    seen = (
        replace(DESIRED, **changes.get("desired", {})),
        replace(OBSERVED, **changes.get("observed", {})),
        replace(RECORDED, **changes.get("recorded", {})),
    )
    return [line.split()[0] for line in moved(basis(TARGET, DESIRED, OBSERVED, RECORDED), basis(target, *seen))]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"desired": {"head": Head("main", A, START)}}, "desired"),
        ({"desired": {"head": Unknown("x", "no answer")}}, "desired"),
        ({"target": {"config_digest": "other"}}, "configuration"),
        ({"target": {"build_digest": "other"}}, "configuration"),
        ({"target": {"runtime_digest": "other"}}, "configuration"),
        ({"recorded": {"healthy": ()}}, "healthy"),
        ({"observed": {"layout": Layout({}, B, Stamp(A, TARGET.runtime_digest))}}, "current"),
        ({"observed": {"layout": Layout({}, A, None)}}, "started"),
        ({"observed": {"layout": Layout({}, A, Stamp(A, "other"))}}, "started"),
        ({"observed": {"service": ServiceState("failed")}}, "service"),
        ({"observed": {"service": ServiceState("running", enabled=False)}}, "service"),
        ({"observed": {"service": Unknown("x", "no answer")}}, "service"),
        ({"observed": {"units": (Difference("/etc/a.service", "changed"),)}}, "files"),
        ({"observed": {"inspection": Inspection(A, (Difference("app.py", "changed"),))}}, "files"),
        ({"observed": {"inspection": Inspection(A, (), (Difference("uploads", "missing"),))}}, "files"),
    ],
    ids=str,
)
def test_each_thing_that_decides_what_is_done_has_its_name(changes: dict[str, Any], name: str) -> None:
    assert _changed(**changes) == [name]


@pytest.mark.parametrize(
    "changes",
    [
        {"desired": {"head": Head("main", B, START.replace(year=2027))}},
        {"observed": {"service": ServiceState("running", pid=7, restarts=3)}},
    ],
    ids=str,
)
def test_what_decides_nothing_does_not_count(changes: dict[str, Any]) -> None:
    assert _changed(**changes) == []


def test_what_moved_is_named_with_how_it_was_and_is() -> None:
    assert moved({"desired": A, "service": "running"}, {"desired": B, "service": "failed"}) == (
        "desired aaaaaaa → bbbbbbb",
        "service running → failed",
    )
    assert moved({"desired": A}, {"desired": A, "new": "x"}) == ("new none → x",)


@given(targets, desires, observations, arranged_pasts)
@examples(100)
def test_every_look_has_a_basis_that_is_the_same_the_next_time(
    target: Any, desired: Desired, observed: Observed, recorded: Recorded
) -> None:
    found = basis(target, desired, observed, recorded)

    assert all(name and value for name, value in found.items())
    assert found == basis(target, desired, observed, recorded)
    assert moved(found, found) == ()


def test_it_shows_no_secret() -> None:
    target = api_target(env={"DB_PASSWORD": Secret("canary-8841")})

    assert "canary-8841" not in repr(basis(target, DESIRED, OBSERVED, RECORDED))


def test_a_deployment_is_told_apart_by_target_revision_configuration_and_what_it_replaces() -> None:
    action = Action(
        TARGET.id, "deploy", "pending", (Reason(ReasonCode.HEAD_MOVED, "moved"),), to_revision=B, from_revision=A
    )
    other = api_target("blog/production")
    env = api_target(env={"LEVEL": "1"})

    hashes = {
        deployment_hash(TARGET, action, RECORDED),
        deployment_hash(TARGET, replace(action, to_revision=A), RECORDED),
        deployment_hash(TARGET, action, Recorded()),
        deployment_hash(env, action, RECORDED),
        deployment_hash(TARGET, replace(action, id=other.id), RECORDED),
    }

    assert len(hashes) == 5
    assert deployment_hash(TARGET, replace(action, from_revision=B, commits=7), RECORDED) in hashes
