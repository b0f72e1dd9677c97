"""The variables a fraise's commands and its service are told about themselves."""

from __future__ import annotations

from collections.abc import Mapping

from ..model.secret import Text


def command_environment(env: Mapping[str, Text], *, identifier: str, sha: str, release: str) -> dict[str, Text]:
    """`env` and what is documented beside it: `FRAISIER_TARGET`, `FRAISIER_SHA`, `FRAISIER_RELEASE`."""
    return {**env, "FRAISIER_TARGET": identifier, "FRAISIER_SHA": sha, "FRAISIER_RELEASE": release}
