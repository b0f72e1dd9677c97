"""Digests of what was declared: equal when nothing that matters changed, and safe to show.

Secrets take part as keyed fingerprints. Fields that have their default are left out, so that a
version of Fraisier that knows a new key does not deploy every target anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import is_dataclass, replace
from datetime import timedelta
from typing import Any

from fraisier.model.config import ApiTarget, Git, Server
from fraisier.model.names import TargetId
from fraisier.model.secret import Secret
from fraisier.model.selection import Branch, Selection

from .declared import NOT_DECLARED, declared, defaults_of

_LENGTH = 32
_WHEN_AND_WHETHER = {"on_drift", "repairs", "windows", "approval", "verify", "keep_releases"}
"""They say when and whether to act, not how a revision fares: a freeze must not lift a quarantine."""
_APART = {"selection", "env"}
_LEFT_OUT = _WHEN_AND_WHETHER | NOT_DECLARED | _APART


def with_digests(target: ApiTarget, key: bytes) -> ApiTarget:
    """Also tells what was declared (`ApiTarget.declared`)."""
    env = _plain(target.env, key)
    fares = {
        **_fields(target, key, leave_out=_LEFT_OUT),
        **_selection(target.selection),
        **({"env": env} if target.env else {}),
    }
    build = [_plain(part, key) for part in (target.build, sorted(target.shared), target.run_as)]
    if target.service.unit_file is not None:  # its copy is kept when the release is made
        build.append(target.service.unit_file)
    runtime = [_plain(part, key) for part in (target.service, target.run_as)]
    return replace(
        target,
        config_digest=_digest(fares),
        build_digest=_digest([*build, env]),
        runtime_digest=_digest([*runtime, env]),
        declared=declared(target, key),
    )


def _selection(selection: Selection) -> dict[str, Any]:
    """A branch as it was before there were tags, so that quarantines outlive the upgrade."""
    return {"branch": selection.name} if isinstance(selection, Branch) else {selection.kind: selection.key}


def config_digest(server: Server, git: Git, targets: Mapping[TargetId, ApiTarget], key: bytes) -> str:
    """Of the whole configuration as it is used on this server: of everything that was declared."""
    each = sorted((str(name), target.config_digest, target.declared) for name, target in targets.items())
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


def _fields(value: Any, key: bytes, leave_out: Collection[str] = ()) -> dict[str, Any]:
    return {
        name: _plain(inner, key)
        for name, default in defaults_of(value.__class__)
        if name not in leave_out and (inner := getattr(value, name)) != default
    }
