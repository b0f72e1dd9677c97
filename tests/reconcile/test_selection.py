"""What is selected, and what keeps it out: tags and their versions, one commit, rewinds, signatures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fraisier.model.config import Verification
from fraisier.model.errors import Transient
from fraisier.model.plan import Action
from fraisier.model.selection import Exact, TagRange
from tests.support.bench import Bench, scratch


def _codes(action: Action) -> list[str]:
    return [hold.code.value for hold in action.held_by]


# -- tags


@pytest.fixture
def tagged(bench: Bench) -> Bench:
    """v1.0.0 is deployed, from a range."""
    bench.configure(selection=TagRange("v1.*"))
    bench.remote.tags["v1.0.0"] = bench.push("a")
    bench.settle()
    return bench


def test_the_newest_tag_of_the_range_is_deployed_by_its_name(tagged: Bench) -> None:
    sha = tagged.push("b")
    tagged.push("not tagged")
    tagged.remote.tags["v1.1.0"] = sha
    tagged.remote.tags["v2.0.0"] = tagged.push("next")

    plan = tagged.plan()
    tagged.settle()

    assert (plan.reasons[0].code.value, plan.reasons[0].message) == ("head_moved", "tag v1.1.0 is the newest in v1.*")
    assert plan.ref == "v1.1.0"
    assert tagged.serving == sha


def test_a_higher_version_is_no_rewind_although_it_does_not_descend(tagged: Bench) -> None:
    """A release that was made from another line of work."""
    other = tagged.push("an old line", branch="maintenance", onto=None)
    assert tagged.remote.tags["v1.0.0"] not in tagged.remote.ancestry(other)
    tagged.remote.tags["v1.0.1"] = other

    tagged.settle()

    assert tagged.serving == other


def test_a_lower_version_is_held_until_it_is_accepted_by_name(tagged: Bench) -> None:
    """The newest tag was taken back."""
    first = tagged.remote.tags["v1.0.0"]
    tagged.remote.tags["v1.1.0"] = second = tagged.push("b")
    tagged.settle()
    del tagged.remote.tags["v1.1.0"]

    held = tagged.settle()

    assert _codes(held) == ["rewind"]
    not_newer = f"tag v1.0.0 at {first[:7]} is not newer than v1.1.0 at {second[:7]}"
    assert held.held_by[0].message == f"{not_newer}, which is deployed"
    assert held.held_by[0].to_go_on == f"fraisier deploy shop/production --allow-rewind {first}"
    assert tagged.serving == second
    tagged.ask("deploy", {"allow_rewind": first})
    tagged.settle()
    assert tagged.serving == first


def test_a_tag_that_was_moved_is_held(tagged: Bench) -> None:
    first = tagged.remote.tags["v1.0.0"]
    tagged.remote.tags["v1.0.0"] = moved = tagged.push("b")

    held = tagged.settle()

    assert _codes(held) == ["rewind"]
    assert tagged.serving == first
    tagged.ask("deploy", {"allow_rewind": moved})
    tagged.settle()
    assert tagged.serving == moved


def test_a_range_without_a_tag_keeps_what_serves(tagged: Bench) -> None:
    first = tagged.serving
    tagged.remote.tags.clear()

    held = tagged.settle()

    assert _codes(held) == ["tag_missing"]
    assert "no tag in the range v1.*" in held.held_by[0].message
    assert tagged.serving == first


# -- one commit


def test_a_commit_that_is_declared_is_deployed_and_stays(bench: Bench) -> None:
    first = bench.push("a")
    bench.push("b")
    bench.configure(selection=Exact(first))

    bench.settle()
    bench.push("c")
    after = bench.settle()

    assert bench.serving == first
    assert after.sync == "in_sync"


def test_a_commit_that_is_declared_needs_no_remote_to_be_repaired(bench: Bench) -> None:
    first = bench.push("a")
    bench.configure(selection=Exact(first))
    bench.settle()
    bench.remote.reachable = False
    bench.host.services.kill(bench.target.service.unit)

    after = bench.settle()

    assert bench.serving == first
    assert (after.sync, after.incomplete) == ("in_sync", ())


def test_an_older_commit_that_is_declared_is_no_rewind_for_the_configuration_names_it(bench: Bench) -> None:
    first = bench.push("a")
    bench.settle()
    bench.push("b")
    bench.settle()
    bench.configure(selection=Exact(first))

    bench.settle()

    assert bench.serving == first


def test_a_commit_that_nobody_has_is_the_revisions_fault(bench: Bench) -> None:
    first = bench.push("a")
    bench.settle()
    bench.configure(selection=Exact("9" * 40))

    held = bench.settle()

    assert _codes(held) == ["quarantined"]
    assert bench.serving == first


# -- rewinds


def test_a_rewound_branch_says_what_it_lost_and_one_command_accepts_it(bench: Bench) -> None:
    base = bench.push("a")
    bench.settle()
    lost = bench.push("b")
    bench.settle()
    forced = bench.push("other", onto=base)

    held = bench.settle()

    assert _codes(held) == ["rewind"]
    assert held.held_by[0].message == f"main was rewound: {forced[:7]} does not descend from {lost[:7]}"
    assert held.held_by[0].to_go_on == f"fraisier deploy shop/production --allow-rewind {forced}"
    assert bench.serving == lost


def test_what_was_accepted_is_one_revision_and_no_other(bench: Bench) -> None:
    base = bench.push("a")
    bench.settle()
    lost = bench.push("b")
    bench.settle()
    accepted = bench.push("other", onto=base)
    bench.ask("deploy", {"allow_rewind": accepted})
    bench.push("yet another", onto=base)

    held = bench.settle()

    assert _codes(held) == ["rewind"]
    assert bench.serving == lost


# -- signatures


@pytest.fixture
def signing() -> Iterator[Bench]:
    made = Bench(scratch(), kind="systemd")
    made.configure(verify=Verification(ssh_allowed_signers="/etc/fraisier/signers"))
    yield made
    made.close()


def test_what_is_signed_is_deployed(signing: Bench) -> None:
    signing.remote.signed.add(sha := signing.push("a"))

    assert signing.settle().sync == "in_sync"
    assert signing.serving == sha


def test_what_is_not_signed_is_held_and_advances_nothing(signing: Bench) -> None:
    signing.remote.signed.add(good := signing.push("a"))
    signing.settle()
    bad = signing.push("b")

    held = signing.settle()

    assert _codes(held) == ["signature"]
    assert f"{bad[:7]} is not signed as it has to be" in held.held_by[0].message
    assert "/etc/fraisier/signers" in held.held_by[0].to_go_on
    assert signing.serving == good
    assert signing.recorded.healthy[0].sha == good
    assert signing.recorded.quarantines == ()
    signing.remote.signed.add(bad)  # its signer came to be known
    signing.settle()
    assert signing.serving == bad


def test_a_first_deployment_that_is_not_signed_is_never_begun(signing: Bench) -> None:
    signing.push("a")

    held = signing.settle()

    assert _codes(held) == ["signature"]
    assert signing.host.services.starts == []
    assert signing.host.directories == {}, "nothing of it was even written out"


@pytest.mark.parametrize("is_signed", [True, False])
def test_what_is_not_here_yet_is_verified_by_the_fetch_before_anything_advances(
    signing: Bench, is_signed: bool
) -> None:
    sha = signing.push("a")
    if is_signed:
        signing.remote.signed.add(sha)
    signing.host.faults.arm(2, "before", lambda: Transient("the remote hung up", code="remote_unreachable"))

    planned = signing.plan()
    first = signing.cycle()

    assert planned.steps[0].kind == "fetch"
    assert planned.steps[0].summary().endswith("verify its signature")
    assert first.outcome == ("converged" if is_signed else "superseded")
    assert signing.serving == (sha if is_signed else None)
    assert _codes(signing.settle()) == ([] if is_signed else ["signature"])


def test_a_person_who_tries_an_unsigned_commit_is_held_too(signing: Bench) -> None:
    signing.remote.signed.add(good := signing.push("a"))
    signing.settle()
    bad = signing.push("fix", branch="fix-x", onto=good)
    signing.ask("pin", {"kind": "revision", "value": bad})

    held = signing.settle()

    assert _codes(held) == ["signature"]
    assert signing.serving == good


def test_what_serves_is_repaired_although_its_signature_counts_no_more(signing: Bench) -> None:
    signing.remote.signed.add(good := signing.push("a"))
    signing.settle()
    signing.remote.signed.clear()
    signing.host.services.kill(signing.target.service.unit)

    signing.settle()

    assert signing.serving == good
