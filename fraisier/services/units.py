"""The text of the units, drop-ins and environment files that Fraisier keeps: rendering only, no I/O.

Quoting after systemd.syntax(7), systemd.service(5) ("Command lines") and systemd.exec(5)
(EnvironmentFile=). Secrets are in the environment file alone, which nobody but its owner may read;
units are for everybody's eyes (law 18).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from ..model.config import WrittenService
from ..model.errors import ConfigFault
from ..model.names import SHA
from ..model.ports import Runtime
from ..model.secret import reveal

DROP_IN = "50-fraisier.conf"
ENVIRONMENT_FILE = ".fraisier/env"
"""Below `app_path`; mode 0600."""

_QUOTED = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "%": "%%"}


def systemd_literal(text: str) -> str:
    """A setting's value as it stands, with `%` not taken for a specifier.

    Raises `ConfigFault` for control characters: a newline would begin a setting of its own.
    """
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        raise ConfigFault(
            f"{text!r} has control characters in it, which a unit file cannot hold",
            code="unit_characters",
            hint="put what needs them into a script in the repository",
        )
    return text.replace("%", "%%")


def quote_argument(argument: str) -> str:
    """One argument of an ExecStart= line: what the program is given is exactly `argument`."""
    systemd_literal(argument.replace("\t", ""))
    return '"' + "".join(_QUOTED.get(character, character) for character in argument) + '"'


def render_exec(argv: tuple[str, ...], app_path: str) -> str:
    """The `:` has systemd leave `$` alone. A program with a slash in it is looked up in `current`."""
    program = argv[0]
    if "/" in program:
        program = str(PurePosixPath(app_path, "current", program))
    return ":" + " ".join(quote_argument(argument) for argument in (program, *argv[1:]))


def render_unit(runtime: Runtime, written: WrittenService, *, user_manager: bool) -> str:
    """The unit of a service that the configuration describes by `service:`."""
    sections = {
        "Unit": _unit_section(runtime, user_manager),
        "Service": _service_section(runtime, written, user_manager),
        "Install": [("WantedBy", "default.target" if user_manager else "multi-user.target")],
    }
    head = f"# Kept by Fraisier for {runtime.identifier}: changes made here are overwritten.\n"
    return head + "".join(f"\n[{name}]\n{_settings(settings)}" for name, settings in sections.items())


def render_drop_in(runtime: Runtime) -> str:
    """Gives a unit that is not ours the declared environment."""
    head = f"# Kept by Fraisier for {runtime.identifier}: changes made here are overwritten.\n\n"
    return head + "[Service]\n" + _settings([("EnvironmentFile", _environment_path(runtime))])


def render_environment(values: Mapping[str, str]) -> str:
    """An EnvironmentFile=. Within double quotes newlines stand for themselves; four characters are escaped."""
    return "".join(f'{name}="{_escape_value(name, value)}"\n' for name, value in sorted(values.items()))


def service_variables(runtime: Runtime, release: str) -> dict[str, str]:
    """What a service is told besides its declared environment. `release` is the release's directory."""
    name = PurePosixPath(release).name
    sha = SHA.match(name)
    return {
        "FRAISIER_TARGET": runtime.identifier,
        "FRAISIER_RELEASE": release,
        "FRAISIER_SHA": sha[0] if sha else "",  # names of releases begin with the commit
    }


def service_environment(runtime: Runtime, release: str) -> dict[str, str]:
    """The declared environment, `PORT` where the service has one, and what it is told about itself."""
    port = runtime.service.written.port if runtime.service.written else None
    given = {} if port is None else {"PORT": str(port)}
    declared = {name: reveal(value) for name, value in runtime.env.items()}
    return given | declared | service_variables(runtime, release)


def _unit_section(runtime: Runtime, user_manager: bool) -> list[tuple[str, str]]:
    settings = [("Description", systemd_literal(f"{runtime.identifier} (kept by Fraisier)"))]
    if not user_manager:  # the managers of users have no such target
        settings += [("Wants", "network-online.target"), ("After", "network-online.target")]
    return settings


def _service_section(runtime: Runtime, written: WrittenService, user_manager: bool) -> list[tuple[str, str]]:
    settings = [
        ("Type", written.type),
        ("ExecStart", render_exec(written.exec, runtime.app_path)),
        ("WorkingDirectory", systemd_literal(f"{runtime.app_path}/current")),
        ("EnvironmentFile", _environment_path(runtime)),
        ("User", systemd_literal(runtime.run_as or "") if not user_manager else ""),
        ("Restart", written.restart),
        ("RestartSec", "1s"),
        ("TimeoutStopSec", f"{written.stop_timeout.total_seconds():g}s"),
        ("MemoryMax", systemd_literal(written.memory_max or "")),
        ("CPUQuota", systemd_literal(written.cpu_quota or "").replace("%%", "%")),
        ("UMask", "0022"),
        ("NoNewPrivileges", "yes"),
    ]
    # A user's manager would need a user namespace for it, which not every kernel allows; and a
    # service that lives in /tmp itself, as in a demo, would not find itself.
    in_tmp = runtime.app_path.startswith(("/tmp/", "/var/tmp/"))  # noqa: S108  # nothing is written there
    settings += [] if user_manager or in_tmp else [("PrivateTmp", "yes")]
    return [(name, value) for name, value in settings if value]


def _environment_path(runtime: Runtime) -> str:
    return systemd_literal(f"{runtime.app_path}/{ENVIRONMENT_FILE}")


def _settings(settings: list[tuple[str, str]]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings)


def _escape_value(name: str, value: str) -> str:
    if "\0" in value:
        raise ConfigFault(f"env.{name} has a NUL character in it", code="env_characters", hint="take it out")
    return "".join(f"\\{character}" if character in '"\\`$' else character for character in value)
