"""What is behind a plan: commits on both sides, configuration, units, changed files; and what is not known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fraisier.config.declared import declared
from fraisier.model.config import OnDrift, Service
from fraisier.model.secret import Secret
from fraisier.model.selection import Exact
from fraisier.model.state import Difference, Unknown
from fraisier.reconcile.difference import SHOWN, Change, Commits, Differences, changes, differences, is_worth_it
from fraisier.reconcile.look import look_at
from fraisier.testing import api_target
from fraisier.testing.targets import KEY
from tests.support.bench import Bench, scratch


def target(**fields: Any) -> Any:
    made = api_target(**fields)
    return replace(made, declared=declared(made, KEY))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(scratch(), kind="systemd", target=target())
    made.push("a")
    yield made
    made.close()


def compared(bench: Bench, *, offline: bool = False) -> Differences:
    (look,) = look_at(bench.eyes(), offline=offline)
    return differences(bench.eyes(), look, bench.host.interrupt(), offline=offline)


def shas(commits: Any) -> list[str]:
    return [commit.sha for commit in commits]


def test_of_what_is_in_sync_nothing_differs(bench: Bench) -> None:
    bench.cycle()

    found = compared(bench)

    assert found.is_empty
    assert not found.unknown
    assert not is_worth_it(look_at(bench.eyes())[0])


def test_a_new_head_is_fetched_and_its_commits_come_newest_first(bench: Bench) -> None:
    bench.cycle()
    second, third = bench.push("b"), bench.push("c")
    assert not bench.host.git.has(bench.target.remote, third)

    found = compared(bench)

    assert isinstance(found.commits, Commits)
    assert shas(found.commits.gained) == [third, second]
    assert found.commits.lost == ()
    assert is_worth_it(look_at(bench.eyes())[0])


def test_of_many_commits_the_newest_are_listed_and_all_are_counted(bench: Bench) -> None:
    bench.cycle()
    pushed = [bench.push(str(number)) for number in range(SHOWN + 12)]

    found = compared(bench)

    assert isinstance(found.commits, Commits)
    assert shas(found.commits.gained) == pushed[: -SHOWN - 1 : -1]
    assert found.commits.gained_count == SHOWN + 12


def test_before_the_first_deployment_the_history_of_the_head_is_what_comes(bench: Bench) -> None:
    found = compared(bench)
    assert isinstance(found.commits, Commits)
    assert (shas(found.commits.gained), found.commits.gained_count) == ([bench.remote.branches["main"]], 1)
    assert found.declared is None

    for number in range(SHOWN):
        bench.push(str(number))

    many = compared(bench)
    assert isinstance(many.commits, Commits)
    assert (len(many.commits.gained), many.commits.gained_count) == (SHOWN, None)


def test_a_rewind_shows_what_would_be_lost(bench: Bench) -> None:
    first = bench.remote.branches["main"]
    second = bench.push("b")
    bench.cycle()
    other = bench.push("other", onto=first)

    found = compared(bench)

    assert found.action.is_held
    assert isinstance(found.commits, Commits)
    assert (shas(found.commits.gained), shas(found.commits.lost)) == ([other], [second])


def test_an_unreachable_remote_leaves_the_rest_to_be_compared(bench: Bench) -> None:
    bench.cycle()
    bench.target = target(env={"LEVEL": "debug"})
    bench.remote.reachable = False

    found = compared(bench)

    assert found.declared == (Change("env.LEVEL", "added", after="debug"),)
    assert found.units
    assert found.action.incomplete
    assert not found.is_blind


def test_nothing_at_all_can_be_compared_of_a_target_that_nobody_has_seen(bench: Bench) -> None:
    bench.remote.reachable = False

    found = compared(bench)

    assert list(found.unknown) == ["commits"]
    assert found.is_blind


def test_a_commit_that_is_named_and_nowhere_is_said_to_be_missing(bench: Bench) -> None:
    bench.cycle()
    bench.target = target(selection=Exact("f" * 40))

    found = compared(bench)

    assert isinstance(found.commits, Unknown)
    assert found.commits.code.startswith("revision_")


def test_offline_nothing_is_fetched(bench: Bench) -> None:
    bench.cycle()
    second = bench.push("b")
    look_at(bench.eyes())
    bench.store.save_heads(bench.target.remote, *_seen(bench), bench.host.clock.now())

    found = compared(bench, offline=True)

    assert isinstance(found.commits, Unknown)
    assert (found.commits.code, second[:7] in found.commits.message) == ("offline", True)
    assert not bench.host.git.has(bench.target.remote, second)


def _seen(bench: Bench) -> Any:
    selection = bench.target.selection
    return bench.host.git.heads(bench.target.remote, [selection]), [selection]


def test_the_configuration_is_compared_with_what_was_last_proven_healthy(bench: Bench) -> None:
    bench.target = target(env={"LEVEL": "info", "DB": Secret("hunter2")})
    bench.cycle()
    bench.target = target(env={"LEVEL": "debug", "DB": Secret("hunter3")})

    found = compared(bench)

    assert isinstance(found.declared, tuple)
    level, secret = reversed(found.declared)
    assert (level.key, level.before, level.after) == ("env.LEVEL", "info", "debug")
    assert (secret.key, secret.kind) == ("env.DB", "changed")
    assert secret.before == {"secret": Secret("hunter2").fingerprint(KEY)}
    assert "hunter" not in repr(found.declared)


def test_an_old_store_that_recorded_no_declaration_is_no_change(bench: Bench) -> None:
    bench.target = replace(bench.target, declared="")
    bench.cycle()
    bench.target = target()

    found = compared(bench)

    assert isinstance(found.declared, Unknown)
    assert found.declared.code == "not_recorded"


def test_entries_are_added_removed_or_changed() -> None:
    assert changes({"a": 1, "b": ["x"], "c": "same"}, {"b": ["x", "y"], "c": "same", "d": 2}) == (
        Change("a", "removed", before=1),
        Change("b", "changed", ["x"], ["x", "y"]),
        Change("d", "added", after=2),
    )


def test_a_unit_that_was_edited_is_shown_as_it_is_and_as_it_should_be(bench: Bench) -> None:
    bench.cycle()
    bench.host.services.edit_unit(bench.target.service.unit)

    found = compared(bench)

    assert isinstance(found.units, tuple)
    (unit,) = found.units
    assert unit.observed == f"{unit.desired}# edited by hand\n"


def test_a_unit_file_that_the_new_commit_lacks_is_named(bench: Bench) -> None:
    bench.cycle()
    bench.target = target(service=Service("shop.service", unit_file="deploy/shop.service"))
    second = bench.push("b")

    found = compared(bench)

    assert isinstance(found.units, Unknown)
    assert found.units.message == f"deploy/shop.service is not in {second[:7]}"
    assert isinstance(found.commits, Commits)


def test_the_unit_file_of_a_release_that_is_not_made_yet_is_read_from_the_repository(bench: Bench) -> None:
    bench.cycle()
    bench.target = target(service=Service("shop.service", unit_file="deploy/shop.service"))
    bench.remote.files[bench.push("b")] = {"deploy/shop.service": b"[Service]\n"}

    found = compared(bench)

    assert isinstance(found.units, tuple)
    assert found.units


def test_changed_files_are_named_unless_they_are_nobodys_business(bench: Bench) -> None:
    bench.cycle()
    app = bench.host.releases.app(bench.target.app_path)
    assert app.current is not None
    changed, excused = Difference("app.py", "changed"), Difference("var/x", "changed")
    app.files[app.current] = {each.path: each for each in (changed, excused)}
    bench.target = target(on_drift=OnDrift(except_files=("var/**",)))
    assert compared(bench).files == (changed,)

    bench.target = target(on_drift=OnDrift(fields={"files": "ignore"}))
    assert compared(bench).files == ()
