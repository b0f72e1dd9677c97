"""Law 2, and acceptance test (o): planning twice says the same, byte for byte, ages excepted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fraisier.planning.document import plan_document
from fraisier.reconcile.look import make_plan
from fraisier.testing import Behaviour, api_target
from tests.support.bench import Bench

BLOG = api_target("blog/production")


def _document(bench: Bench) -> dict[str, Any]:
    return plan_document(make_plan(bench.eyes()))


def _without_ages(document: dict[str, Any]) -> str:
    basis = {key: value for key, value in document["basis"].items() if key != "heads_seen_at"}
    return json.dumps({**document, "basis": basis}, sort_keys=True)


@pytest.mark.parametrize("situation", ["new", "in sync", "drifted", "bad", "unreachable", "suspended"])
def test_planning_twice_says_the_same(bench: Bench, situation: str) -> None:
    bench.others = (BLOG,)
    bench.push("x", to=BLOG)
    bench.push("a")
    if situation != "new":
        bench.settle()
    if situation == "drifted":
        bench.host.services.kill(bench.target.service.unit)
    elif situation == "bad":
        bench.push("b", behaviour=Behaviour.WONT_BUILD)
        bench.settle()
    elif situation == "unreachable":
        bench.remote.reachable = False
    elif situation == "suspended":
        bench.ask("suspend", {"reason": "an audit"})
        bench.push("b")
        bench.settle()

    first = _document(bench)
    bench.host.clock.advance(7)
    second = _document(bench)

    assert _without_ages(second) == _without_ages(first)
    assert second["plan_hash"] == first["plan_hash"]
    assert [action["identifier"] for action in first["actions"]] == ["blog/production", "shop/production"]


def test_what_is_planned_otherwise_has_another_hash(bench: Bench) -> None:
    bench.push("a")
    first = _document(bench)
    bench.push("b")

    assert _document(bench)["plan_hash"] != first["plan_hash"]
