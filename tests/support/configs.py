"""Configurations to read in tests, and a machine that answers what a test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import dedent

from fraisier.config import Loaded, SourceFile, load
from fraisier.model.config import ServiceManagerKind

ORIGIN = "https://git.example.com/acme/my_api.git"


@dataclass
class Machine:
    """Answers like `MachineLookup`, from what it was given."""

    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict)
    remote: str | None = ORIGIN
    name: str = "web-1"
    manager: ServiceManagerKind = "systemd"
    key: bytes = b"k" * 32

    def env(self, name: str) -> str | None:
        return self.variables.get(name)

    def file(self, path: str) -> str:
        return _found(self.files, path)

    def credential(self, name: str) -> str:
        return _found(self.credentials, name)

    def origin(self, app_path: str) -> str | None:
        return self.remote

    def hostname(self) -> str:
        return self.name

    def service_manager(self) -> ServiceManagerKind:
        return self.manager

    def secret_key(self) -> bytes:
        return self.key


def _found(values: Mapping[str, str], key: str) -> str:
    if key not in values:
        raise FileNotFoundError(2, "No such file or directory", key)
    return values[key]


def read(text: str, machine: Machine | None = None) -> Loaded:
    """Loads one file called fraises.yaml."""
    return load([SourceFile("fraises.yaml", dedent(text))], machine or Machine())


def sentences(loaded: Loaded) -> list[str]:
    return [str(problem) for problem in loaded.problems]


def api(name: str = "my_api", environment: str = "", **fraise: str) -> str:
    """A file with one sound api fraise; `environment` is more of its environment, in flow style: `timeout: 3m`."""
    more = "".join(f"    {key}: {value}\n" for key, value in fraise.items())
    own = f", {environment}" if environment else ""
    return (
        f"fraises:\n  {name}:\n    type: api\n{more}    environments:\n"
        f"      production: {{branch: main, app_path: /srv/{name}, systemd_service: {name}.service{own}}}\n"
    )
