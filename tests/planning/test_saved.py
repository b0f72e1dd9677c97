"""Saved plans: read back as they were, refused when they were edited or what they were made from moved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from fraisier.model.errors import Refused
from fraisier.model.plan import Plan
from fraisier.planning.document import hash_of, plan_document, plan_hash
from fraisier.planning.saved import read_saved, saved_text, what_moved
from fraisier.reconcile.look import make_plan
from fraisier.testing import api_target
from tests.support.bench import Bench, scratch


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(scratch())
    made.push("a")
    yield made
    made.close()


def plan_of(bench: Bench) -> Plan:
    return make_plan(bench.eyes())


def edited(text: str, edit: Callable[[dict[str, Any]], Any], *, seals: bool = False) -> str:
    document = json.loads(text)
    edit(document)
    if seals:
        document["plan_hash"] = hash_of(document)
    return json.dumps(document)


def test_a_plan_is_read_back_with_what_is_to_be_done_and_what_it_was_made_from(bench: Bench) -> None:
    plan = plan_of(bench)

    saved = read_saved(saved_text(plan))

    assert (saved.server, saved.plan_hash) == ("web-1", plan_hash(plan))
    assert [(action.id, action.action, action.basis) for action in saved.wanted] == [
        (bench.target.id, "deploy", plan.actions[0].basis)
    ]
    assert what_moved(saved, plan) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a plan"),
        ("{}", "not a plan"),
        ("[1]", "not a plan"),
        ('{"format_version": "1.1", "plan_hash": "x", "actions": 3}', "not a plan"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        read_saved(text)

    assert refused.value.code == "bad_plan"
    assert "fraisier plan --out" in refused.value.hint


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another revision": lambda document: document["actions"][0].update(to_revision="f" * 40),
    "a step less": lambda document: document["actions"][0]["steps"].pop(),
    "a target less": lambda document: document["actions"].pop(),
    "a hold less": lambda document: document["actions"][0].update(held_by=[{"code": "window"}]),
    "another server": lambda document: document["basis"].update(server="web-2"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_plan_that_was_edited_is_refused(bench: Bench, edit: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(Refused, match="edited, or cut off"):
        read_saved(edited(saved_text(plan_of(bench)), edit))


def test_a_plan_that_was_cut_off_is_refused(bench: Bench) -> None:
    text = saved_text(plan_of(bench))

    with pytest.raises(Refused):
        read_saved(text[: len(text) // 2])


@pytest.mark.parametrize(("version", "is_read"), [("1.1", True), ("1.9", True), ("2.0", False)])
def test_a_newer_minor_version_is_read_and_a_newer_major_one_refused(bench: Bench, version: str, is_read: bool) -> None:
    text = edited(saved_text(plan_of(bench)), lambda document: document.update(format_version=version, more=1))

    if is_read:
        assert read_saved(text).wanted
    else:
        with pytest.raises(Refused, match=r"format 2\.0"):
            read_saved(text)


def test_what_ages_does_not_make_another_plan(bench: Bench) -> None:
    before = plan_of(bench)
    bench.host.clock.advance(3600)

    after = plan_of(bench)

    assert plan_document(before) != plan_document(after)
    assert plan_hash(before) == plan_hash(after)
    assert what_moved(read_saved(saved_text(before)), after) == ()


def test_a_head_that_moved_is_named_with_both_revisions(bench: Bench) -> None:
    saved = read_saved(saved_text(plan_of(bench)))
    old, new = bench.remote.branches["main"], bench.push("b")

    assert what_moved(saved, plan_of(bench)) == (f"shop/production: desired {old[:7]} → {new[:7]}",)


def test_a_configuration_that_was_changed_is_named(bench: Bench) -> None:
    saved = read_saved(saved_text(plan_of(bench)))
    bench.target = api_target(env={"LEVEL": "1"})

    (line,) = what_moved(saved, plan_of(bench))

    assert line.startswith("shop/production: configuration ")


def test_what_was_carried_out_meanwhile_is_stale_in_all_that_it_changed(bench: Bench) -> None:
    saved = read_saved(saved_text(plan_of(bench)))
    bench.cycle()

    moved = [line.split()[1] for line in what_moved(saved, plan_of(bench))]

    assert {"healthy", "current", "started", "service"} <= set(moved)


def test_only_what_was_to_be_done_has_to_be_as_it_was(bench: Bench) -> None:
    bench.cycle()
    saved = read_saved(saved_text(plan_of(bench)))
    bench.push("b")

    assert saved.wanted == ()
    assert what_moved(saved, plan_of(bench)) == ()


def test_a_target_that_left_and_another_server_are_named(bench: Bench) -> None:
    plan = plan_of(bench)
    saved = read_saved(saved_text(plan))

    assert what_moved(saved, replace(plan, actions=())) == ("shop/production: is not configured here any more",)
    elsewhere = replace(plan, basis=replace(plan.basis, server="web-2"))
    assert what_moved(saved, elsewhere) == ("the plan was made on web-1, and this is web-2",)


@pytest.mark.parametrize(
    ("codes", "is_runnable"),
    [([], True), (["dependency"], True), (["window"], False), (["dependency", "window"], False)],
)
def test_a_saved_plan_may_do_what_only_waits_for_what_it_does_itself(
    bench: Bench, codes: list[str], is_runnable: bool
) -> None:
    hold = {"message": "m", "to_go_on": "t", "until": None}

    def edit(document: dict[str, Any]) -> None:
        document["actions"][0]["held_by"] = [{"code": code, **hold} for code in codes]

    saved = read_saved(edited(saved_text(plan_of(bench)), edit, seals=True))

    assert bool(saved.wanted) is is_runnable
