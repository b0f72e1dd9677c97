"""Runtimes as JSON, for `.fraisier/runtime/<digest>.json`: mode 0600, since it holds secrets in the clear."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from ..model.config import Service, WrittenService
from ..model.ports import Runtime
from ..model.secret import Secret, Text


def render_runtime(runtime: Runtime) -> bytes:
    document = {
        "digest": runtime.digest,
        "identifier": runtime.identifier,
        "app_path": runtime.app_path,
        "run_as": runtime.run_as,
        "service": _service(runtime.service),
        "env": {name: _text(value) for name, value in runtime.env.items()},
    }
    return json.dumps(document, indent=1, sort_keys=True).encode()


def parse_runtime(data: bytes) -> Runtime:
    """Raises `ValueError`, `KeyError` or `TypeError` for what `render_runtime` has not written."""
    document = json.loads(data)
    return Runtime(
        digest=document["digest"],
        identifier=document["identifier"],
        app_path=document["app_path"],
        service=_parse_service(document["service"]),
        env={name: _parse_text(value) for name, value in document["env"].items()},
        run_as=document["run_as"],
    )


def _text(value: Text) -> str | dict[str, str]:
    return {"secret": value.reveal()} if isinstance(value, Secret) else value


def _parse_text(value: str | dict[str, str]) -> Text:
    return value if isinstance(value, str) else Secret(value["secret"])


def _service(service: Service) -> dict[str, Any]:
    written = service.written
    return {
        "unit": service.unit,
        "unit_file": service.unit_file,
        "written": None if written is None else _written(written),
    }


def _written(written: WrittenService) -> dict[str, Any]:
    return {
        "exec": list(written.exec),
        "type": written.type,
        "restart": written.restart,
        "port": written.port,
        "memory_max": written.memory_max,
        "cpu_quota": written.cpu_quota,
        "stop_timeout": written.stop_timeout.total_seconds(),
    }


def _parse_service(document: dict[str, Any]) -> Service:
    written = document["written"]
    return Service(document["unit"], None if written is None else _parse_written(written), document["unit_file"])


def _parse_written(document: dict[str, Any]) -> WrittenService:
    return WrittenService(
        **{
            **document,
            "exec": tuple(document["exec"]),
            "stop_timeout": timedelta(seconds=document["stop_timeout"]),
        }
    )
