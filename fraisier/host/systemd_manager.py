"""`service_manager: systemd` and `systemd-user`, through `systemctl`.

States of all services come from one `systemctl show`; units are compared by content, and the
manager is reloaded only when one changed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from ..model.errors import ConfigFault, FraisierError, RevisionFault, Transient
from ..model.ports import Interrupt, Runtime, ServiceRef, UnitFile
from ..model.state import Difference, ServiceState, Unknown
from ..services import units
from . import enablement, files, notes
from .interrupt import Interruption
from .output import clean, masked
from .processes import Ended, Processes
from .systemd_states import PROPERTIES, parse_states
from .systemd_units import SystemdUnits, is_kept
from .users import PATH, find_user

_TIMEOUT = 30.0
"""For conversations with the manager that start nothing."""

_NO_SUCH_UNIT = 5
"""Exit code of `systemctl`: the LSB's "program is not installed" (systemctl(1))."""

_MOST_UNITS = 500
"""Named in one `systemctl show`; far below the kernel's limit for arguments."""

_NO_BUS = ("Failed to connect to bus", "Failed to get D-Bus connection", "System has not been booted with systemd")
_MASKED = "is masked"
_DENIED = ("Access denied", "Interactive authentication required", "Permission denied")


class SystemdManager:
    """The system's manager, or with `user` that of the daemon's user."""

    def __init__(self, processes: Processes, *, user: bool = False) -> None:
        self._processes = processes
        self._user = user
        self._options = ("--user",) if user else ()
        folder = os.path.expanduser("~/.config/systemd/user") if user else "/etc/systemd/system"
        self._units = SystemdUnits(folder, user=user)
        self._env = _environment()

    @property
    def kind(self) -> Literal["systemd", "systemd-user"]:
        return "systemd-user" if self._user else "systemd"

    # -- looking ------------------------------------------------------------------------------

    def states(self, services: Sequence[ServiceRef]) -> Mapping[str, ServiceState | Unknown]:
        names = list(dict.fromkeys(service.unit for service in services))
        states: dict[str, ServiceState | Unknown] = {}
        for start in range(0, len(names), _MOST_UNITS):
            states |= self._show(names[start : start + _MOST_UNITS])
        return {**states, **_not_ours_to_enable(services, states)}

    def _show(self, names: list[str]) -> Mapping[str, ServiceState | Unknown]:
        try:
            ended = self._systemctl("show", f"--property={','.join(PROPERTIES)}", "--", *names, limit=64 << 20)
        except Transient as fault:
            return dict.fromkeys(names, _unknown(fault))
        if ended.exit_code or ended.timed_out:
            return dict.fromkeys(names, _unknown(self._unreachable(ended)))
        return parse_states(names, ended.stdout.decode(errors="replace"))

    def tidy(self, services: Sequence[ServiceRef]) -> None:
        """The journal keeps itself within bounds (journald.conf(5), SystemMaxUse=)."""

    def output(self, service: ServiceRef, lines: int) -> str:
        # Not `journalctl --user`: users of the system have no journal of their own, they write to everybody's.
        unit = f"--user-unit={service.unit}" if self._user else f"--unit={service.unit}"
        try:
            ended = self._run(("journalctl", unit, f"--lines={lines}", "--no-pager", "--output=cat"), limit=1 << 20)
        except Transient:
            return ""
        return clean(ended.stdout.decode(errors="replace")).strip("\n")

    # -- units --------------------------------------------------------------------------------

    def unit_differences(self, runtime: Runtime, release: str) -> tuple[Difference, ...]:
        return self._units.differences(runtime, release)

    def unit_files(
        self, runtime: Runtime, release: str, kept: Mapping[str, bytes] | None = None
    ) -> tuple[UnitFile, ...]:
        """Raises `RevisionFault` where the unit file is neither in `kept` nor with the release, and `Transient`."""
        with files.disk_errors(f"reading the units of {runtime.identifier}"):
            return self._units.files(runtime, release, kept)

    def install(self, runtime: Runtime, release: str) -> None:
        unit = runtime.service.unit
        with files.disk_errors(f"installing {unit}"):
            changed = self._units.write(runtime, release)
        if changed:
            self._insist(self._systemctl("daemon-reload"), "daemon-reload")
        with files.disk_errors(f"noting whether {unit} is enabled"):
            if not is_kept(runtime):
                enablement.forget_enabled(runtime.app_path)
                return
            enablement.note_enabled(runtime.app_path, unit)
        self._enable(unit)

    def _enable(self, unit: str) -> None:
        ended = self._systemctl("enable", "--quiet", "--", unit)
        if ended.exit_code and _MASKED in _told(ended):
            raise ConfigFault(
                f"{unit} is masked: it can be neither enabled nor started",
                code="unit_masked",
                hint=f"systemctl unmask {unit}; to keep it from running: fraisier suspend",
            )
        self._insist(ended, f"enabling {unit}")

    def uninstall(self, runtime: Runtime) -> None:
        """What it cut off in between is done when it is called again: manager first, notes last."""
        unit = runtime.service.unit
        if is_kept(runtime):
            ended = self._systemctl("disable", "--quiet", "--", unit)
            if os.path.lexists(self._units.path(runtime)):  # else there is nothing that could be disabled
                self._insist(ended, f"disabling {unit}")
        with files.disk_errors(f"uninstalling {unit}"):
            self._units.remove(runtime)
        self._insist(self._systemctl("daemon-reload"), "daemon-reload")
        with files.disk_errors(f"uninstalling {unit}"):
            enablement.forget_enabled(runtime.app_path)
            files.unlink_durably(f"{runtime.app_path}/{units.ENVIRONMENT_FILE}")

    # -- changing -----------------------------------------------------------------------------

    def restart(self, runtime: Runtime, release: str, timeout: float, interrupt: Interrupt) -> None:
        unit = runtime.service.unit
        self._check_user(runtime)
        if _is_told(runtime):
            self._write_environment(runtime, release)
        # A unit that failed too often too fast refuses to start until this is said.
        self._systemctl("reset-failed", "--", unit)
        ended = self._systemctl("restart", "--", unit, timeout=timeout, interrupt=interrupt)
        if ended.timed_out:
            raise RevisionFault(
                f"{unit} did not start within {timeout:.0f} s{self._last_words(runtime)}",
                code="start_timeout",
                hint="see why it takes so long, or raise the target's timeout",
            )
        if ended.exit_code:
            raise self._start_fault(runtime, ended)

    def _check_user(self, runtime: Runtime) -> None:
        """Before systemd finds out: a user that does not exist is not the revision's fault."""
        if runtime.service.written is not None and not find_user(runtime.run_as).is_me and self._user:
            raise ConfigFault(
                f"{runtime.identifier}: the manager of one user cannot run a service as {runtime.run_as}",
                code="run_as_not_permitted",
                hint="leave run_as out, or use service_manager: systemd",
            )

    def _start_fault(self, runtime: Runtime, ended: Ended) -> ConfigFault | RevisionFault | Transient:
        unit = runtime.service.unit
        told = _told(ended)
        if ended.exit_code == _NO_SUCH_UNIT:
            return ConfigFault(
                f"{unit}: systemd knows no such unit",
                code="unit_missing",
                hint="install it, name another one in systemd_service, or describe it by service: or unit_file:",
            )
        if any(words in told for words in (*_NO_BUS, *_DENIED)):
            return self._unreachable(ended)
        return RevisionFault(
            f"{unit} did not start: {told}{self._last_words(runtime)}",
            code="start_failed",
            hint=f"see journalctl --unit={unit}",
        )

    def _last_words(self, runtime: Runtime) -> str:
        words = self.output(ServiceRef(runtime.service.unit, runtime.app_path), 20)
        return f"\n{masked(words, runtime.env.values())}" if words else ""

    def stop(self, runtime: Runtime, timeout: float) -> None:
        unit = runtime.service.unit
        ended = self._systemctl("stop", "--", unit, timeout=timeout)
        if ended.timed_out:
            self._systemctl("kill", "--signal=KILL", "--", unit)
            ended = self._systemctl("stop", "--", unit)
        if ended.exit_code not in {0, _NO_SUCH_UNIT}:
            raise self._unreachable(ended)
        # One that had to be killed counts as failed, although it was stopped on purpose.
        self._systemctl("reset-failed", "--", unit)

    def _write_environment(self, runtime: Runtime, release: str) -> None:
        """Right before the start, so that an earlier release is not started again with a later one's."""
        path = f"{runtime.app_path}/{units.ENVIRONMENT_FILE}"
        text = units.render_environment(units.service_environment(runtime, release))
        with files.disk_errors(f"writing the environment of {runtime.service.unit}"):
            notes.make_notes(runtime.app_path)
            files.write_durably(path, text.encode())

    # -- systemctl ----------------------------------------------------------------------------

    def _systemctl(
        self,
        verb: str,
        *arguments: str,
        timeout: float = _TIMEOUT,
        interrupt: Interrupt | None = None,
        limit: int = 1 << 20,
    ) -> Ended:
        argv = ("systemctl", *self._options, "--no-ask-password", verb, *arguments)
        return self._run(argv, timeout=timeout, interrupt=interrupt, limit=limit)

    def _run(
        self, argv: Sequence[str], *, timeout: float = _TIMEOUT, interrupt: Interrupt | None = None, limit: int
    ) -> Ended:
        try:
            return self._processes.run(
                argv,
                env=self._env,
                timeout=timeout,
                interrupt=interrupt or Interruption(),
                limit=limit,
                trusted=True,
            )
        except OSError as error:
            raise Transient(
                f"{argv[0]} cannot be run: {error.strerror}",
                code="systemd_unreachable",
                hint="without systemd use service_manager: process",
            ) from error

    def _insist(self, ended: Ended, what: str) -> None:
        if ended.exit_code or ended.timed_out:
            fault = self._unreachable(ended)
            raise type(fault)(f"{what}: {fault}", code=fault.code, hint=fault.hint)

    def _unreachable(self, ended: Ended) -> ConfigFault | Transient:
        told = "no answer" if ended.timed_out else _told(ended)
        if any(words in told for words in _DENIED):
            return ConfigFault(
                told, code="not_permitted", hint="run the daemon as root, or use service_manager: systemd-user"
            )
        if any(words in told for words in _NO_BUS):
            return Transient(told, code="systemd_unreachable", hint="is systemd running? else service_manager: process")
        return Transient(told, code="systemd_failed", hint="look at the journal; it is tried again by itself")


