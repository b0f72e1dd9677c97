"""Law 14: only what Fraisier made, only when asked, dependants first, never data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fraisier.model.config import ApiTarget
from fraisier.model.errors import Refused
from fraisier.model.names import Scope, TargetId
from fraisier.model.plan import Hold, ReasonCode
from fraisier.model.state import Suspension
from fraisier.reconcile.look import make_plan
from fraisier.reconcile.removal import orphans, removals
from fraisier.testing import PowerCut, api_target
from tests.support.bench import Bench, scratch

DB = api_target("db/production")
BLOG = replace(api_target("blog/production"), depends_on=(DB.id,))


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Three targets, all deployed; blog depends on db."""
    made = Bench(scratch(), kind="systemd", others=(DB, BLOG))
    for target in (made.target, DB, BLOG):
        made.push("a", to=target)
        made.settle(target=target)
    yield made
    made.close()


def _leave(bench: Bench, *gone: ApiTarget) -> None:
    bench.others = tuple(target for target in bench.others if target not in gone)


def _made_for(bench: Bench, target: ApiTarget) -> list[str]:
    return [path for path in bench.host.directories if path.startswith(f"{target.app_path}/")]


def test_what_is_configured_is_no_orphan(bench: Bench) -> None:
    assert orphans(bench.eyes()) == {}
    assert removals(bench.eyes()) == []


def test_what_left_is_removed_with_its_service_unit_and_releases_and_forgotten(bench: Bench) -> None:
    _leave(bench, BLOG)

    plan = make_plan(bench.eyes(), prune=True)
    removed = bench.remove(BLOG.id)

    assert [(str(action.id), action.action) for action in plan.actions][-1] == ("blog/production", "remove")
    assert plan.actions[-1].reasons[0].code == "left_configuration"
    assert [step.kind for step in plan.actions[-1].steps] == ["retire", "remove"]
    assert removed.outcome == "converged"
    assert BLOG.service.unit not in bench.host.services.live
    assert BLOG.service.unit not in bench.host.services.installed
    assert _made_for(bench, BLOG) == []
    assert _made_for(bench, DB)
    assert orphans(bench.eyes()) == {}
    assert [row["identifier"] for row in bench.store.status_rows()] == ["db/production", "shop/production"]
    with pytest.raises(Refused, match="nothing of blog/production is left"):
        bench.remove(BLOG.id)


def test_nothing_is_removed_or_even_shown_unasked(bench: Bench) -> None:
    _leave(bench, BLOG)

    plan = make_plan(bench.eyes())
    bench.settle()

    assert "remove" not in {action.action for action in plan.actions}
    assert BLOG.service.unit in bench.host.services.live


def test_dependants_go_before_what_they_depend_on(bench: Bench) -> None:
    _leave(bench, BLOG, DB)

    assert [str(action.id) for action in removals(bench.eyes())] == ["blog/production", "db/production"]
    assert [str(action.id) for action in removals(bench.eyes(), [DB.id])] == ["db/production"]


def test_what_somebody_still_needs_is_held(bench: Bench) -> None:
    _leave(bench, DB)

    removed = bench.remove(DB.id)

    assert removed.outcome is None
    assert [(hold.code.value, hold.message) for hold in removed.action.held_by] == [
        ("dependency", "blog/production depends on it")
    ]
    assert removed.action.held_by[0].to_go_on
    assert DB.service.unit in bench.host.services.live


def test_a_target_with_another_name_and_the_same_folder_leaves_nothing_behind(bench: Bench) -> None:
    renamed = api_target("weblog/production", app_path=BLOG.app_path, service=BLOG.service, remote=BLOG.remote)
    bench.others = (DB, renamed)

    assert orphans(bench.eyes()) == {}


def test_a_unit_that_another_target_has_now_is_kept(bench: Bench) -> None:
    moved = api_target("weblog/production", service=BLOG.service, remote=BLOG.remote)
    bench.others = (DB, moved)

    removed = bench.remove(BLOG.id)

    assert [step.kind for step in removed.action.steps] == ["remove"]
    assert removed.outcome == "converged"
    assert BLOG.service.unit in bench.host.services.live
    assert _made_for(bench, BLOG) == []


def test_a_configuration_without_targets_removes_nothing(bench: Bench) -> None:
    bench.others = ()
    eyes = replace(bench.eyes(), config=replace(bench.config, targets={}))

    with pytest.raises(Refused, match="has no target for this server"):
        removals(eyes)


def test_a_configuration_with_problems_removes_nothing(bench: Bench) -> None:
    _leave(bench, BLOG)
    bench.holds = {TargetId("shop", "production"): Hold(ReasonCode.CONFIG_INVALID, "line 4 is wrong", "mend it")}

    with pytest.raises(Refused, match="line 4 is wrong"):
        bench.remove(BLOG.id)
    assert BLOG.service.unit in bench.host.services.live


@pytest.mark.parametrize("scope", [Scope("blog", "production"), Scope("blog"), Scope()], ids=str)
def test_what_is_suspended_is_not_removed(bench: Bench, scope: Scope) -> None:
    bench.store.suspend(Suspension(scope, "an audit", "ann", bench.host.clock.now()))
    _leave(bench, BLOG)

    removed = bench.remove(BLOG.id)

    assert removed.outcome is None
    assert [hold.code.value for hold in removed.action.held_by] == ["suspended"]
    assert BLOG.service.unit in bench.host.services.live


@pytest.mark.parametrize("power", [True, False], ids=["power", "kill"])
@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 12))
def test_a_removal_that_was_cut_off_is_gone_on_with_when_it_is_asked_for_again(
    bench: Bench, at: int, where: str, power: bool
) -> None:
    _leave(bench, BLOG)
    bench.host.faults.arm(at, where)  # type: ignore[arg-type]
    try:
        bench.remove(BLOG.id)
    except PowerCut:
        bench.restart(power=power)
    bench.host.faults.disarm()

    if BLOG.id in orphans(bench.eyes()):
        assert bench.remove(BLOG.id).outcome == "converged"

    assert orphans(bench.eyes()) == {}
    assert _made_for(bench, BLOG) == []
    assert BLOG.service.unit not in bench.host.services.live
    assert BLOG.service.unit not in bench.host.services.installed
    assert bench.store.open_attempts() == []


def test_what_is_configured_again_is_deployed_again(bench: Bench) -> None:
    _leave(bench, BLOG)
    bench.remove(BLOG.id)
    bench.others = (DB, BLOG)

    bench.settle(target=BLOG)

    assert bench.host.services.live[BLOG.service.unit].sha == bench.host.git.remote(BLOG.remote).branches["main"]
