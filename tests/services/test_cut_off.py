"""What an attempt left behind that was cut off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from fraisier.model.plan import ReasonCode
from fraisier.model.state import (
    Desired,
    Head,
    HealthyRevision,
    Layout,
    Observed,
    OpenGate,
    Recorded,
    ReleaseMark,
    ServiceState,
    Stamp,
)
from fraisier.services.api import SERVICE
from fraisier.testing import api_target
from fraisier.testing.clock import START

A = "a" * 40
TARGET = api_target()
DIGESTS = (TARGET.build_digest, TARGET.runtime_digest)
LAYOUT = Layout(
    {A: ReleaseMark(A, TARGET.build_digest, START)},
    A,
    Stamp(A, TARGET.runtime_digest),
    frozenset([TARGET.runtime_digest]),
)
IN_SYNC = Observed(LAYOUT, ServiceState("running", pid=10))
PROVEN = Recorded((HealthyRevision("main", A, *DIGESTS, START, A),))


def test_a_repair_that_was_cut_off_in_its_gate_is_proven_without_another_start():
    gate = OpenGate(A, TARGET.runtime_digest, START + timedelta(minutes=1))
    desired = Desired(Head("main", A, START), "same", 0)

    action = SERVICE.plan(TARGET, desired, IN_SYNC, replace(PROVEN, gate=gate))

    assert action.action == "repair"
    assert action.reasons[0].code is ReasonCode.UNFINISHED
    assert [step.kind for step in action.steps] == ["health"]
    assert SERVICE.plan(TARGET, desired, IN_SYNC, PROVEN).steps == ()


def test_the_gate_of_something_else_is_nothing_to_go_on_with():
    gate = OpenGate("b" * 40, TARGET.runtime_digest, START + timedelta(minutes=1))

    action = SERVICE.plan(TARGET, Desired(Head("main", A, START), "same", 0), IN_SYNC, replace(PROVEN, gate=gate))

    assert action.steps == ()
