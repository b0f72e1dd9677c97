"""When and whether to act: `on_drift`, `repairs`, `deploy`, `verify`, and where each is inherited from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fraisier.host.lookup import load_config
from fraisier.model.config import DRIFT_FIELDS, OnDrift, RepairBudget, Verification
from fraisier.model.names import TargetId
from tests.support.configs import Machine, api, read, sentences

TARGET = TargetId("my_api", "production")
MACHINE = Machine(files={"/etc/signers": "", "/etc/keys.asc": ""})
WINDOWS = "windows: {office: {days: mon-fri}, nights: {from: '22:00'}, freeze: {kind: deny, days: fri}}\n"


def target(text: str, machine: Machine = MACHINE):
    loaded = read(text, machine)
    assert sentences(loaded) == []
    return loaded.config.targets[TARGET]


def test_without_a_word_everything_is_repaired_within_a_budget_and_nothing_waits():
    found = target(api())

    assert found.on_drift == OnDrift()
    assert {found.on_drift.of(name) for name in DRIFT_FIELDS} == {"repair"}
    assert found.repairs == RepairBudget(6, timedelta(hours=1))
    assert (found.windows, found.approval, found.verify) == ((), False, None)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("report", OnDrift("report")),
        ("ignore", OnDrift("ignore")),
        ("{default: report, unit: repair}", OnDrift("report", {"unit": "repair"})),
        (
            "{enabled: ignore, except_files: [var/cache/**]}",
            OnDrift("repair", {"enabled": "ignore"}, ("var/cache/**",)),
        ),
        ("{default: ignore, link: ignore}", OnDrift("ignore")),
        ("{}", OnDrift()),
    ],
)
def test_on_drift_is_a_word_or_a_map(written, expected):
    assert target(api(environment=f"on_drift: {written}")).on_drift == expected


@pytest.mark.parametrize("name", DRIFT_FIELDS)
def test_each_way_to_drift_has_a_policy_of_its_own(name):
    found = target(api(environment=f"on_drift: {{{name}: report}}")).on_drift

    assert [field for field in DRIFT_FIELDS if found.of(field) == "report"] == [name]


def test_a_budget_of_which_a_part_is_said_keeps_the_other_default():
    assert target(api(environment="repairs: {at_most: 2}")).repairs == RepairBudget(2, timedelta(hours=1))
    assert target(api(environment="repairs: {within: 90m}")).repairs == RepairBudget(6, timedelta(minutes=90))


INHERITED = {
    "on_drift": ("ignore", "report", "repair"),
    "repairs": ("{at_most: 1}", "{at_most: 2}", "{at_most: 3}"),
    "verify": (
        "{gpg_keys: /etc/keys.asc}",
        "{ssh_allowed_signers: /etc/signers}",
        "{gpg_keys: /etc/keys.asc, ssh_allowed_signers: /etc/signers}",
    ),
}


@pytest.mark.parametrize(("key", "values"), INHERITED.items(), ids=INHERITED)
def test_the_nearest_place_wins_as_a_whole(key, values):
    environment, fraise, defaults = values
    of_defaults = f"defaults: {{{key}: {defaults}}}\n"

    far = getattr(target(of_defaults + api()), key)
    nearer = getattr(target(of_defaults + api(**{key: fraise})), key)
    nearest = getattr(target(of_defaults + api(environment=f"{key}: {environment}", **{key: fraise})), key)

    assert far == getattr(target(api(environment=f"{key}: {defaults}")), key)
    assert nearer == getattr(target(api(environment=f"{key}: {fraise}")), key)
    assert nearest == getattr(target(api(environment=f"{key}: {environment}")), key)


def names(found) -> list[str]:
    return [window.name for window in found.windows]


def test_of_deploy_each_key_is_inherited_by_itself():
    defaults = WINDOWS + "defaults: {deploy: {windows: [office, freeze], approval: required}}\n"

    own_approval = target(defaults + api(environment="deploy: {approval: none}"))
    own_windows = target(defaults + api(deploy="{windows: [nights]}"))
    lifted = target(defaults + api(environment="deploy: {windows: []}", deploy="{windows: [nights], approval: none}"))

    assert (names(own_approval), own_approval.approval) == (["office", "freeze"], False)
    assert (names(own_windows), own_windows.approval) == (["nights"], True)
    assert (names(lifted), lifted.approval) == ([], False)


def test_a_window_that_nothing_uses_is_no_problem():
    assert sentences(read(WINDOWS + api())) == []


@pytest.mark.parametrize("more", [{"environment": "deploy: {windows: [ofice]}"}, {"deploy": "{windows: [ofice]}"}])
def test_a_window_that_is_not_there_holds_what_asks_for_it(more):
    loaded = read(WINDOWS + api(**more) + api("other").removeprefix("fraises:\n"))

    (problem,) = loaded.problems
    assert problem.path.endswith("deploy.windows[0]")
    assert (problem.message, problem.hint) == ("there is no window ofice", "did you mean office?")
    assert list(loaded.held) == [TARGET]
    assert list(loaded.config.targets) == [TargetId("other", "production")]


def test_a_window_that_is_not_there_is_told_once_where_it_stands_though_every_target_inherits_it():
    loaded = read("defaults: {deploy: {windows: [w]}}\n" + api() + api("b").removeprefix("fraises:\n"))

    assert sentences(loaded) == [
        "fraises.yaml:1:31: defaults.deploy.windows[0]: there is no window w; define it under windows, at the top level"
    ]
    assert loaded.config is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("on_drift: repiar", "on_drift: 'repiar' is not one of repair, report, ignore; did you mean repair?"),
        ("on_drift: [repair]", "on_drift: must be a policy, or a map of policies, got a list"),
        ("on_drift: {enable: ignore}", "on_drift.enable: unknown key; did you mean enabled?"),
        (
            "on_drift: {unit: off}",
            "on_drift.unit: must be one of repair, report, ignore; YAML reads it as false",
        ),
        (
            "on_drift: {except_files: [/var]}",
            "on_drift.except_files[0]: must be a path inside the release; write it relative and without ..",
        ),
        ("repairs: {at_most: 0}", "repairs.at_most: must be at least 1"),
        ("repairs: {at_most: 101}", "repairs.at_most: must be at most 100"),
        ("repairs: {within: 0s}", "repairs.within: must be longer than 0s"),
        ("repairs: {within: 60}", "repairs.within: needs a unit, such as 60s"),
        ("deploy: {approval: yes}", "deploy.approval: must be one of required, none; YAML reads it as true"),
        ("deploy: {when: now}", "deploy.when: unknown key"),
        ("deploy: {windows: office}", "deploy.windows: must be a list, got 'office'"),
        ("deploy: {windows: [office, office]}", "deploy.windows: names the same thing twice"),
        (
            "verify: {}",
            "verify: needs ssh_allowed_signers or gpg_keys; name the file with the keys that may sign",
        ),
        (
            "verify: {signed: head}",
            "verify: needs ssh_allowed_signers or gpg_keys; name the file with the keys that may sign",
        ),
        (
            "verify: {gpg_keys: keys.asc}",
            "verify.gpg_keys: must be an absolute path; it begins with /",
        ),
        (
            "verify: {gpg_keys: /etc/keys.asc, ssh_allowed_signers: /nope}",
            "verify.ssh_allowed_signers: the file of keys cannot be read: No such file or directory",
        ),
        (
            "verify: {signed: all, gpg_keys: /etc/keys.asc}",
            "verify.signed: 'all' is not one of head, tag, both",
        ),
        (
            "verify: {signed: tag, gpg_keys: /etc/keys.asc}",
            (
                "verify.signed: my_api/production follows a branch, and so there is no tag to be signed; "
                "write signed: head, or select what is deployed by tag"
            ),
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_line_and_holds_the_target(written, expected):
    loaded = read(WINDOWS + api(environment=written), MACHINE)

    (problem,) = loaded.problems
    assert (problem.line, str(problem).partition("production.")[2]) == (6, expected)
    assert list(loaded.held) == [TARGET]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("ssh_allowed_signers: /etc/signers", Verification("head", "/etc/signers")),
        ("signed: tag, gpg_keys: /etc//keys.asc", Verification("tag", None, "/etc/keys.asc")),
        (
            "signed: both, gpg_keys: '${KEYS}', ssh_allowed_signers: /etc/signers",
            Verification("both", "/etc/signers", "/etc/keys.asc"),
        ),
    ],
)
def test_signatures_of_a_tag_can_be_asked_for_where_a_tag_selects(written, expected):
    machine = Machine({"KEYS": "/etc/keys.asc"}, MACHINE.files)

    found = target(api(environment=f"verify: {{{written}}}").replace("branch: main", "tag: v1.*"), machine)

    assert found.verify == expected


@pytest.mark.parametrize("selection", ["branch: main", f"revision: {'a' * 40}"])
@pytest.mark.parametrize("signed", ["tag", "both"])
def test_an_inherited_wish_for_signed_tags_holds_only_what_follows_none(selection, signed):
    defaults = f"defaults: {{verify: {{signed: {signed}, gpg_keys: /etc/keys.asc}}}}\n"
    tagged = api("tagged").replace("branch: main", "tag: v1.*").removeprefix("fraises:\n")

    loaded = read(defaults + api().replace("branch: main", selection) + tagged, MACHINE)

    (problem,) = loaded.problems
    kind = selection.partition(":")[0]
    assert (problem.line, problem.path) == (1, "defaults.verify.signed")
    assert problem.message == f"my_api/production follows a {kind}, and so there is no tag to be signed"
    assert list(loaded.held) == [TARGET]
    assert list(loaded.config.targets) == [TargetId("tagged", "production")]


def test_a_file_of_keys_that_is_missing_here_holds_the_targets_of_this_server_only():
    defaults = "defaults: {verify: {gpg_keys: /nope}}\n"
    there = api("there", "servers: [web-2]").removeprefix("fraises:\n")
    own = api("own", "verify: {gpg_keys: /etc/keys.asc}").removeprefix("fraises:\n")

    loaded = read(defaults + api() + there + own, MACHINE)

    (problem,) = loaded.problems
    assert (problem.line, problem.path) == (1, "defaults.verify.gpg_keys")
    assert list(loaded.held) == [TARGET]
    assert list(loaded.config.targets) == [TargetId("own", "production")]
    assert list(loaded.config.elsewhere) == [TargetId("there", "production")]


def test_a_path_from_elsewhere_is_not_repeated():
    loaded = read(api(environment="verify: {gpg_keys: '${KEYS}'}"), Machine({"KEYS": "/s3cret"}))

    assert "s3cret" not in "\n".join(sentences(loaded))
    assert list(loaded.held) == [TARGET]


def test_a_file_of_keys_may_be_binary_and_of_any_size(tmp_path):
    (tmp_path / "keyring").write_bytes(b"\xff" * (1024 * 1024 + 1))
    (tmp_path / "key.gpg").write_bytes(b"\x99\x01\xff\xfe")
    verify = f"verify: {{gpg_keys: {tmp_path}/keyring, ssh_allowed_signers: {tmp_path}/key.gpg}}"
    (tmp_path / "fraises.yaml").write_text(api(environment=verify, repository="/srv/git/x"))

    assert load_config(tmp_path / "fraises.yaml", environ={}).problems == ()


def test_a_folder_is_no_file_of_keys(tmp_path):
    (tmp_path / "fraises.yaml").write_text(
        api(environment=f"verify: {{gpg_keys: {tmp_path}}}", repository="/srv/git/x")
    )

    (problem,) = load_config(tmp_path / "fraises.yaml", environ={}).problems

    assert problem.message == "the file of keys cannot be read: Is a directory"


@pytest.mark.parametrize(("written", "expected"), [("", 5), ("crash_limit: 0", 0), ("crash_limit: 1000", 1000)])
def test_the_crash_limit_of_the_daemon(written, expected):
    assert read(f"server: {{{written}}}\n").config.server.crash_limit == expected


@pytest.mark.parametrize("written", ["-1", "1001", "many", "1.5"])
def test_a_crash_limit_that_is_refused(written):
    (problem,) = read(f"server: {{crash_limit: {written}}}\n").problems

    assert problem.path == "server.crash_limit"
