"""Targets and configurations without a YAML file."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..config.digests import config_digest, with_digests
from ..model.config import ApiTarget, Config, Git, HealthCheck, HttpProbe, Server, Service, WrittenService
from ..model.names import TargetId
from ..model.selection import Branch

KEY = b"a key for tests"


def api_target(name: str = "shop/production", **changes: Any) -> ApiTarget:
    """A small `api` target with its digests; `changes` are fields of `ApiTarget`."""
    id = TargetId.parse(name)
    target = ApiTarget(
        id=id,
        remote=f"/git/{id.fraise}.git",
        selection=Branch("main"),
        app_path=f"/srv/{id.fraise}-{id.environment}",
        service=Service(f"{id.fraise}-{id.environment}.service", written=WrittenService(("./run",))),
        build=(("make",),),
        health=HealthCheck(
            HttpProbe("http://127.0.0.1:8000/"),
            interval=timedelta(seconds=1),
            healthy_for=timedelta(seconds=5),
            deadline=timedelta(seconds=30),
        ),
        declared_at="fraises.yaml:4:7",
    )
    return with_digests(replace(target, **changes), KEY)


def config_of(*targets: ApiTarget) -> Config:
    """One server that runs all of `targets`."""
    server, git = Server("web-1"), Git()
    by_id = {target.id: target for target in targets}
    return Config(server, git, by_id, digest=config_digest(server, git, by_id, KEY))
