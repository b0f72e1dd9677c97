"""The service managers there are, by the word in `service_manager:`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..model.config import ServiceManagerKind
from ..model.ports import ServiceManager
from .process_manager import ProcessManager
from .processes import Processes
from .systemd_manager import SystemdManager

MANAGERS: Mapping[ServiceManagerKind, Callable[[Processes], ServiceManager]] = {
    "process": ProcessManager,
    "systemd": SystemdManager,
    "systemd-user": lambda processes: SystemdManager(processes, user=True),
}
