"""What was declared for a target, as one flat JSON object: what `diff` compares.

Keys are the paths of the configuration (`health_check.deadline`, `env.LOG_LEVEL`). A value is a text,
a number, a list of texts, or for a secret `{"secret": "3b9e1c02"}` with its keyed fingerprint, and
nothing else is a map: an environment variable called `secret` is no secret. What has its default is
left out. Equal declarations give equal text.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator
from dataclasses import MISSING, fields
from datetime import timedelta
from functools import cache
from typing import Any

from fraisier.model.config import (
    WEEKDAYS,
    ApiTarget,
    CommandProbe,
    HttpProbe,
    ManagerProbe,
    OnDrift,
    Probe,
    Service,
    TcpProbe,
    Weekday,
    Window,
)
from fraisier.model.secret import Secret
from fraisier.model.selection import Branch, Exact, Selection, TagRange

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_IN_WORDS_OF_THEIR_OWN = frozenset({
    "id", "type", "remote", "selection", "app_path", "service", "env", "health", "on_drift", "repairs", "windows",
    "approval", "verify",
})  # fmt: skip
NOT_DECLARED = frozenset({"config_digest", "build_digest", "runtime_digest", "declared_at", "declared"})
"""Fields of a target that say where and how it was declared, and not what."""
_LEFT_OUT = _IN_WORDS_OF_THEIR_OWN | NOT_DECLARED

Entries = Iterator[tuple[str, Any]]


def declared(target: ApiTarget, key: bytes) -> str:
    """`key` is that of the fingerprints."""
    shown = {name: _shown(value, key) for name, value in _entries(target)}
    return json.dumps(shown, sort_keys=True, separators=(",", ":"))


def _entries(target: ApiTarget) -> Entries:
    yield "repository", target.remote
    yield from _selection(target.selection)
    yield "app_path", target.app_path
    yield from _service(target.service)
    for name, value in target.env.items():
        yield f"env.{name}", value
    yield from _probe(target.health.probe)
    yield from _differing("health_check.", target.health, frozenset({"probe"}))
    yield from _differing("", target, _LEFT_OUT)
    yield from _on_drift(target.on_drift)
    yield from _differing("repairs.", target.repairs)
    for window in target.windows:
        yield f"deploy.windows.{window.name}", window_text(window)
    if target.approval:
        yield "deploy.approval", "required"
    if target.verify is not None:
        yield "verify.signed", target.verify.what
        yield from _differing("verify.", target.verify, frozenset({"what"}))


def _selection(selection: Selection) -> Entries:
    match selection:
        case Branch():
            yield "branch", selection.name
        case TagRange():
            yield "tag", selection.range
        case Exact():
            yield "revision", selection.sha


def _service(service: Service) -> Entries:
    yield "systemd_service", service.unit
    if service.unit_file is not None:
        yield "unit_file", service.unit_file
    if service.written is not None:
        yield "service.exec", shlex.join(service.written.exec)
        yield from _differing("service.", service.written, frozenset({"exec"}))


def _probe(probe: Probe) -> Entries:
    match probe:
        case HttpProbe():
            yield "health_check.url", probe.url
            if probe.status != HttpProbe("").status:
                yield "health_check.status", tuple(map(_status_text, probe.status))
            for name, value in probe.headers.items():
                yield f"health_check.headers.{name}", value
        case TcpProbe():
            yield "health_check.tcp", f"{probe.host}:{probe.port}"
        case CommandProbe():
            yield "health_check.command", shlex.join(probe.argv)
        case ManagerProbe():
            return


def _status_text(status: range) -> str:
    first, last = status[0], status[-1]
    return str(first) if first == last else f"{first}-{last}"


def _on_drift(on_drift: OnDrift) -> Entries:
    if on_drift.default != OnDrift().default:
        yield "on_drift.default", on_drift.default
    for name, policy in on_drift.fields.items():
        yield f"on_drift.{name}", policy
    if on_drift.except_files:
        yield "on_drift.except_files", on_drift.except_files


def _differing(prefix: str, value: Any, skip: frozenset[str] = frozenset()) -> Entries:
    for name, default in defaults_of(value.__class__):
        if name not in skip and (inner := getattr(value, name)) != default:
            yield prefix + name, inner


@cache
def defaults_of(kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    """The fields of a dataclass with their defaults; `MISSING`, which equals nothing, where there is none."""
    return tuple(
        (field.name, field.default if field.default_factory is MISSING else field.default_factory())
        for field in fields(kind)
    )


def _shown(value: Any, key: bytes) -> Any:
    match value:
        case str() | int() | None:
            return value
        case Secret():
            return {"secret": value.fingerprint(key)}
        case timedelta():
            return duration_text(value)
        case tuple():
            return [shlex.join(item) if isinstance(item, tuple) else str(item) for item in value]
        case _:
            return str(value)


def duration_text(duration: timedelta) -> str:
    """As one would write it: `1h30m`."""
    left, text = duration // timedelta(milliseconds=1), ""
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def window_text(window: Window) -> str:
    """`allow mon-fri 09:00-18:00 Europe/Paris`."""
    dates = ", ".join(str(first) if first == last else f"{first}..{last}" for first, last in window.dates)
    days = "" if dates and len(window.days) == len(WEEKDAYS) else days_text(window.days)
    end = "24:00" if window.end is None else f"{window.end:%H:%M}"
    times = f"{window.start:%H:%M}-{end}"
    parts = (window.kind, dates, days, "" if times == "00:00-24:00" else times, window.zone.key)
    return " ".join(part for part in parts if part)


def days_text(days: Collection[Weekday]) -> str:
    """`mon-fri`, `mon,wed`, `daily`: in the order of the week."""
    if len(days) == len(WEEKDAYS):
        return "daily"
    runs: list[list[Weekday]] = []
    for index, day in enumerate(WEEKDAYS):
        if day in days:
            if index and WEEKDAYS[index - 1] in days:
                runs[-1].append(day)
            else:
                runs.append([day])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(run) for run in runs)
