"""`service`, `unit_file` and `systemd_service` of one environment."""

from __future__ import annotations

from dataclasses import dataclass

from fraisier.model.config import Service, ServiceManagerKind, WrittenService
from fraisier.model.names import TargetId

from .problems import Mark
from .values import parse_positive, parse_unit, parse_unit_file
from .view import View

_WAYS = ("service", "unit_file", "systemd_service")


@dataclass(frozen=True, slots=True)
class NamedService:
    """The service with the place that gives its unit its name, for problems that concern two targets."""

    service: Service
    unit_mark: Mark


def read_service(view: View, target: TargetId, declared_manager: ServiceManagerKind | None) -> NamedService | None:
    """None, with every problem reported, when there is no usable service."""
    _check_ways(view, declared_manager)
    name = view.at("systemd_service")
    unit = name.plain(parse_unit)
    if unit is None and not view.is_written("systemd_service"):
        unit = f"{target}.service".replace("/", "-")
    written = _read_written(view.at("service"))
    unit_file = view.at("unit_file").plain(parse_unit_file)
    if unit is None or _is_refused(view, "service", written) or _is_refused(view, "unit_file", unit_file):
        return None
    return NamedService(Service(unit, written, unit_file), name.mark if name.value is not None else view.key_mark)


def _is_refused(view: View, key: str, value: object) -> bool:
    return value is None and view.is_written(key)


def _check_ways(view: View, declared_manager: ServiceManagerKind | None) -> None:
    if not any(view.is_written(way) for way in _WAYS):
        view.key_problem(
            "needs service, unit_file or systemd_service",
            "service: {exec: …} has Fraisier write the unit; systemd_service names one that exists",
        )
    if view.is_written("service") and view.is_written("unit_file"):
        view.at("unit_file").problem(
            f"contradicts service (line {view.at('service').key_mark.line}): both say what the unit is",
            "keep one of them",
        )
    elif declared_manager == "process" and not view.is_written("service"):
        view.key_problem(
            "needs service.exec: with service_manager process there are no systemd units",
            "write service: {exec: …}, or another server.service_manager",
        )


def _read_written(view: View) -> WrittenService | None:
    if view.value is None:
        return None
    default = WrittenService(())
    argv = view.at("exec").command()
    stop_timeout = view.at("stop_timeout").duration(default.stop_timeout, parse_positive)
    if argv is None:
        return None
    port, memory, said = view.at("port").value, view.at("memory_max").value, view.value
    return WrittenService(
        exec=argv,
        type=said.get("type", default.type),
        restart=said.get("restart", default.restart),
        port=None if port is None else int(port),
        memory_max=None if memory is None else str(memory),
        cpu_quota=view.at("cpu_quota").value,
        stop_timeout=stop_timeout,
    )