def _environment() -> dict[str, str]:
    """Where a user's manager listens is said by two variables; the rest is ours. Times come in UTC."""
    runtime_dir = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
    env = {**find_user(None).environment(), "PATH": PATH, "TZ": "UTC", "XDG_RUNTIME_DIR": runtime_dir}
    bus = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    return env | {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""} | ({"DBUS_SESSION_BUS_ADDRESS": bus} if bus else {})


def _is_told(runtime: Runtime) -> bool:
    """Whether the unit reads the environment file: ours always does, others through the drop-in."""
    return runtime.service.written is not None or bool(runtime.env)


def _not_ours_to_enable(
    services: Sequence[ServiceRef], states: Mapping[str, ServiceState | Unknown]
) -> Mapping[str, ServiceState]:
    """Units that are disabled and that Fraisier never enabled: nothing is amiss with them."""
    given: dict[str, ServiceState] = {}
    for service in services:
        state = states[service.unit]
        if isinstance(state, ServiceState) and not state.enabled:
            enabled = not enablement.was_enabled(service.app_path, service.unit)
            given[service.unit] = replace(state, enabled=enabled)
    return given


def _unknown(fault: FraisierError) -> Unknown:
    return Unknown(fault.code, str(fault), hint=fault.hint)


def _told(ended: Ended) -> str:
    lines = [line.strip() for line in clean(ended.stderr.decode(errors="replace")).splitlines() if line.strip()]
    return lines[0] if lines else f"systemctl exited {ended.exit_code}"
