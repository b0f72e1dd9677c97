"""Digests of what was declared: equal when nothing that matters changed, and safe to show.

Secrets take part as keyed fingerprints. Fields that have their default are left out, so that a
version of Fraisier that knows a new key does not deploy every target anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from datetime import timedelta
from typing import Any

from fraisier.model.config import ApiTarget, Git, Server
from fraisier.model.names import TargetId
from fraisier.model.secret import Secret

_LENGTH = 32
_NOT_DECLARED = {"config_digest", "build_digest", "runtime_digest", "declared_at"}


def with_digests(target: ApiTarget, key: bytes) -> ApiTarget:
    declared = _fields(target, key, leave_out=_NOT_DECLARED)
    env = _plain(target.env, key)
    build = [_plain(part, key) for part in (target.build, sorted(target.shared), target.run_as)]
    if target.service.unit_file is not None:  # its copy is kept when the release is made
        build.append(target.service.unit_file)
    runtime = [_plain(part, key) for part in (target.service, target.run_as)]
    return replace(
        target,
        config_digest=_digest(declared),
        build_digest=_digest([*build, env]),
        runtime_digest=_digest([*runtime, env]),
    )


def config_digest(server: Server, git: Git, targets: Mapping[TargetId, ApiTarget], key: bytes) -> str:
    """Of the whole configuration as it is used on this server."""
    each = sorted((str(name), target.config_digest) for name, target in targets.items())
    return _digest([_plain(server, key), _plain(git, key), each])


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def _plain(value: Any, key: bytes) -> Any:
    """As JSON. Values of different kinds never look alike: what is no text, number or list is tagged."""
    plain = value
    match value:
        case Secret():
            plain = {"secret": value.fingerprint(key)}
        case timedelta():
            plain = {"seconds": value.total_seconds()}
        case range():
            plain = [value.start, value.stop]
        case Mapping():
            plain = {"map": {str(name): _plain(inner, key) for name, inner in value.items()}}
        case tuple() | list():
            plain = [_plain(inner, key) for inner in value]
        case _ if is_dataclass(value):
            plain = {type(value).__name__: _fields(value, key)}
    return plain


def _fields(value: Any, key: bytes, leave_out: set[str] | None = None) -> dict[str, Any]:
    skipped = leave_out or set()
    return {
        field.name: _plain(inner, key)
        for field in fields(value)
        if field.name not in skipped and (inner := getattr(value, field.name)) != _default(field)
    }


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default
