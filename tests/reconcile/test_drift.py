"""Drift, from finding it to having repaired it: on a machine in memory, through the real store and cycles."""

from __future__ import annotations

from contextlib import suppress
from typing import get_args

import pytest

from fraisier.model.config import DRIFT_FIELDS, DriftField, DriftPolicy, OnDrift
from fraisier.testing import PowerCut
from tests.reconcile.drifting import drift, drifted, healthy, kinds
from tests.support.bench import Bench

STEPS: dict[DriftField, list[str]] = {
    "service": ["configure", "restart", "health"],
    "enabled": ["configure", "health"],
    "unit": ["configure", "restart", "health"],
    "link": ["configure", "activate", "restart", "health"],
    "release": ["fetch", "release", "build", "health"],
    "files": ["condemn", "fetch", "release", "build", "configure", "activate", "restart", "health"],
    "shared": ["share", "health"],
}


def test_every_field_is_known() -> None:
    assert set(STEPS) == set(DRIFT_FIELDS) == set(get_args(DriftField))


@pytest.mark.parametrize("field", DRIFT_FIELDS)
def test_drift_is_repaired_says_what_was_found_and_is_no_new_deployment(bench: Bench, field: DriftField) -> None:
    sha = healthy(bench)
    drift(bench, field)

    found = bench.plan()
    repaired = bench.cycle()
    after = bench.settle()

    assert (found.action, found.sync) == ("repair", "drifted")
    assert drifted(found) == [field]
    assert found.reasons[0].code == f"drift_{field}"
    told = found.reasons[0].drift
    assert told is not None
    assert told.desired
    assert told.observed
    assert told.desired != told.observed
    assert f"desired {told.desired}, observed {told.observed}" in found.reasons[0].message
    assert kinds(found) == STEPS[field]
    assert repaired.outcome == "converged"
    assert (after.sync, after.steps) == ("in_sync", ())
    assert bench.serving == sha
    assert bench.recorded.quarantines == ()
    assert len(bench.recorded.repairs) == 1


@pytest.mark.parametrize("field", DRIFT_FIELDS)
def test_what_is_only_reported_is_shown_held_and_left(bench: Bench, field: DriftField) -> None:
    healthy(bench, OnDrift("report"))
    drift(bench, field)
    served, starts = bench.serving, len(bench.host.services.starts)

    seen = bench.settle()

    assert (seen.action, seen.sync) == ("repair", "drifted")
    assert drifted(seen) == [field]
    assert [hold.code.value for hold in seen.held_by] == ["drift_reported"]
    assert f"on_drift says report ({field})" in seen.held_by[0].message
    assert "fraisier deploy shop/production --force" in seen.held_by[0].to_go_on
    assert (bench.serving, len(bench.host.services.starts)) == (served, starts)
    status = bench.store.status_rows()[0]
    assert (status["sync"], status["reason"]["code"]) == ("drifted", "drift_reported")


@pytest.mark.parametrize("field", DRIFT_FIELDS)
def test_what_is_only_reported_is_repaired_when_a_person_says_so(bench: Bench, field: DriftField) -> None:
    sha = healthy(bench, OnDrift("report"))
    drift(bench, field)
    bench.settle()

    request = bench.ask("deploy", {"force": True})
    bench.settle()

    assert bench.answer(request)[0] == "done"
    assert bench.serving == sha
    assert bench.plan().sync == "in_sync"


@pytest.mark.parametrize("field", DRIFT_FIELDS)
def test_what_is_ignored_is_in_sync(bench: Bench, field: DriftField) -> None:
    healthy(bench, OnDrift("repair", {field: "ignore"}))
    drift(bench, field)
    bench.host.faults.disarm()

    seen = bench.cycle()

    assert (seen.outcome, seen.seen.action.sync, seen.seen.action.steps) == (None, "in_sync", ())
    assert {name for name in bench.host.faults.names if not name.startswith("store.save")} == set()


def test_ignored_reported_and_repaired_drift_go_together(bench: Bench) -> None:
    fields: dict[DriftField, DriftPolicy] = {"enabled": "ignore", "files": "report"}
    sha = healthy(bench, OnDrift("repair", fields))
    for field in ("enabled", "files", "service"):
        drift(bench, field)

    found = bench.plan()
    bench.cycle()
    after = bench.settle()

    assert found.is_runnable
    assert drifted(found) == ["service", "files"], "what is done is said first"
    assert [note.code.value for note in found.notes] == ["drift_reported"]
    assert kinds(found) == STEPS["service"]
    assert bench.serving == sha
    assert drifted(after) == ["files"], "what was reported is reported still"
    assert after.sync == "drifted"


