"""Real remotes: local paths, a stand-in for ssh that talks to them, and servers that fail in every way."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fraisier.host import git_faults
from fraisier.host.git import GitRemotes
from fraisier.host.interrupt import Interruption
from fraisier.host.mirrors import PACKS
from fraisier.model.errors import ConfigFault, Interrupted, Transient
from fraisier.model.selection import Branch, Pick
from tests.support.certificates import self_signed
from tests.support.gitremotes import remotes, ssh_stand_in
from tests.support.gitrepo import Origin
from tests.support.waiting import pids_with, until

GONE = "1" * 40


@pytest.fixture
def git(tmp_path: Path) -> GitRemotes:
    return remotes(tmp_path / "state")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    origin = Origin(tmp_path / "origin")
    origin.commit({"README": "one\n"}, "first")
    return origin


def mirror_of(state: Path) -> Path:
    return next(path for path in (state / "mirrors").iterdir() if path.is_dir() and not path.name.startswith("."))


# -- heads ----------------------------------------------------------------------------------------


def test_heads_are_those_of_the_branches_that_exist(git: GitRemotes, origin: Origin) -> None:
    origin.git("branch", "release/2.0")
    origin.git("branch", "notes/refs/heads/main")  # ends like the ref of `main`
    origin.git("tag", "gone")

    heads = git.heads(origin.path, [Branch("main"), Branch("release/2.0"), Branch("gone")])

    assert heads == {Branch(name): Pick(name, origin.head()) for name in ("main", "release/2.0")}


def test_an_empty_repository_has_no_heads(git: GitRemotes, tmp_path: Path) -> None:
    assert git.heads(Origin(tmp_path / "empty").path, [Branch("main")]) == {}


def test_those_who_ask_the_same_at_once_share_one_process(tmp_path: Path, origin: Origin) -> None:
    calls = tmp_path / "calls"
    git = remotes(tmp_path / "state", ssh=ssh_stand_in(tmp_path, f"echo call >>{calls}; sleep 0.5"))
    remote = f"git@example.com:{origin.path}"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: git.heads(remote, [Branch("main")]), range(8)))

    assert answers == [{Branch("main"): Pick("main", origin.head())}] * 8
    assert calls.read_text() == "call\n"


@pytest.mark.parametrize("branch", ["-upload-pack=x", "a..b", "a b", "a\nb", "a:b", "", "a.lock", "/a", "a/", "a*"])
def test_what_is_no_branch_name_never_reaches_git(git: GitRemotes, origin: Origin, branch: str) -> None:
    with pytest.raises(ConfigFault):
        git.heads(origin.path, [Branch(branch)])


# -- remotes that fail ----------------------------------------------------------------------------


SAYINGS = [
    ("git@github.com: Permission denied (publickey).", "remote_denied"),
    ("ERROR: Repository not found.", "remote_not_found"),
    ("Host key verification failed.", "host_key_changed"),
    ("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", "host_key_changed"),
    ("ssh: connect to host example.com port 22: Connection timed out", "remote_timeout"),
    ("ssh: connect to host example.com port 22: Connection refused", "remote_unreachable"),
    ("ssh: Could not resolve hostname example.com: Name or service not known", "remote_unreachable"),
    ("kex_exchange_identification: Connection closed by remote host", "remote_unreachable"),
]


@pytest.mark.parametrize(("saying", "code"), SAYINGS)
def test_what_ssh_says_is_sorted_and_shown(tmp_path: Path, saying: str, code: str) -> None:
    git = remotes(tmp_path / "state", ssh=ssh_stand_in(tmp_path, instead=f"echo '{saying}' >&2; exit 255; : "))

    with pytest.raises(Transient) as caught:
        git.heads("git@example.com:acme/shop.git", [Branch("main")])

    assert caught.value.code == code
    assert "acme/shop.git" in str(caught.value)
    assert caught.value.hint


def test_a_path_that_is_not_there_is_not_found(git: GitRemotes, tmp_path: Path) -> None:
    with pytest.raises(Transient) as caught:
        git.heads(str(tmp_path / "nothing"), [Branch("main")])

    assert caught.value.code == "remote_not_found"


@pytest.mark.parametrize("remote", ["ext::sh -c 'touch pwned'", "http://127.0.0.1:1/x.git", "file:///etc"])
def test_other_protocols_are_not_spoken(git: GitRemotes, remote: str) -> None:
    with pytest.raises(Transient) as caught:
        git.heads(remote, [Branch("main")])

    assert caught.value.code == "remote_denied"


@pytest.fixture
def silent_server() -> Iterator[int]:
    """Accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_remote_that_hangs_is_given_up_in_time(tmp_path: Path, silent_server: int) -> None:
    git = remotes(tmp_path / "state", timeout=0.5)
    began = time.monotonic()

    with pytest.raises(Transient) as caught:
        git.heads(f"https://127.0.0.1:{silent_server}/x.git", [Branch("main")])

    assert caught.value.code == "remote_timeout"
    assert time.monotonic() - began < 5
    assert pids_with(f"127.0.0.1:{silent_server}") == []


