"""The configuration in force: the last good one of each target, and what holds the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..config import Loaded, Problem
from ..model.config import Config
from ..model.names import TargetId
from ..model.plan import ReasonCode
from ..model.records import Status


@dataclass(frozen=True, slots=True)
class InForce:
    """What the daemon goes by. `held` targets are left as they are until their problems are mended."""

    config: Config
    held: Mapping[TargetId, tuple[Problem, ...]]

    @classmethod
    def first(cls, config: Config, loaded: Loaded) -> InForce:
        return cls(config, loaded.held)

    def after(self, loaded: Loaded) -> InForce | None:
        """What is in force after the files were edited; None when they say nothing usable, and all stays."""
        return None if loaded.config is None else InForce(self._keeping_server(loaded.config), loaded.held)

    def _keeping_server(self, config: Config) -> Config:
        """`server` and how git is spoken to are wired at the start; everything else changes at once."""
        return replace(config, server=self.config.server)

    def statuses(self) -> list[Status]:
        """How held targets are shown: by their first problem, which names file, line and column."""
        return [_held(target, problems) for target, problems in self.held.items()]


def _held(target: TargetId, problems: tuple[Problem, ...]) -> Status:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Status(
        id=target,
        type="",
        ref="",
        desired=None,
        sync="held",
        health="unknown",
        reason_code=ReasonCode.CONFIG_INVALID.value,
        reason_message=f"{problems[0]}{more}",
        to_go_on=f"mend {problems[0].file}; all problems: fraisier validate",
    )