def test_files_that_are_excepted_may_change(bench: Bench) -> None:
    healthy(bench, OnDrift(except_files=("var/cache", "*.log")))
    sha = bench.serving or ""
    for path in ("var/cache/a/b", "logs/today.log"):
        bench.host.releases.change_file(bench.target.app_path, sha, path)

    assert bench.cycle().seen.action.sync == "in_sync"

    bench.host.releases.change_file(bench.target.app_path, sha, "var/cached.py")
    found = bench.plan()
    assert drifted(found) == ["files"]
    assert "var/cached.py changed" in found.reasons[0].message
    assert "cache/a" not in found.reasons[0].message


def test_changed_files_are_never_written_over_while_they_serve(bench: Bench) -> None:
    """A new release beside the running one; the old one is condemned before, and kept until the next deployment:
    what was written there may be somebody's only copy.
    """
    sha = healthy(bench)
    releases, app = bench.host.releases, bench.host.releases.app(bench.target.app_path)
    old = app.current
    assert old is not None
    drift(bench, "files")

    bench.cycle()

    assert app.current not in (None, old)
    assert bench.host.directories[releases.path(bench.target.app_path, app.current or "")] == sha
    assert app.marks[old].is_changed
    finished = [event.step for event in bench.store.events_after(0) if event.kind == "step_finished"]
    assert finished[-8:] == STEPS["files"]
    bench.push("b")
    bench.settle()
    assert old not in app.marks


@pytest.mark.parametrize("power", [True, False], ids=["power", "kill"])
@pytest.mark.parametrize("at", range(1, 40, 2))
def test_a_repair_of_files_that_was_cut_off_is_gone_on_with(bench: Bench, at: int, power: bool) -> None:
    """What was condemned is never activated again, wherever it was cut off."""
    sha = healthy(bench)
    drift(bench, "files")
    bench.host.faults.arm(at, "after")
    with suppress(PowerCut):
        bench.cycle()

    bench.restart(power=power)
    bench.settle()

    app = bench.host.releases.app(bench.target.app_path)
    assert bench.serving == sha
    assert app.current not in (None, sha), "the release that was changed had the name of its commit"
    assert sha not in app.marks or app.marks[sha].is_changed
    bench.push("b")
    bench.settle()
    assert sha not in app.marks, "at the latest the next deployment removes it"


def test_a_missing_link_to_what_is_shared_needs_no_restart(bench: Bench) -> None:
    healthy(bench)
    drift(bench, "shared")
    starts = len(bench.host.services.starts)

    bench.cycle()

    assert len(bench.host.services.starts) == starts
    assert bench.plan().sync == "in_sync"


def test_a_disabled_unit_is_enabled_without_a_restart(bench: Bench) -> None:
    healthy(bench)
    drift(bench, "enabled")
    starts = len(bench.host.services.starts)

    bench.cycle()

    assert len(bench.host.services.starts) == starts
    assert bench.host.services.disabled == set()


def test_something_of_worth_in_the_place_of_a_link_is_nobodys_to_remove(bench: Bench) -> None:
    """It is tried again, a little later each time, and never quarantined: the service goes on."""
    sha = healthy(bench)
    bench.host.releases.occupy_link(bench.target.app_path, sha, "uploads")

    failed = bench.cycle()

    assert failed.outcome == "failed"
    assert "uploads" in failed.message
    assert bench.recorded.quarantines == ()
    assert [hold.code.value for hold in failed.seen.action.held_by] == ["back_off"]
    assert bench.serving == sha


def test_without_its_release_nothing_is_repaired_when_that_is_only_reported(bench: Bench) -> None:
    healthy(bench, OnDrift("repair", {"release": "report"}))
    drift(bench, "release")
    drift(bench, "service")

    seen = bench.settle()

    assert drifted(seen) == ["release", "service"]
    assert [hold.code.value for hold in seen.held_by] == ["drift_reported"]
    assert bench.serving is None
