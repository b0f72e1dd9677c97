"""Back-off grows, is capped, and starts anew for another revision or configuration."""

from __future__ import annotations

from datetime import timedelta

import hypothesis.strategies as st
from hypothesis import given

from fraisier.model.names import TargetId
from fraisier.model.plan import Action, Reason, ReasonCode
from fraisier.model.state import BackOff, Recorded
from fraisier.planning.back_off import FIRST, LONGEST, SPREAD, next_back_off
from fraisier.planning.gates import Circumstances, gate
from fraisier.steps.fetch import Fetch
from fraisier.testing import api_target
from fraisier.testing.clock import START
from tests.support.profiles import examples

jitters = st.floats(0, 1, exclude_max=True)


def _after(failures: int, jitter: float, sha: str = "a") -> BackOff:
    back_off = None
    for _ in range(failures):
        back_off = next_back_off(back_off, sha="a", config_digest="c", message="x", now=START, jitter=jitter)
    return next_back_off(back_off, sha=sha, config_digest="c", message="x", now=START, jitter=jitter)


@given(st.integers(0, 60), jitters)
@examples(60)
def test_it_grows_up_to_its_cap(failures: int, jitter: float) -> None:
    shorter, longer = _after(failures, jitter), _after(failures + 1, jitter)

    assert START + FIRST <= shorter.until <= longer.until <= START + LONGEST * (1 + SPREAD)
    assert (shorter.failures, longer.failures) == (failures + 1, failures + 2)


@given(st.integers(1, 40), jitters)
@examples(30)
def test_another_revision_starts_from_the_beginning(failures: int, jitter: float) -> None:
    assert _after(failures, jitter, sha="b").failures == 1


@given(st.integers(-3000, 3000), st.booleans(), st.booleans())
@examples(60)
def test_it_holds_exactly_what_failed_until_its_moment(seconds: int, same_sha: bool, same_config: bool) -> None:
    back_off = BackOff("a", "c", 3, START, "the remote hung up")
    action = Action(
        TargetId("shop", "production"),
        "deploy",
        "pending",
        (Reason(ReasonCode.HEAD_MOVED, "moved"),),
        (Fetch("/git", "main", "a"),),
        to_revision="a" if same_sha else "b",
        config_digest="c" if same_config else "d",
    )
    now = START + timedelta(seconds=seconds)

    around = Circumstances(api_target(), Recorded(back_off=back_off), (), now)
    held = gate(action, around).is_held

    longest = LONGEST * (1 + SPREAD)
    assert held == (same_sha and same_config and now < START <= now + longest)
