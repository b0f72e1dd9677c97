"""Runs the commands of fraises: as their user, in an environment built from nothing, leaving nothing behind.

Two ways: in a session of their own (`SessionCommands`), and in a transient unit (`UnitCommands`)
where the system's systemd runs and we are root, so that the control group is what ends them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from ..model import ports
from ..model.errors import Transient
from ..model.secret import reveal
from ..services.units import render_environment, systemd_literal
from . import files
from .output import CappedLog, Masker, secrets_of
from .processes import Ended, Processes
from .users import User, find_user

_NOT_THERE = 127
_NOT_EXECUTABLE = 126
_NOT_A_PROGRAM = {errno.EACCES, errno.ENOEXEC, errno.EISDIR, errno.ENOTDIR, errno.E2BIG, errno.ELOOP}

Runs = Callable[[CappedLog], Ended]


class SessionCommands:
    """Each command in its own session; what it leaves behind is found by its mark and killed."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def run(self, command: ports.Command, interrupt: ports.Interrupt) -> ports.CommandResult:
        user = find_user(command.run_as)
        env = environment(user, command)

        def start(log: CappedLog) -> Ended:
            return self._processes.run(
                _in(command.cwd, command.argv),
                env=env,
                cwd=command.cwd,
                timeout=command.timeout,
                interrupt=interrupt,
                output=log.add,
                become=user,
            )

        return _logged(command, start)


class UnitCommands:
    """Each command in a transient unit: systemd ends everything in its control group, whoever it became.

    The environment goes through a file with mode 0600 in `private`, for the arguments of
    `systemd-run` and the properties of units are for everybody to read (law 18).
    """

    def __init__(self, processes: Processes, store_id: str, private: str) -> None:
        self._processes = processes
        self._prefix = f"fraisier-step-{store_id}-"
        self._private = private

    def run(self, command: ports.Command, interrupt: ports.Interrupt) -> ports.CommandResult:
        user = find_user(command.run_as)
        if not os.path.isdir(command.cwd):
            raise _no_such_folder(command.cwd)
        unit = f"{self._prefix}{uuid4().hex[:12]}.service"
        env = environment(user, command)
        with self._environment_file(unit, env) as env_file:
            result = _logged(command, lambda log: self._start(command, unit, user, env_file, log, interrupt))
        if result.exit_code and result.tail.startswith(_SYSTEMD_RUN_FAILED):
            raise Transient(f"no transient unit could be started: {result.tail}", code="no_process")
        return result

    def _start(
        self,
        command: ports.Command,
        unit: str,
        user: User,
        env_file: str,
        log: CappedLog,
        interrupt: ports.Interrupt,
    ) -> Ended:
        over = False
        try:
            ended = self._processes.run(
                (*_systemd_run(unit, user, command, env_file), *map(_dollars, (*_SHELL, *command.argv))),
                env=_client_environment(),
                timeout=command.timeout,
                interrupt=interrupt,
                output=log.add,
                ask_to_end=lambda: self._stop(unit, "--no-block"),
            )
            # Killed may be the command or its client alone; only in doubt is it worth asking.
            over = not ended.timed_out and ended.exit_code < 128
            return ended
        finally:
            if not over:
                self._stop(unit)

    @contextmanager
    def _environment_file(self, unit: str, env: dict[str, str]) -> Iterator[str]:
        path = os.path.join(self._private, f"{unit}.env")
        with files.disk_errors(f"writing the environment of {unit}"):
            os.makedirs(self._private, mode=0o700, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(render_environment(env))
        try:
            yield path
        finally:
            os.unlink(path)

    def _stop(self, units: str, *options: str) -> None:
        """Not through the stoppable door: a daemon that stops has to end its commands all the same."""
        Processes("cleanup").run(
            ("systemctl", "stop", "--quiet", *options, "--", units),
            env=_client_environment(),
            timeout=_STOP_TIMEOUT,
            trusted=True,
        )

    def sweep(self) -> None:
        """Ends the commands of a killed predecessor and removes their environments; see `Processes.sweep`."""
        self._stop(f"{self._prefix}*.service")
        with files.disk_errors("removing what a killed daemon left"):
            for name in os.listdir(self._private) if os.path.isdir(self._private) else ():
                if name.startswith(self._prefix):
                    os.unlink(os.path.join(self._private, name))


_STOP_TIMEOUT = 30.0
_UNIT_GRACE = 5
"""Seconds between systemd's TERM and KILL for a command."""

_SHELL = ("/bin/sh", "-c", '"$@"; exit "$?"', "sh")
"""Gives the exit code as a shell counts. Without it systemd takes a command that was ended by TERM for
one that succeeded (systemd.service(5), SuccessExitStatus=); the text is constant, the command an argument list."""

_SYSTEMD_RUN_FAILED = ("Failed to start transient service unit", "Failed to connect to bus", "Failed to create bus")


def _systemd_run(unit: str, user: User, command: ports.Command, env_file: str) -> tuple[str, ...]:
    properties = {
        "User": user.name,
        "WorkingDirectory": command.cwd,
        "EnvironmentFile": systemd_literal(env_file),
        "UMask": "0022",
        # A backstop should we be gone; our own deadline comes first.
        "RuntimeMaxSec": f"{command.timeout + 2 * _UNIT_GRACE:.0f}s",
        "TimeoutStopSec": f"{_UNIT_GRACE}s",
    }
    options = (part for name, value in properties.items() for part in ("-p", f"{name}={value}"))
    return ("systemd-run", "--wait", "--pipe", "--collect", "--quiet", f"--unit={unit}", *options, "--")


def _dollars(argument: str) -> str:
    """In the arguments of a command, systemd replaces `$NAME`; `$$` is a dollar (systemd.service(5))."""
    return argument.replace("$", "$$")


def _client_environment() -> dict[str, str]:
    return {**find_user(None).environment(), "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}


def environment(user: User, command: ports.Command) -> dict[str, str]:
    return user.environment() | {name: reveal(value) for name, value in command.env.items()}


def _in(cwd: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """With a program like `bin/build.sh` looked up in `cwd`, whatever folder we are in."""
    program = argv[0]
    return (os.path.join(cwd, program) if "/" in program else program, *argv[1:])


def _logged(command: ports.Command, start: Runs) -> ports.CommandResult:
    """Runs it with its output on the way to the log and the tail."""
    log = CappedLog(command.log, Masker(secrets_of(command.env.values())))
    try:
        ended = start(log)
    except OSError as error:
        ended = _not_started(command, error)
        log.add(ended.stderr)
    finally:
        log.close()
    return ports.CommandResult(ended.exit_code, log.tail(), ended.timed_out)


def _not_started(command: ports.Command, error: OSError) -> Ended:
    """A program that is not there or is none is the revision's fault and an exit code, as in a shell."""
    program = command.argv[0]
    if not os.path.isdir(command.cwd):
        raise _no_such_folder(command.cwd) from error
    if error.errno == errno.ENOENT:
        # Also what the kernel says when the interpreter in a script's first line is not there.
        return Ended(_NOT_THERE, stderr=f"{program}: no such program, or its interpreter is missing\n".encode())
    if error.errno in _NOT_A_PROGRAM:
        return Ended(_NOT_EXECUTABLE, stderr=f"{program}: cannot be executed: {error.strerror}\n".encode())
    raise Transient(f"`{program}` cannot be started: {error.strerror}", code="no_process") from error


def _no_such_folder(path: str) -> Transient:
    return Transient(f"there is no folder {path} to run a command in", code="no_folder")
