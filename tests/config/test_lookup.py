"""What this machine answers: real files, checkouts and keys."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fraisier.config import SourceFile
from fraisier.host.lookup import MachineLookup, find_config, load_config, read_sources
from fraisier.model.errors import ConfigFault
from tests.support.configs import api
from tests.support.gitrepo import Origin

URL = "https://git.example.com/acme/api.git"


def test_origin_is_that_of_the_checkout(tmp_path):
    checkout = Origin(tmp_path / "app")
    checkout.git("remote", "add", "origin", URL)

    assert MachineLookup({}).origin(checkout.path) == URL


def test_a_release_says_no_origin_since_its_user_may_write_there(tmp_path):
    release = Origin(tmp_path / "app" / "releases" / "1")
    release.git("remote", "add", "origin", URL)
    (tmp_path / "app" / "current").symlink_to("releases/1")

    assert MachineLookup({}).origin(str(tmp_path / "app")) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_checkout_of_another_user_says_no_origin(tmp_path):
    checkout = Origin(tmp_path / "app")
    checkout.git("remote", "add", "origin", URL)
    os.chown(tmp_path / "app" / ".git" / "config", 65534, 65534)

    assert MachineLookup({}).origin(checkout.path) is None


def test_a_link_to_a_git_configuration_says_no_origin(tmp_path):
    checkout = Origin(tmp_path / "app")
    checkout.git("remote", "add", "origin", URL)
    config = tmp_path / "app" / ".git" / "config"
    config.rename(tmp_path / "config")
    config.symlink_to(tmp_path / "config")

    assert MachineLookup({}).origin(checkout.path) is None


def test_there_is_no_origin_without_a_checkout_or_a_remote(tmp_path):
    Origin(tmp_path / "alone")

    assert MachineLookup({}).origin(str(tmp_path / "alone")) is None
    assert MachineLookup({}).origin(str(tmp_path / "nothing")) is None


def test_an_include_in_a_checkout_is_not_followed(tmp_path):
    checkout = Origin(tmp_path / "app")
    (tmp_path / "other").write_text('[remote "origin"]\n\turl = /etc\n')
    checkout.git("config", "include.path", str(tmp_path / "other"))

    assert MachineLookup({}).origin(checkout.path) is None


def test_credentials_come_from_the_folder_of_systemd(tmp_path):
    (tmp_path / "db").write_text("hunter2\n")

    assert MachineLookup({"CREDENTIALS_DIRECTORY": str(tmp_path)}).credential("db") == "hunter2\n"


@pytest.mark.parametrize("name", ["db", "../db", "..", "."])
def test_a_credential_that_is_not_given_is_an_os_error(tmp_path, name):
    (tmp_path / "db").write_text("outside")
    (tmp_path / "credentials").mkdir()

    with pytest.raises(OSError):
        MachineLookup({"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}).credential(name)
    with pytest.raises(OSError):
        MachineLookup({}).credential(name)


def test_a_file_that_is_too_large_is_an_os_error(tmp_path):
    (tmp_path / "large").write_bytes(b"x" * (1024 * 1024 + 1))

    with pytest.raises(OSError):
        MachineLookup({}).file(str(tmp_path / "large"))


def test_a_missing_file_is_a_problem_in_the_configuration(tmp_path):
    path = tmp_path / "fraises.yaml"
    path.write_text(api(environment="env: {A: {file: /nonexistent/secret}}", repository="/srv/git/x"))

    loaded = load_config(path, environ={})

    assert [problem.message for problem in loaded.problems] == [
        "the file /nonexistent/secret cannot be read: No such file or directory"
    ]


def test_a_binary_file_is_a_problem_in_the_configuration(tmp_path):
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    path = tmp_path / "fraises.yaml"
    path.write_text(api(environment=f"env: {{A: {{file: {tmp_path}/key}}}}", repository="/srv/git/x"))

    loaded = load_config(path, environ={})

    assert [problem.message for problem in loaded.problems] == [f"the file {tmp_path}/key is not text"]


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path):
    path = tmp_path / "state" / "key"
    lookup = MachineLookup({}, key_path=str(path), create=True)

    key = lookup.secret_key()

    assert len(key) == 32
    assert key == lookup.secret_key() == MachineLookup({}, key_path=str(path)).secret_key()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["key"]


def test_many_that_make_the_key_at_once_agree(tmp_path):
    lookups = [MachineLookup({}, key_path=str(tmp_path / "key"), create=True) for _ in range(16)]

    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda lookup: lookup.secret_key(), lookups))

    assert len(keys) == 1


def test_without_a_key_file_the_key_is_zero(tmp_path):
    assert MachineLookup({}).secret_key() == bytes(32)
    assert MachineLookup({}, key_path=str(tmp_path / "none")).secret_key() == bytes(32)


def test_no_systemd_of_the_user_answers_in_an_empty_runtime_folder(tmp_path):
    (tmp_path / "systemd").mkdir()

    assert MachineLookup({"XDG_RUNTIME_DIR": str(tmp_path)}).service_manager() != "systemd-user"


def test_the_configuration_is_found_in_the_documented_order(tmp_path):
    here = tmp_path / "fraises.yaml"
    here.touch()

    assert find_config("x.yaml", {"FRAISIER_CONFIG": "/y.yaml"}, tmp_path) == tmp_path / "x.yaml"
    assert find_config(None, {"FRAISIER_CONFIG": "/y.yaml"}, tmp_path) == Path("/y.yaml")
    assert find_config(None, {}, tmp_path) == here


def test_a_folder_is_read_by_name_without_hidden_and_other_files(tmp_path):
    for name in ("b.yaml", "a.yml", ".c.yaml", "d.txt"):
        (tmp_path / name).write_text(name)

    assert read_sources(tmp_path) == [SourceFile("a.yml", "a.yml"), SourceFile("b.yaml", "b.yaml")]


def test_what_cannot_be_read_is_a_fault_of_the_configuration(tmp_path):
    with pytest.raises(ConfigFault, match="cannot be read"):
        read_sources(tmp_path / "none.yaml")
    with pytest.raises(ConfigFault, match=r"holds no \*.yaml"):
        read_sources(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_read_over(tmp_path):
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbf" + api(repository="/srv/git/x").replace("\n", "\r\n").encode())

    assert load_config(tmp_path / "f.yaml", environ={}).problems == ()


def test_what_is_not_utf8_is_a_problem_at_its_place(tmp_path):
    (tmp_path / "f.yaml").write_bytes(b"version: 1\nserver: \xff\n")

    (problem,) = load_config(tmp_path / "f.yaml", environ={}).problems

    assert (problem.file, problem.line, problem.column) == ("f.yaml", 2, 9)
