"""Laws 5 and 11: what befalls one target is no other's business."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fraisier.reconcile.look import Eyes, make_plan
from fraisier.testing import api_target, config_of
from tests.support.bench import Bench, scratch


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(scratch())
    yield made
    made.close()


def test_a_plan_names_dependencies_first_and_an_unreachable_remote_makes_it_incomplete(bench: Bench) -> None:
    bench.push("a")
    blog = replace(api_target("blog/production"), depends_on=(bench.target.id,))
    eyes = Eyes(bench.host, bench.store, config_of(blog, bench.target))

    plan = make_plan(eyes)

    assert [str(action.id) for action in plan.actions] == ["shop/production", "blog/production"]
    assert [bool(action.steps) for action in plan.actions] == [True, False]
    assert not plan.complete
    assert plan.actions[1].incomplete[0].code == "remote_unreachable"


def test_a_dependant_waits_until_what_it_depends_on_is_healthy_at_its_desired_revision(bench: Bench) -> None:
    bench.push("a")
    bench.host.git.remote("/git/blog.git").push("main", "x")
    blog = replace(api_target("blog/production"), depends_on=(bench.target.id,))
    eyes = Eyes(bench.host, bench.store, config_of(blog, bench.target))

    before = make_plan(eyes).actions[1]
    bench.settle()
    after = make_plan(eyes).actions[1]

    assert [hold.code for hold in before.held_by] == ["dependency"]
    assert "healthy at its desired revision" in before.held_by[0].to_go_on
    assert after.is_runnable


def test_planning_writes_nothing(bench: Bench) -> None:
    bench.push("a")
    bench.settle()
    bench.push("b")
    bench.host.faults.disarm()
    before = bench.raw()

    make_plan(bench.eyes())

    assert bench.host.faults.names == []
    assert bench.raw() == before
