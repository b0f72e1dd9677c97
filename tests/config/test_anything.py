"""Whatever a file says, reading it never raises, every problem has a place in it, and no secret is shown."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraisier.config import Loaded, SourceFile, load
from tests.config.test_minimal import EXAMPLES
from tests.support.configs import Machine

CANARY = "cAnArY-7f3a"
GATES = yaml.safe_load("""\
server: {name: web-1, crash_limit: 3}
defaults: {on_drift: report, repairs: {at_most: 6, within: 1h}, verify: {signed: head, gpg_keys: /etc/keys.asc}}
windows:
  office: {days: [mon, tue-fri], from: "09:00", to: "18:00", timezone: Europe/Paris}
  freeze: {kind: deny, dates: ["2026-12-24..2027-01-02", "2027-05-01"]}
fraises:
  gated:
    type: api
    deploy: {windows: [office, freeze], approval: required}
    environments:
      production:
        tag: v1.*
        app_path: /srv/gated
        service: {exec: x}
        on_drift: {default: repair, files: ignore, except_files: ["var/**"]}
        verify: {signed: both, ssh_allowed_signers: /etc/signers}
      pinned: {revision: 0123456789abcdef0123456789abcdef01234567, app_path: /srv/pinned, service: {exec: x}}
""")
EVERYTHING = yaml.safe_load((EXAMPLES / "api.yaml").read_text())
EVERYTHING = {**EVERYTHING, **GATES, "fraises": EVERYTHING["fraises"] | GATES["fraises"]}
KEYS = {"/etc/keys.asc": "", "/etc/signers": ""}
WORDS = [
    "fraises",
    "git",
    "env",
    "my_api",
    "auth",
    "production",
    "<<",
    "on",
    "${V}",
    "main",
    "*a",
    "&a",
    "12:30",
    "yes",
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(WORDS)
    | st.sampled_from(["${V}", "$${V}", "${", "/srv/x", "30s", "a | b", "fraise/production", "http://x"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def load_text(text: str, machine: Machine | None = None) -> Loaded:
    return load([SourceFile("f.yaml", text)], machine or Machine({"V": "v"}))


def assert_places(loaded: Loaded, text: str) -> None:
    lines = len(text.splitlines()) + 1
    assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in loaded.problems)
    assert all(problem.file == "f.yaml" and problem.message for problem in loaded.problems)
    assert loaded.config is not None or loaded.problems


@settings(deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="ab:- \n\t[]{},&*!|>'\"#%@`?<0", max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text):
    assert_places(load_text(text), text)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*WORDS, "branch_mapping", "defaults", "server"]), values, max_size=5))
def test_any_document_is_read_or_refused_with_places(document):
    text = yaml.safe_dump(document, allow_unicode=True)

    assert_places(load_text(text), text)


def test_the_sound_document_is_sound():
    machine = Machine({"HOOK_NEW": "n", "HOOK_OLD": "o", "DB_PASSWORD": "p"}, KEYS)

    assert load_text(yaml.safe_dump(EVERYTHING), machine).problems == ()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in entries for place in places(inner, (*path, key)))]


ALL_PLACES = places(EVERYTHING)[1:]


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(EVERYTHING)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return document


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ALL_PLACES), values)
def test_a_sound_document_with_anything_in_one_place_never_raises(path, value):
    text = yaml.safe_dump(changed(path, value), allow_unicode=True)
    machine = Machine({"V": "v", "HOOK_NEW": "n", "HOOK_OLD": "o", "DB_PASSWORD": "p"}, KEYS)

    loaded = load_text(text, machine)

    assert_places(loaded, text)
    assert loaded.config is None or not (loaded.held.keys() & loaded.config.targets.keys())


@pytest.mark.parametrize("value", ["${V}", "x${V}", {"env": "V"}, {"file": "/f"}, {"credential": "c"}, [{"env": "V"}]])
@pytest.mark.parametrize("path", ALL_PLACES, ids=str)
def test_a_value_from_elsewhere_is_in_no_problem_wherever_it_stands(path, value):
    machine = Machine(
        {"V": CANARY, "HOOK_NEW": "n", "HOOK_OLD": "o", "DB_PASSWORD": "p"}, {**KEYS, "/f": CANARY}, {"c": CANARY}
    )

    loaded = load_text(yaml.safe_dump(changed(path, value)), machine)

    shown = [problem for problem in map(str, loaded.problems) if "does not run on" not in problem]
    assert CANARY not in "\n".join(shown)


@pytest.mark.parametrize("reference", ["'${V}'", "'x ${V} y'", "{env: V}", "{file: /f}", "{credential: c}"])
def test_a_secret_is_in_no_text_of_what_was_read(reference):
    text = f"""\
git: {{github: {{webhook_secret: {reference}}}}}
fraises:
  a:
    type: api
    repository: /srv/git/a
    env: {{A: {reference}}}
    environments:
      p:
        branch: main
        app_path: /srv/a
        service: {{exec: x}}
        env: {{B: {reference}}}
        health_check: {{url: "http://x/", headers: {{X: {reference}}}}}
"""

    loaded = load_text(text, Machine({"V": CANARY}, {"/f": CANARY}, {"c": CANARY}))

    assert loaded.problems == ()
    assert CANARY not in repr(loaded) + str(loaded)


@pytest.mark.parametrize(
    "broken",
    ["{s3cr3t-key}", "*s3cr3t-key", "&s3cr3t-key", "!s3cr3t-key", "'s3cr3t-key", "%s3cr3t-key", "s3cr3t-key: x: y"],
)
def test_a_secret_in_wrong_quotes_is_not_shown(broken):
    loaded = load_text(f"git:\n  github:\n    webhook_secret: {broken}\n")

    assert loaded.problems
    assert "s3cr3t-key" not in str(loaded)
