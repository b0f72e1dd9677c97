"""The laws of the planner, for every pair of what may be desired and what may be found."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import assume, given

from fraisier.model.config import ApiTarget
from fraisier.model.errors import RevisionFault
from fraisier.model.plan import Action
from fraisier.model.ports import Context
from fraisier.model.state import (
    Desired,
    Head,
    HealthyRevision,
    Inspection,
    Layout,
    Observed,
    Quarantine,
    Recorded,
    Stamp,
    Unknown,
)
from fraisier.planning.document import action_document
from fraisier.planning.gates import Circumstances, gate
from fraisier.planning.standing import standing_at
from fraisier.services.api import SERVICE
from fraisier.steps.prune import PruneReleases
from fraisier.testing import Behaviour, FakeHost
from fraisier.testing.clock import START
from tests.support.profiles import examples
from tests.support.states import (
    arranged_pasts,
    desires,
    known_heads,
    machine,
    observations,
    pasts,
    readable,
    targets,
    unreadable,
)

LIVE = ("running", "starting")


@given(targets, desires, observations, arranged_pasts)
@examples(200)
def test_every_pair_yields_a_plan_that_explains_itself(
    target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded
) -> None:
    recorded = standing_at(recorded, START)
    action = gate(SERVICE.plan(target, desired, observed, recorded), Circumstances(target, recorded, (), START))

    assert action.reasons
    assert all(reason.message for reason in (*action.reasons, *action.incomplete))
    assert all(hold.message and hold.to_go_on for hold in (*action.held_by, *action.notes))
    assert not recorded.suspensions or not action.is_runnable or [step.kind for step in action.steps] == ["stop"]
    assert all(step.summary() and step.undo and step.kind for step in action.steps)
    assert action.on_failure or not action.is_runnable
    assert json.dumps(action_document(action))
    assert SERVICE.health(target, observed, recorded)


@given(targets, desires, observations, pasts)
@examples(100)
def test_planning_repeats_itself_and_changes_nothing(
    target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded
) -> None:
    before = repr((target, desired, observed, recorded))

    first = SERVICE.plan(target, desired, observed, recorded)

    assert SERVICE.plan(target, desired, observed, recorded) == first
    assert repr((target, desired, observed, recorded)) == before


@given(targets, desires, unreadable, pasts)
@examples(100)
def test_what_cannot_be_read_is_left_alone(
    target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded
) -> None:
    action = SERVICE.plan(target, desired, observed, recorded)

    assert action.steps == ()
    assert action.incomplete
    assert action.sync == "unknown"


@given(targets, desires, observations, pasts)
@examples(100)
def test_an_unknown_head_removes_and_stops_nothing(
    target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded
) -> None:
    unknown = replace(desired, head=Unknown("unreachable", "no answer", START))

    action = SERVICE.plan(target, unknown, observed, recorded)

    assert action.incomplete
    assert {"prune", "stop"}.isdisjoint(step.kind for step in action.steps)


@given(targets, known_heads, readable, pasts)
@examples(100)
def test_what_was_proven_healthy_is_never_stopped(
    target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded
) -> None:
    assert isinstance(observed.layout, Layout)
    stamps = [Stamp(proven.release, proven.runtime_digest) for proven in recorded.healthy]
    layout = replace(observed.layout, stamp=stamps[-1] if stamps else None)

    action = SERVICE.plan(target, desired, replace(observed, layout=layout), recorded)

    assert not stamps or "stop" not in {step.kind for step in action.steps}


@given(targets, known_heads, readable, pasts)
@examples(150)
def test_pruning_leaves_the_goal_what_runs_and_what_may_be_returned_to(
    target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded
) -> None:
    action = SERVICE.plan(target, desired, observed, recorded)
    prune = [step for step in action.steps if isinstance(step, PruneReleases)] or [PruneReleases("", (), ())]
    back = SERVICE.plan(target, replace(desired, head=Unknown("x", "x")), observed, replace(recorded, forced=False))

    removed, runtimes = set(prune[0].releases), set(prune[0].runtimes)

    assert isinstance(observed.layout, Layout)
    spoilt = isinstance(observed.inspection, Inspection) and observed.inspection.files
    assert observed.layout.current not in removed or spoilt
    if action.proves is not None:
        assert action.proves.release not in removed
        assert action.proves.runtime_digest not in runtimes
    if back.proves is not None:
        assert back.proves.release not in removed
        assert back.proves.runtime_digest not in runtimes


@given(targets, known_heads, readable, pasts)
@examples(150)
def test_one_pass_reaches_the_fixpoint(
    target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded
) -> None:
    desired = _as_git_says_it(desired, recorded)
    action = _runnable(target, desired, observed, recorded)
    host = machine(target, observed)

    carry_out(action, host)

    after = SERVICE.plan(target, *_next(desired, action, recorded), *_seen(target, host), _proven(action, recorded))
    assert not after.is_runnable
    assert action.proves is None or host.services.live[target.service.unit].sha == action.proves.sha


@given(targets, known_heads, readable, pasts)
@examples(100)
def test_a_bad_revision_is_left_for_the_last_healthy_one_and_held(
    target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded
) -> None:
    head = desired.head
    assert isinstance(head, Head)
    recorded = replace(
        recorded,
        healthy=tuple(proven for proven in recorded.healthy if proven.sha != head.sha),
        quarantines=tuple(entry for entry in recorded.quarantines if entry.sha not in (None, head.sha)),
        rewinds=recorded.rewinds | {head.sha},
    )
    action = _runnable(target, desired, observed, recorded)
    assume(action.action in ("deploy", "reconfigure"))
    host = machine(target, observed)
    host.behaviours[action.to_revision or ""] = Behaviour.UNHEALTHY

    message = failure_of(action, host)
    entry = Quarantine(action.to_revision, target.config_digest, "revision", message, START)
    known = replace(recorded, quarantines=(entry, *recorded.quarantines), forced=False)
    back = SERVICE.plan(target, desired, *_seen(target, host), known)
    carry_out(back if back.is_runnable else replace(back, steps=()), host)

    after = SERVICE.plan(target, desired, *_seen(target, host), _proven(back, known) if back.is_runnable else known)
    assert back.action in ("roll_back", "repair", "deploy")
    assert not after.is_runnable
    assert after.is_held
    assert all(hold.to_go_on for hold in after.held_by)


# -- a machine to carry plans out on


def _runnable(target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded) -> Action:
    action = SERVICE.plan(target, desired, observed, recorded)
    assume(action.is_runnable)
    return action


def carry_out(action: Action, host: FakeHost) -> None:
    interrupt, ends_at = host.interrupt(), host.clock.monotonic() + 600
    for step in action.steps:
        step.apply(Context(host, interrupt, ends_at, None, lambda message: None, lambda gate: None))


def failure_of(action: Action, host: FakeHost) -> str:
    try:
        carry_out(action, host)
    except RevisionFault as error:
        return str(error)
    raise AssertionError("a bad revision passed its gate")


def _seen(target: ApiTarget, host: FakeHost) -> tuple[Observed]:
    return (replace(SERVICE.observe(target, host, None), inspection=SERVICE.inspect(target, host)),)


def _as_git_says_it(desired: Desired, recorded: Recorded) -> Desired:
    """A head that is what is healthy already is never a rewind of it."""
    head = desired.head
    same = isinstance(head, Head) and recorded.healthy[:1] and recorded.healthy[0].sha == head.sha
    return replace(desired, lineage="same") if same else desired


def _next(desired: Desired, action: Action, recorded: Recorded) -> tuple[Desired]:
    """What git says afterwards: the head is what is healthy now, or stands to it as before.

    (Where all that can be had is an old build of the rewound head itself, it takes two passes.)
    """
    head = desired.head
    is_healthy = isinstance(head, Head) and action.proves is not None and action.proves.sha == head.sha
    return (replace(desired, lineage="same"),) if is_healthy and desired.lineage != "rewind" else (desired,)


def _proven(action: Action, recorded: Recorded) -> Recorded:
    goal = action.proves
    if goal is None:
        return replace(recorded, forced=False, gate=None)
    digests = (goal.build_digest, goal.runtime_digest)
    new = HealthyRevision(goal.ref, goal.sha, *digests, START, goal.release, goal.is_chosen)
    others = tuple(
        old
        for old in recorded.healthy
        if (old.sha, old.build_digest, old.runtime_digest) != (new.sha, new.build_digest, new.runtime_digest)
    )
    return replace(recorded, healthy=(new, *others), forced=False, gate=None, back_off=None)
