"""The text of `fraisier init`: a configuration to start from, valid as it stands where that is possible."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .problems import Wrong
from .remotes import parse_remote
from .values import parse_branch, split_command

_PLAIN = re.compile(r"[A-Za-z0-9/.][A-Za-z0-9_./@+-]*(?:(?::(?! )| )[A-Za-z0-9_./@+=-]+)*")
_TOO_PLAIN = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null|none)|[0-9.:_+-]+(?:e[0-9]+)?")
_PLACEHOLDER = "https://git.example.com/acme/{name}.git"


@dataclass(frozen=True, slots=True)
class Guess:
    """How the service in a folder seems to run, and what was seen that says so."""

    because: str
    """`Procfile has web: …`."""
    exec: str | None = None
    """One line, as in a Procfile; where it needs a shell it is given one."""
    unit_file: str | None = None
    build: tuple[str, ...] = ()
    port: int | None = None


def starter(
    name: str,
    *,
    remote: str | None = None,
    branch: str = "main",
    guess: Guess | None = None,
    apps: str = "/srv",
) -> str:
    """`name` and `branch` are made acceptable; a `remote` that is refused is replaced, with a comment.

    `apps`: the folder that `app_path` is to lie in.
    """
    fraise = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.-")[:63] or "my_api"
    lines = [*_head(), *_fraise(fraise, remote, _branch(branch), guess, apps)]
    return "\n".join(lines) + "\n"


def _head() -> list[str]:
    return [
        "# What Fraisier keeps running here. `fraisier validate` checks it, `fraisier plan` shows what would be done.",
        "version: 1",
        "",
        "# How often the heads of the branches are read.",
        "# git: {poll: 60s}",
        "",
        "# defaults:",
        "#   run_as: deploy          # the user that builds and runs; without it, the user that Fraisier runs as",
        "#   keep_releases: 5",
        "",
    ]


def _fraise(name: str, remote: str | None, branch: str, guess: Guess | None, apps: str) -> Iterator[str]:
    yield "fraises:"
    yield f"  {_quoted(name)}:"
    yield "    type: api"
    yield from _repository(name, remote)
    yield from _build(guess)
    yield "    environments:"
    yield "      production:"
    yield f"        branch: {_quoted(branch)}"
    yield f"        app_path: {_quoted(f'{apps}/{name}')}"
    yield from _service(name, guess)
    yield from _health(guess)


def _repository(name: str, remote: str | None) -> Iterator[str]:
    try:
        found = parse_remote(remote) if remote else None
    except Wrong as wrong:
        yield f"    # The origin of this checkout cannot be used as it is: it {wrong.message}."
        found = None
    if found is None:
        yield f"    repository: {_quoted(_PLACEHOLDER.format(name=name))}   # write where the code really is"
    else:
        yield f"    repository: {_quoted(found)}"


def _branch(branch: str) -> str:
    try:
        return parse_branch(branch)
    except Wrong:
        return "main"


def _build(guess: Guess | None) -> Iterator[str]:
    if guess is None or not guess.build:
        yield "    # build: [make]          # commands that make a release ready, run in it one after the other"
        return
    yield "    build:"
    for command in guess.build:
        yield f"      - {_command(command)}"


def _service(name: str, guess: Guess | None) -> Iterator[str]:
    if guess is None:
        yield "        # Nothing here tells how the service is started. This names a systemd unit that exists already;"
        yield "        # or let Fraisier write one:  service: {exec: bin/server, port: 8000}"
        yield f"        systemd_service: {_quoted(f'{name}.service')}"
        return
    yield f"        # A guess: {_one_line(guess.because)}."
    if guess.unit_file is not None:
        yield f"        unit_file: {_quoted(guess.unit_file)}"
        yield f"        systemd_service: {_quoted(guess.unit_file.rpartition('/')[2])}"
        return
    yield "        service:"
    yield f"          exec: {_command(guess.exec or 'bin/server')}"
    if guess.port is not None:
        yield f"          port: {guess.port}            # given to the service as PORT"


def _health(guess: Guess | None) -> Iterator[str]:
    port = guess.port if guess and guess.port else 8000
    yield "        # Without a health check, the service manager's word counts. Better:"
    yield "        # health_check:"
    yield f"        #   url: http://127.0.0.1:{port}/health"


def _command(text: str) -> str:
    try:
        split_command(text)
    except Wrong:
        script = json.dumps(f"exec {text}".replace("${", "$${"))
        return f"[sh, -c, {script}]"
    return _quoted(text)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _quoted(text: str) -> str:
    """As YAML text: plain where YAML surely reads it as this text, else in double quotes; `${` refers to nothing."""
    if _PLAIN.fullmatch(text) and not _TOO_PLAIN.fullmatch(text):
        return text
    return json.dumps(text.replace("${", "$${"))
