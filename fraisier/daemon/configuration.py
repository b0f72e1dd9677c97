"""The configuration in force: the last good one of each target, and what holds the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..config import Loaded, Problem
from ..model.config import Config
from ..model.names import TargetId
from ..model.plan import Hold, ReasonCode
from ..model.records import Status


@dataclass(frozen=True, slots=True)
class InForce:
    """What the daemon goes by. `held` targets stay as they were last good until their problems are mended:
    watched and repaired, and nothing new is deployed to them.
    """

    config: Config
    held: Mapping[TargetId, tuple[Problem, ...]]

    @classmethod
    def first(cls, config: Config, loaded: Loaded) -> InForce:
        return cls(config, loaded.held)

    def after(self, loaded: Loaded) -> InForce | None:
        """What is in force after the files were edited; None when they say nothing usable, and all stays.

        `server` is wired at the start and stays as it was; a target with problems stays as it was
        last good, held: it is watched and repaired, and nothing new is deployed to it.
        """
        if loaded.config is None:
            return None
        last_good = {id: self.config.targets[id] for id in loaded.held if id in self.config.targets}
        targets = {**loaded.config.targets, **last_good}
        return InForce(replace(loaded.config, server=self.config.server, targets=targets), loaded.held)

    def holds(self) -> Mapping[TargetId, Hold]:
        """By its first problem, which names file, line and column."""
        return {target: _hold(problems) for target, problems in self.held.items()}

    def statuses(self) -> list[Status]:
        """How targets are shown that no look can be had of: held, and never good since the start."""
        return [
            _held(target, _hold(problems))
            for target, problems in self.held.items()
            if target not in self.config.targets
        ]


def _hold(problems: tuple[Problem, ...]) -> Hold:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    to_go_on = f"mend {problems[0].file}; all problems: fraisier validate"
    return Hold(ReasonCode.CONFIG_INVALID, f"{problems[0]}{more}", to_go_on)


def _held(target: TargetId, hold: Hold) -> Status:
    return Status(
        id=target,
        type="",
        ref="",
        desired=None,
        sync="held",
        health="unknown",
        reason_code=hold.code.value,
        reason_message=hold.message,
        to_go_on=hold.to_go_on,
    )
