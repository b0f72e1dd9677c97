"""`explain`: what runs, what is wanted, what follows and who arranged what, in the order a person asks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from fraisier.cli.console import THEME
from fraisier.cli.explain_document import explain_document
from fraisier.cli.explain_text import print_explanation
from fraisier.host.output import clean
from fraisier.model.config import Verification, Window
from fraisier.model.names import Scope, TargetId
from fraisier.model.selection import Branch, Exact
from fraisier.model.state import Approval, Difference, Emergency, Override, ProbeResult, Suspension
from fraisier.reconcile.look import look_at
from tests.support.bench import Bench, scratch

OTHER = "f" * 40


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(scratch(), kind="systemd")
    made.push("a")
    made.cycle()
    yield made
    made.close()


def explained(bench: Bench, *, probe: ProbeResult | None = None, width: int | None = None) -> tuple[Any, list[str]]:
    (look,) = look_at(bench.eyes())
    now, out = bench.host.clock.now(), io.StringIO()
    document = explain_document(look, probe, bench.store.history_rows(limit=3), now)
    console = Console(file=out, theme=THEME, highlight=False, width=width or 10_000, force_terminal=width is not None)
    print_explanation(console, document, look.shown, now)
    return document, [line.rstrip() for line in clean(out.getvalue()).split("\n")]


def said(lines: list[str], label: str) -> list[str]:
    return [line[17:] for line in lines if line[2:17].rstrip() == label]


def test_it_begins_with_what_runs_and_whether_it_is_healthy(bench: Bench) -> None:
    head = bench.remote.branches["main"]

    document, lines = explained(bench, probe=ProbeResult(True, "HTTP 200"))

    assert (document["observed"]["sha"], document["observed"]["health"]) == (head, "healthy")
    assert lines[3:5] == ["  health         healthy: HTTP 200", f"  runs           {head[:7]}"]
    headings = [line for line in lines if line and not line.startswith(" ")][1:]
    assert headings == [
        "observed: what runs",
        "desired: what is wanted",
        "what follows",
        "limits",
        "recorded",
        "last deployments",
    ]


def test_a_probe_that_fails_just_now_is_believed(bench: Bench) -> None:
    document, lines = explained(bench, probe=ProbeResult(False, "HTTP 500"))

    assert document["observed"]["health"] == "degraded"
    assert said(lines, "health") == ["degraded: HTTP 500"]


def test_drift_is_shown_with_what_was_desired_and_what_was_observed(bench: Bench) -> None:
    bench.host.services.disable(bench.target.service.unit)
    app = bench.host.releases.app(bench.target.app_path)
    assert app.current is not None
    app.files[app.current] = {"app.py": Difference("app.py", "changed")}

    document, lines = explained(bench)

    fields = {each["field"]: each for each in document["observed"]["drift"]}
    assert (fields["enabled"]["desired"], fields["enabled"]["observed"]) == ("enabled", "disabled")
    assert document["observed"]["differences"] == [{"path": "app.py", "found": "changed"}]
    at = lines.index("  drift: enabled desired   enabled")
    assert lines[at + 1] == "                 observed  disabled"


def test_everything_that_people_arranged_is_there_with_who_and_why(bench: Bench) -> None:
    now, id = bench.host.clock.now(), bench.target.id
    bench.store.suspend(Suspension(Scope(id.fraise), "a freeze", "ann", now, now + timedelta(hours=2)))
    bench.store.override(id, Override("pin", Exact(OTHER), "bob", now, "until the audit"))
    bench.store.approve(id, Approval("0123456789ab", "cid", now))
    bench.store.allow_emergency(id, Emergency(OTHER, "the shop is down", "dan", now))

    document, lines = explained(bench)

    arranged = document["arranged"]
    assert [(each["scope"], each["by"]) for each in arranged["suspensions"]] == [("shop/*", "ann")]
    assert arranged["override"]["selection"] == {"kind": "revision", "value": OTHER}
    assert arranged["approval"]["hash"] == "0123456789ab"
    assert arranged["emergency"]["reason"] == "the shop is down"
    assert "a freeze" in said(lines, "suspended")[0]
    assert "by bob" in said(lines, "pinned")[0]
    assert "by cid" in said(lines, "approved")[0]
    assert "the shop is down" in said(lines, "emergency")[0]
    assert said(lines, "follows") == ["revision fffffff, instead of branch main as declared"]


def test_a_hold_says_how_to_go_on(bench: Bench) -> None:
    bench.push("b")
    now = bench.host.clock.now()
    bench.store.suspend(Suspension(Scope.of(bench.target.id), "", "ann", now))

    _, lines = explained(bench)

    assert said(lines, "action") == ["held: deploy"]
    assert said(lines, "to go on") == ["fraisier resume shop/production"]


@pytest.mark.parametrize(
    ("kind", "start", "end", "is_open", "hours"),
    [
        ("allow", 0, 14, True, 2),  # hours of a day in which it is noon now
        ("allow", 14, 16, False, 2),
        ("deny", 0, 14, False, 2),
        ("deny", 14, 16, True, 2),
    ],
)
def test_each_window_says_whether_it_is_open_and_until_when(
    bench: Bench, kind: Any, start: int, end: int, is_open: bool, hours: int
) -> None:
    now = bench.host.clock.now()
    first, last = ((now.hour - 12 + hour) % 24 for hour in (start, end))
    window = Window("office", kind, start=time(first), end=time(last), zone=ZoneInfo("UTC"))
    bench.target = replace(bench.target, windows=(window,))

    document, lines = explained(bench)

    (shown,) = document["limits"]["windows"]
    expected = (now + timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
    assert (shown["name"], shown["is_open"]) == ("office", is_open)
    assert shown["until"] == f"{expected:%Y-%m-%dT%H}:00:00.000000Z"
    assert said(lines, "window")[0].startswith("office: open until" if is_open else "office: closed until")


def test_a_window_that_never_changes_has_no_end(bench: Bench) -> None:
    bench.target = replace(bench.target, windows=(Window("always"),))

    document, _ = explained(bench)

    assert (document["limits"]["windows"][0]["is_open"], document["limits"]["windows"][0]["until"]) == (True, None)


def test_repairs_of_the_last_hour_are_counted_against_the_budget(bench: Bench) -> None:
    for _ in range(2):
        bench.host.services.kill(bench.target.service.unit)
        bench.cycle()
        bench.host.clock.advance(60)

    document, lines = explained(bench)

    assert (document["limits"]["repairs"]["recent"], document["limits"]["repairs"]["at_most"]) == (2, 6)
    assert said(lines, "repairs")[0].startswith("2 of at most 6 within 1 h, the last ")


def test_the_verdict_on_the_signature_is_there_where_one_is_asked_for(bench: Bench) -> None:
    assert explained(bench)[0]["desired"]["signature"] is None
    bench.configure(verify=Verification(ssh_allowed_signers="/etc/signers"))
    assert explained(bench)[0]["desired"]["signature"]["verdict"] == "unchecked"

    head = bench.push("b")
    bench.host.git.fetch(bench.target.remote, "main", head, bench.host.interrupt())
    document, lines = explained(bench)
    assert document["desired"]["signature"]["verdict"] == "bad"
    assert said(lines, "signature")[0].startswith("bad: ")

    bench.remote.signed.add(head)
    assert explained(bench)[0]["desired"]["signature"]["verdict"] == "good"


def test_a_problem_of_the_remote_is_said_once(bench: Bench) -> None:
    bench.remote.reachable = False

    document, lines = explained(bench)

    assert "cannot be reached" in document["desired"]["problem"]
    assert len([line for line in lines if "cannot be reached" in line]) == 1


def test_the_shape_that_scripts_rely_on_stays(bench: Bench) -> None:
    document, _ = explained(bench)

    parts = {
        "desired": {"branch", "sha", "seen_at", "problem", "lineage", "commits"},
        "observed": {"current", "releases", "started_with", "service", "pid", "message", "problem"},
        "recorded": {"healthy", "attempted", "quarantine", "back_off"},
    }
    assert {"identifier", "declared_at", "plan", "last", *parts} <= document.keys()
    assert all(keys <= document[part].keys() for part, keys in parts.items())
    assert document["desired"]["branch"] == "main"


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_lines_that_wrap_stay_beside_their_label(bench: Bench, width: int) -> None:
    now = bench.host.clock.now()
    bench.store.override(bench.target.id, Override("try", Branch("fix"), "ann", now, "reason " * 40))

    _, lines = explained(bench, width=width)

    assert max(map(len, lines)) <= width
    assert all(line.startswith(" " * 17) for line in lines if line.startswith("   ") and "reason" in line)
    assert TargetId.parse(lines[0].split()[0]) == bench.target.id
