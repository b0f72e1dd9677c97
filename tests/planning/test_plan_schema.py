"""`schemas/plan.schema.json` says what a plan's document is: of every plan that there can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from fraisier.model.config import DRIFT_FIELDS, ApiTarget
from fraisier.model.names import Scope
from fraisier.model.plan import ACTION_KINDS, Basis, Plan, ReasonCode
from fraisier.model.state import Desired, Observed, Recorded, Suspension
from fraisier.planning.basis import basis, deployment_hash
from fraisier.planning.document import plan_document
from fraisier.planning.gates import Circumstances, gate
from fraisier.planning.standing import standing_at
from fraisier.reconcile.look import make_plan
from fraisier.resources import resource
from fraisier.services.api import SERVICE
from fraisier.testing import api_target
from fraisier.testing.clock import START
from tests.support.bench import Bench, scratch
from tests.support.profiles import examples
from tests.support.states import arranged_pasts, desires, observations, targets


@cache
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(resource("schemas", "plan.schema.json").read_text(encoding="utf-8"))
    return found


def problems(document: Any) -> list[str]:
    validator = Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(document)]


def undocumented(document: Any, part: Any) -> list[str]:
    """Names of fields that the schema does not know."""
    while "$ref" in part:
        part = schema()["$defs"][part["$ref"].rpartition("/")[2]]
    if isinstance(document, list):
        return [name for each in document for name in undocumented(each, part["items"])]
    if not isinstance(document, dict) or "properties" not in part:
        return []
    known = part["properties"]
    inner = [name for key, value in document.items() if key in known for name in undocumented(value, known[key])]
    return [*(key for key in document if key not in known), *inner]


def is_valid(plan: Plan) -> bool:
    document = json.loads(json.dumps(plan_document(plan)))
    assert problems(document) == []
    assert undocumented(document, schema()) == []
    return True


@given(targets, desires, observations, arranged_pasts)
@examples(150)
def test_every_plan_is_valid(target: ApiTarget, desired: Desired, observed: Observed, recorded: Recorded) -> None:
    recorded = standing_at(recorded, START)
    action = gate(SERVICE.plan(target, desired, observed, recorded), Circumstances(target, recorded, (), START))
    shown = replace(
        action,
        hash=deployment_hash(target, action, recorded),
        basis=basis(target, desired, observed, recorded),
        estimate=1.5,
    )

    assert is_valid(Plan(Basis("web-1", "c" * 64, (("shop/production", "a" * 40),), START, True), (action, shown)))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(scratch())
    yield made
    made.close()


def test_plans_of_nothing_of_a_deployment_of_a_hold_and_of_a_removal_are_valid(bench: Bench) -> None:
    assert is_valid(make_plan(bench.eyes()))
    bench.push("a")
    assert is_valid(make_plan(bench.eyes()))
    bench.cycle()
    bench.push("b")
    now = bench.host.clock.now()
    bench.store.suspend(Suspension(Scope(), "a freeze", "ann", now, now + timedelta(hours=1)))
    assert is_valid(make_plan(bench.eyes()))
    bench.target = api_target("blog/production")
    removal = make_plan(bench.eyes(), prune=True)
    assert [action.action for action in removal.actions] == ["none", "remove"]
    assert is_valid(removal)


def test_the_schema_is_one_and_refuses_what_is_no_plan() -> None:
    Draft202012Validator.check_schema(schema())
    assert problems({})
    assert problems([])


def test_it_names_every_reason_action_and_field_of_drift() -> None:
    parts = schema()["$defs"]

    assert parts["code"]["enum"] == [code.value for code in ReasonCode]
    assert parts["action"]["properties"]["action"]["enum"] == list(ACTION_KINDS)
    assert parts["reason"]["properties"]["field"]["enum"] == list(DRIFT_FIELDS)