def test_a_fetch_from_a_remote_that_hangs_can_be_interrupted(tmp_path: Path, silent_server: int) -> None:
    git, interrupt = remotes(tmp_path / "state", timeout=60), Interruption()
    threading.Timer(0.3, interrupt.set, ("superseded",)).start()

    with pytest.raises(Interrupted):
        git.fetch(f"https://127.0.0.1:{silent_server}/x.git", "main", GONE, interrupt)

    assert pids_with(f"127.0.0.1:{silent_server}") == []


def test_a_remote_that_refuses_connections_is_unreachable(git: GitRemotes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(Transient) as caught:
        git.heads(f"https://127.0.0.1:{port}/x.git", [Branch("main")])

    assert caught.value.code == "remote_unreachable"


class WantsPassword(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if "missing" in self.path else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="private"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def private_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An https server with a certificate of its own that answers 401, or 404 for /missing."""
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = HTTPServer(("127.0.0.1", 0), WantsPassword)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_remote_that_wants_a_password_is_denied_and_asks_nobody(private_server: str, tmp_path: Path) -> None:
    git = remotes(tmp_path / "state")

    with pytest.raises(Transient) as denied:
        git.heads(f"{private_server}/x.git", [Branch("main")])
    with pytest.raises(Transient) as missing:
        git.heads(f"{private_server}/missing.git", [Branch("main")])

    assert denied.value.code == "remote_denied"
    assert missing.value.code == "remote_not_found"


def test_credentials_in_a_url_are_never_shown(tmp_path: Path) -> None:
    git = remotes(tmp_path / "state")

    with pytest.raises(Transient) as caught:
        git.heads("https://ann:canary@127.0.0.1:1/x.git", [Branch("main")])

    assert "canary" not in str(caught.value)
    assert "127.0.0.1:1/x.git" in str(caught.value)


def test_hosts_keys_and_names_of_files_reach_ssh_as_they_are(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    ssh = ssh_stand_in(tmp_path, instead=f"printf '%s\\n' \"$@\" >{seen}; exit 255; : ")
    git = remotes(tmp_path / "state", ssh=ssh, ssh_key="/keys/a 'b' $c", ssh_known_hosts="/known/100%")

    with pytest.raises(Transient):
        git.heads("git@example.com:acme/shop.git", [Branch("main")])

    arguments = seen.read_text().splitlines()
    assert "BatchMode=yes" in arguments
    assert "StrictHostKeyChecking=yes" in arguments
    assert "IdentityFile=\"/keys/a 'b' $c\"" in arguments
    assert 'UserKnownHostsFile="/known/100%%"' in arguments


# -- fetch ----------------------------------------------------------------------------------------


def test_a_fetch_brings_the_commit_and_a_second_one_needs_no_remote(git: GitRemotes, origin: Origin) -> None:
    sha = origin.head()
    assert not git.has(origin.path, sha)

    git.fetch(origin.path, "main", sha, Interruption())
    origin.folder.rename(origin.folder.with_name("away"))
    git.fetch(origin.path, "main", sha, Interruption())

    assert git.has(origin.path, sha)


def test_a_mirror_is_found_again_by_another_daemon(git: GitRemotes, origin: Origin, tmp_path: Path) -> None:
    git.fetch(origin.path, "main", origin.head(), Interruption())

    assert remotes(tmp_path / "state").has(origin.path, origin.head())


def test_a_branch_that_moved_on_meanwhile_still_leads_to_the_commit(git: GitRemotes, origin: Origin) -> None:
    wanted = origin.head()
    origin.commit({"README": "two\n"})

    git.fetch(origin.path, "main", wanted, Interruption())

    assert git.has(origin.path, wanted)


def test_a_commit_that_was_forced_away_is_gone(git: GitRemotes, origin: Origin) -> None:
    base = origin.head()
    forced_away = origin.commit({"README": "two\n"})
    origin.rewind(base)
    origin.prune()

    with pytest.raises(Transient) as caught:
        git.fetch(origin.path, "main", forced_away, Interruption())

    assert caught.value.code == "revision_gone"


def test_a_branch_that_was_deleted_is_gone(git: GitRemotes, origin: Origin) -> None:
    with pytest.raises(Transient) as caught:
        git.fetch(origin.path, "deleted", GONE, Interruption())

    assert caught.value.code == "revision_gone"


def test_a_rewound_branch_is_followed_and_the_old_commit_kept(git: GitRemotes, origin: Origin) -> None:
    base = origin.head()
    old = origin.commit({"README": "two\n"})
    git.fetch(origin.path, "main", old, Interruption())
    origin.rewind(base)
    new = origin.commit({"README": "three\n"})

    git.fetch(origin.path, "main", new, Interruption())

    assert git.has(origin.path, old)
    assert git.lineage(origin.path, old, new) == ("rewind", 1)


def test_branches_whose_names_clash_over_time_are_fetched(git: GitRemotes, origin: Origin) -> None:
    origin.git("branch", "a")
    git.fetch(origin.path, "a", origin.head(), Interruption())
    origin.git("branch", "-D", "a")
    sha = origin.commit()
    origin.git("branch", "a/b")

    git.fetch(origin.path, "a/b", sha, Interruption())

    assert git.has(origin.path, sha)


def test_repositories_with_longer_object_names_are_read(git: GitRemotes, tmp_path: Path) -> None:
    origin = Origin(tmp_path / "origin256", object_format="sha256")
    sha = origin.commit({"README": "one\n"})
    (tmp_path / "out").mkdir()

    git.fetch(origin.path, "main", sha, Interruption())
    git.export(origin.path, sha, str(tmp_path / "out"))

    assert len(sha) == 64
    assert (tmp_path / "out" / "README").read_text() == "one\n"


def test_threads_that_fetch_the_same_do_not_get_into_each_others_way(git: GitRemotes, origin: Origin) -> None:
    shas = {f"b{n}": origin.commit() for n in range(4)}
    for branch, sha in shas.items():
        origin.git("branch", branch, sha)

    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(git.fetch, origin.path, b, s, Interruption()) for b, s in shas.items() for _ in range(2)]
        for job in jobs:
            job.result()

    assert all(git.has(origin.path, sha) for sha in shas.values())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give the repository away")
def test_a_local_remote_of_another_user_is_read(git: GitRemotes, origin: Origin) -> None:
    subprocess.run(["chown", "-R", "nobody", origin.path], check=True)

    assert git.heads(origin.path, [Branch("main")])
    subprocess.run(["chown", "-R", "root", origin.path], check=True)


def cut(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-30])


def damage_config(mirror: Path) -> None:
    (mirror / "config").write_text("[core\ngarbage")


def damage_head(mirror: Path) -> None:
    (mirror / "HEAD").write_bytes(b"\0\0garbage")


def damage_pack(mirror: Path) -> None:
    cut(next(mirror.glob("objects/pack/*.pack")))


def damage_index(mirror: Path) -> None:
    cut(next(mirror.glob("objects/pack/*.idx")))


def lose_objects(mirror: Path) -> None:
    subprocess.run(["rm", "-rf", str(mirror / "objects")], check=True)


def lose_packs(mirror: Path) -> None:
    subprocess.run(["rm", "-rf", str(mirror / "objects" / "pack")], check=True)


def garble_ref(mirror: Path) -> None:
    next(mirror.glob("refs/fraisier/*")).write_bytes(b"\0" * 41)


def leave_lock(mirror: Path) -> None:
    ref = next(mirror.glob("refs/fraisier/*"))
    ref.with_name(ref.name + ".lock").touch()


DAMAGES = [
    damage_config,
    damage_head,
    damage_pack,
    damage_index,
    lose_objects,
    lose_packs,
    garble_ref,
    leave_lock,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_mirror_heals_within_two_tries(
    origin: Origin, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    first = remotes(tmp_path / "state")
    first.fetch(origin.path, "main", origin.head(), Interruption())
    damage(mirror_of(tmp_path / "state"))
    sha = origin.commit({"README": "two\n"})
    git = remotes(tmp_path / "state")  # a daemon that starts and knows nothing

    def deploy(into: Path) -> str | None:
        into.mkdir()
        try:
            git.fetch(origin.path, "main", sha, Interruption())
            git.export(origin.path, sha, str(into))
        except Transient as fault:
            return fault.code
        return None

    first_try = deploy(tmp_path / "one")
    second_try = deploy(tmp_path / "two")

    assert first_try in {None, "mirror_corrupt"}
    assert second_try is None
    assert (tmp_path / "two" / "README").read_text() == "two\n"


def test_what_a_killed_daemon_was_making_is_swept(git: GitRemotes, origin: Origin, tmp_path: Path) -> None:
    git.fetch(origin.path, "main", origin.head(), Interruption())
    (tmp_path / "state" / "mirrors" / ".new-1234").mkdir()
    (tmp_path / "state" / "git" / "index-1234").mkdir()

    git.sweep()

    left = {path.name for path in (tmp_path / "state").glob("*/*")}
    assert not {name for name in left if name.startswith((".new-", "index-"))}
    assert git.has(origin.path, origin.head())


def test_what_a_killed_fetch_left_in_a_mirror_goes_before_the_next_one(
    git: GitRemotes, origin: Origin, tmp_path: Path
) -> None:
    git.fetch(origin.path, "main", origin.head(), Interruption())
    mirror = mirror_of(tmp_path / "state")
    pack = next(mirror.glob("objects/pack/*.pack"))
    (mirror / "objects" / "ab").mkdir()
    left = [
        *(mirror / "objects" / "pack" / name for name in ("tmp_pack_Ab3", "tmp_idx_Ab3", ".tmp-17-pack-0a.pack")),
        *(mirror / name for name in ("objects/ab/tmp_obj_Ab3", "gc.pid", "packed-refs.lock")),
        pack.with_suffix(".keep"),
    ]
    for path in left:
        path.write_bytes(b"half")

    git.fetch(origin.path, "main", origin.commit(), Interruption())

    assert [path for path in left if path.exists()] == []
    assert pack.exists()


def test_a_mirror_of_many_packs_is_packed_beside_the_fetch(git: GitRemotes, origin: Origin, tmp_path: Path) -> None:
    git.fetch(origin.path, "main", origin.head(), Interruption())
    crowd(mirror_of(tmp_path / "state"))

    git.fetch(origin.path, "main", origin.commit(), Interruption())

    until(lambda: len(list(mirror_of(tmp_path / "state").glob("objects/pack/*.pack"))) == 1)
    until(lambda: not any(thread.name == "git-gc" for thread in threading.enumerate()))
    assert git.has(origin.path, origin.head())


def test_a_fetch_does_not_wait_for_the_packing_of_its_mirror(origin: Origin, tmp_path: Path) -> None:
    git = remotes(tmp_path / "state", timeout=5)
    git.fetch(origin.path, "main", origin.head(), Interruption())
    mirror = mirror_of(tmp_path / "state")
    crowd(mirror)
    # A packing without an end: git runs this hook, from its own folder, before it packs.
    hook = tmp_path / "hooks" / "pre-auto-gc"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/packing\nexec sleep 60\n")
    hook.chmod(0o755)
    subprocess.run(["git", f"--git-dir={mirror}", "config", "core.hooksPath", str(hook.parent)], check=True)

    git.fetch(origin.path, "main", origin.commit(), Interruption())
    until((tmp_path / "packing").exists)
    hook.unlink()
    sha = origin.commit()
    git.fetch(origin.path, "main", sha, Interruption())

    assert git.has(origin.path, sha)
    until(lambda: not any(thread.name == "git-gc" for thread in threading.enumerate()))


def crowd(mirror: Path) -> None:
    """More packs than git's limit, each of one commit."""
    for number in range(PACKS + 1):
        commit = subprocess.run(
            ["git", f"--git-dir={mirror}", "hash-object", "-w", "--stdin"],
            input=f"{number}".encode(),
            check=True,
            capture_output=True,
        ).stdout
        subprocess.run(
            ["git", f"--git-dir={mirror}", "pack-objects", "-q", str(mirror / "objects" / "pack" / "pack")],
            input=commit,
            check=True,
            capture_output=True,
        )


KILLED = """
import sys
from datetime import timedelta
from fraisier.host.git import GitRemotes
from fraisier.host.interrupt import Interruption
from fraisier.host.processes import Processes
from fraisier.model import config
git = GitRemotes(sys.argv[1], config.Git(timeout=timedelta(seconds=20)), Processes("killed"))
print("go", flush=True)
git.fetch(sys.argv[2], "main", sys.argv[3], Interruption())
git.export(sys.argv[2], sys.argv[3], sys.argv[4])
"""

SWEEP = "from fraisier.host.processes import Processes; Processes('killed').sweep()"


@pytest.mark.slow
def test_a_fetch_that_is_killed_at_any_moment_is_done_by_the_next_daemon(origin: Origin, tmp_path: Path) -> None:
    sha = origin.commit({f"file{n}": f"{n}\n" * 500 for n in range(200)})
    state = tmp_path / "state"

    for milliseconds in range(0, 60, 4):
        out = tmp_path / f"out{milliseconds}"
        out.mkdir()
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(state), origin.path, sha, str(out)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(milliseconds / 1000)  # the moment of the kill is the point
        child.kill()
        child.wait()
        child.stdout.close()
        # By a process of its own, as a daemon does: what was caught between fork and exec has its mark by then.
        subprocess.run([sys.executable, "-c", SWEEP], check=True)

        git = remotes(state)
        git.sweep()
        git.fetch(origin.path, "main", sha, Interruption())
        whole = tmp_path / f"whole{milliseconds}"
        whole.mkdir()
        git.export(origin.path, sha, str(whole))
        assert len(list(whole.iterdir())) == 201
        subprocess.run(["rm", "-rf", str(state / "mirrors")], check=True)


# -- export ---------------------------------------------------------------------------------------


def test_an_export_is_the_tree_of_the_commit_as_it_is(git: GitRemotes, origin: Origin, tmp_path: Path) -> None:
    (origin.folder / "run.sh").write_text("#!/bin/sh\n")
    (origin.folder / "run.sh").chmod(0o755)
    (origin.folder / "outside").symlink_to("/etc/passwd")
    sha = origin.commit(
        {
            ".gitattributes": "ignored export-ignore\nversion export-subst\n*.bin filter=lfs\n",
            "ignored": "still here\n",
            "version": "$Format:%H$\n",
            "large.bin": "version https://git-lfs.github.com/spec/v1\n",
            "ä b/ü\nc": "odd name\n",
        }
    )
    (tmp_path / "out").mkdir()

    git.fetch(origin.path, "main", sha, Interruption())
    git.export(origin.path, sha, str(tmp_path / "out"))

    out = tmp_path / "out"
    assert sorted(os.listdir(out)) == sorted(
        [".gitattributes", "README", "ignored", "large.bin", "outside", "run.sh", "version", "ä b"]
    )
    assert (out / "version").read_text() == "$Format:%H$\n"
    assert (out / "ä b" / "ü\nc").read_text() == "odd name\n"
    assert os.readlink(out / "outside") == "/etc/passwd"
    assert (out / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (out / "README").stat().st_mode & 0o777 == 0o644


def test_an_empty_tree_is_exported(git: GitRemotes, tmp_path: Path) -> None:
    origin = Origin(tmp_path / "bare")
    sha = origin.commit()
    (tmp_path / "out").mkdir()

    git.fetch(origin.path, "main", sha, Interruption())
    git.export(origin.path, sha, str(tmp_path / "out"))

    assert os.listdir(tmp_path / "out") == []


def test_hooks_of_templates_and_users_do_not_run(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[core]\nhooksPath = {hooks}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(hooks))
    git = remotes(tmp_path / "state")
    (tmp_path / "out").mkdir()

    git.fetch(origin.path, "main", origin.head(), Interruption())
    git.export(origin.path, origin.head(), str(tmp_path / "out"))
    git.lineage(origin.path, origin.head(), GONE)

    assert not (tmp_path / "ran").exists()


# -- lineage and log ------------------------------------------------------------------------------


def test_lineage_says_how_two_commits_relate(git: GitRemotes, origin: Origin) -> None:
    first = origin.head()
    second = origin.commit()
    third = origin.commit()
    git.fetch(origin.path, "main", third, Interruption())

    assert git.lineage(origin.path, first, first) == ("same", 0)
    assert git.lineage(origin.path, first, third) == ("descends", 2)
    assert git.lineage(origin.path, third, second) == ("rewind", 0)
    assert git.lineage(origin.path, GONE, second) == ("unknown", None)
    assert git.lineage("/no/such/remote", first, second) == ("unknown", None)


def test_the_log_lists_what_is_new_newest_first(git: GitRemotes, origin: Origin) -> None:
    base = origin.head()
    origin.commit(message="größer: füge hinzu")
    origin.commit(message="last\n\nwith a body")
    git.fetch(origin.path, "main", origin.head(), Interruption())

    log = git.log(origin.path, base, origin.head(), 10)

    assert [commit.subject for commit in log] == ["last", "größer: füge hinzu"]
    assert log[0].sha == origin.head()
    assert log[0].author == "Ann"
    assert log[0].at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert len(git.log(origin.path, None, origin.head(), 2)) == 2
    assert git.log(origin.path, GONE, origin.head(), 2) == ()


@pytest.mark.parametrize("date", ["99999999999999 +0000", ""])
def test_a_commit_whose_date_is_none_is_in_the_log_all_the_same(git: GitRemotes, origin: Origin, date: str) -> None:
    raw = origin.folder / "raw"
    tree = origin.git("rev-parse", "HEAD^{tree}")
    raw.write_text(f"tree {tree}\nauthor Ann <a@b> {date}\ncommitter Ann <a@b> 1 +0000\n\nodd\n")
    odd = origin.git("hash-object", "-t", "commit", "-w", "--literally", str(raw))
    origin.git("update-ref", "refs/heads/main", odd)
    git.fetch(origin.path, "main", odd, Interruption())

    (commit,) = git.log(origin.path, None, odd, 10)

    assert (commit.subject, commit.author, commit.at) == ("odd", "Ann", datetime.fromtimestamp(0, UTC))


def test_reading_leaves_no_process_and_no_file_descriptor(git: GitRemotes, origin: Origin) -> None:
    git.fetch(origin.path, "main", origin.head(), Interruption())
    git.log(origin.path, None, origin.head(), 5)
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(5):
        git.log(origin.path, None, origin.head(), 5)
        git.lineage(origin.path, origin.head(), GONE)

    assert len(os.listdir("/proc/self/fd")) <= before


def test_only_our_own_mirror_is_taken_for_damaged() -> None:
    theirs = textwrap.dedent("""\
        remote: fatal: bad object HEAD
        fatal: the remote end hung up unexpectedly
    """)

    assert not git_faults.is_corrupt(theirs.encode())
    assert git_faults.is_corrupt(b"fatal: not a git repository: '/x'")
