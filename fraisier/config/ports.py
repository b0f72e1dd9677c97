"""What the configuration asks of the machine it is read on. `fraisier.host.lookup` answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from fraisier.model.config import Config, ServiceManagerKind
from fraisier.model.names import TargetId

from .problems import Problem


class Lookup(Protocol):
    """Answers from the machine."""

    def env(self, name: str) -> str | None: ...

    def file(self, path: str) -> str:
        """Raises `OSError`, or `ValueError` when the file is not text."""
        ...

    def credential(self, name: str) -> str:
        """A systemd credential. Raises as `file` does."""
        ...

    def origin(self, app_path: str) -> str | None:
        """The URL of `origin` of the git checkout at `app_path` (or at its current release), if there is one."""
        ...

    def hostname(self) -> str: ...

    def service_manager(self) -> ServiceManagerKind:
        """What the machine has."""
        ...

    def secret_key(self) -> bytes:
        """Keys the fingerprints that stand for secrets inside digests."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of reading a configuration."""

    config: Config | None
    """None when nothing is usable: a file does not parse, or something outside `fraises` and
    `branch_mapping` is wrong."""
    problems: tuple[Problem, ...] = ()
    """All of them, by file, line and column."""
    held: Mapping[TargetId, tuple[Problem, ...]] = field(default_factory=dict)
    """Targets left out of `config.targets` because of problems inside them; a problem of a fraise
    itself holds all its environments."""
