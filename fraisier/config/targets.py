"""One environment of an `api` fraise as a target: what it says itself, then the fraise, then `defaults`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fraisier.model.config import ApiTarget, Argv, Service, ServiceManagerKind
from fraisier.model.names import TargetId
from fraisier.model.secret import Text
from fraisier.model.selection import Branch

from .health import read_health
from .policy import check_verify, read_approval, read_deploy_windows, read_on_drift, read_repairs, read_verify
from .problems import Mark, Path, Wrong
from .remotes import parse_remote
from .selections import read_selection
from .service import NamedService, read_service
from .values import parse_app_path, parse_positive, parse_relative_path, parse_user
from .view import View
from .windows import Windows


@dataclass(frozen=True, slots=True)
class Draft:
    """A target as far as it could be read: enough to compare it with the others."""

    id: TargetId
    path: Path
    mark: Mark
    servers: frozenset[str] | None
    """None: every server."""
    app_path: tuple[str, Mark] | None
    unit: tuple[str, Mark] | None
    port: tuple[int, Mark] | None
    target: ApiTarget | None

    def shares_a_server_with(self, other: Draft) -> bool:
        return self.servers is None or other.servers is None or bool(self.servers & other.servers)

    def is_on(self, server: str) -> bool:
        return self.servers is None or server in self.servers


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a target inherits and is read with."""

    defaults: View
    fraise: View
    server: str
    declared_manager: ServiceManagerKind | None
    """None when the file leaves it to the machine: then a target for systemd is no mistake of the file."""
    mapped: Mapping[TargetId, str]
    """Branches from `branch_mapping`."""
    windows: Windows


def read_target(view: View, target: TargetId, around: Surrounding) -> Draft:
    """Reports everything that is wrong in the environment; `Draft.target` is None when it cannot be built."""
    servers = _read_servers(view.at("servers"))
    if servers is not None and around.server not in servers:
        view = view.elsewhere()
    app_path = view.at("app_path").plain(parse_app_path)
    named = read_service(view, target, around.declared_manager)
    built = _build(view, target, around, app_path, named)
    return Draft(
        id=target,
        path=view.path,
        mark=view.key_mark,
        servers=servers,
        app_path=None if app_path is None else (app_path, view.at("app_path").mark),
        unit=None if named is None else (named.service.unit, named.unit_mark),
        port=_port(view, named),
        target=built,
    )


def check_inherited(place: View, windows: Windows) -> None:
    """Reports what is wrong in a fraise or in `defaults` even where every environment says otherwise."""
    view = place.elsewhere()
    view.at("repository").plain(parse_remote)
    view.at("run_as").plain(parse_user)
    _read_timeout(view.at("timeout"), timedelta())
    _read_build(view.at("build"))
    _read_shared(view.at("shared"))
    _read_env(view, view)
    read_on_drift(view.at("on_drift"))
    read_repairs(view.at("repairs"))
    read_deploy_windows(view.at("deploy").at("windows"), windows)
    read_verify(view.at("verify"))


def _read_servers(view: View) -> frozenset[str] | None:
    if view.value is None:
        return None
    return frozenset(name for item in view.items() if (name := item.plain(str)) is not None)


def _port(view: View, named: NamedService | None) -> tuple[int, Mark] | None:
    written = named.service.written if named else None
    if written is None or written.port is None:
        return None
    return written.port, view.at("service").at("port").mark


def _build(
    view: View, target: TargetId, around: Surrounding, app_path: str | None, named: NamedService | None
) -> ApiTarget | None:
    """Everything is read before anything is given up, so that all problems are seen at once."""
    inherited = _Inherited(view, around)
    remote = _read_remote(inherited, app_path)
    selection = read_selection(view, around.mapped.get(target))
    verify = read_verify(inherited.of("verify"))
    check_verify(inherited.of("verify"), target, verify, selection)
    default = ApiTarget(target, "", Branch(""), "", Service(""))
    settings: dict[str, Any] = {
        "build": _read_build(inherited.of("build")),
        "shared": _read_shared(inherited.of("shared")),
        "env": _read_env(view, around.fraise),
        "run_as": inherited.of("run_as").plain(parse_user),
        "health": read_health(view.at("health_check")),
        "timeout": _read_timeout(inherited.of("timeout"), default.timeout),
        "keep_releases": int(inherited.of("keep_releases").value or default.keep_releases),
        "on_drift": read_on_drift(inherited.of("on_drift")),
        "repairs": read_repairs(inherited.of("repairs")),
        "windows": read_deploy_windows(inherited.of("deploy", "windows"), around.windows),
        "approval": read_approval(inherited.of("deploy", "approval")),
        "verify": verify,
        "declared_at": str(view.key_mark),
    }
    if remote is None or selection is None or app_path is None or named is None:
        return None
    return ApiTarget(target, remote, selection, app_path, named.service, **settings)


@dataclass(frozen=True, slots=True)
class _Inherited:
    """The nearest place that says something: the environment, its fraise, `defaults`."""

    view: View
    around: Surrounding

    def of(self, *path: str) -> View:
        """Of `deploy`, `windows`: each key of the map is inherited by itself."""
        for place in (self.view, self.around.fraise, self.around.defaults):
            if place.is_written(*path):
                return place.within(path).read_like(self.view)
        return self.view.within(path)


def _read_remote(inherited: _Inherited, app_path: str | None) -> str | None:
    written = inherited.of("repository")
    view = inherited.view
    if written.is_there:
        return written.plain(parse_remote)
    if app_path is None or not view.resolver.here:
        return None if app_path is None else ""
    return _read_origin(view.at("app_path"), view.resolver.lookup.origin(app_path))


def _read_origin(app_path: View, origin: str | None) -> str | None:
    if origin is None:
        app_path.problem(
            "there is no repository, and no git checkout with an origin here",
            "write repository: https://… in the environment or its fraise",
        )
        return None
    try:
        return parse_remote(origin)
    except Wrong as wrong:
        app_path.problem(f"the origin of the checkout here {wrong.message}", f"write repository; {wrong.hint}")
        return None


def _read_timeout(view: View, default: timedelta) -> timedelta:
    return view.duration(default, parse_positive)


def _read_build(view: View) -> tuple[Argv, ...]:
    found = [item.command() for item in view.items()]
    return tuple(argv for argv in found if argv is not None)


def _read_shared(view: View) -> tuple[str, ...]:
    found: list[str] = []
    for item in view.items():
        path = item.plain(parse_relative_path)
        if path is None:
            continue
        if any(path == other or _lies_in(path, other) or _lies_in(other, path) for other in found):
            item.problem("is shared already, or lies in or around a path that is", "keep one of them")
        found.append(path)
    return tuple(found)


def _lies_in(inner: str, outer: str) -> bool:
    return inner.startswith(f"{outer}/")


def _read_env(view: View, fraise: View) -> dict[str, Text]:
    """The fraise's variables, and over them the environment's."""
    own, common = view.at("env"), fraise.at("env").read_like(view)
    merged = {**dict(common.entries()), **dict(own.entries())}
    for name, entry in merged.items():
        _check_name(view, name, entry)
    return {name: value for name, entry in merged.items() if (value := entry.text()) is not None}


def _check_name(view: View, name: str, entry: View) -> None:
    if name.startswith("FRAISIER_"):
        entry.key_problem("is reserved: names that begin with FRAISIER_ are Fraisier's own", "choose another name")
    port = view.at("service").at("port")
    if name == "PORT" and port.value is not None:
        port.problem(
            f"contradicts PORT in env (line {entry.key_mark.line}): the service is given it", "keep one of them"
        )
