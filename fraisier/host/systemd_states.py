"""What `systemctl show` says, as values: parsing only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ..model.state import Run, ServiceState, Unknown

PROPERTIES = (
    "Id",
    "LoadState",
    "LoadError",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "NRestarts",
    "ExecMainCode",
    "ExecMainStatus",
    "ExecMainStartTimestamp",
    "ActiveEnterTimestamp",
    "UnitFileState",
)

_RUNS: Mapping[str, Run] = {
    "active": "running",
    "reloading": "running",
    "refreshing": "running",
    "activating": "starting",
    "deactivating": "stopped",
    "inactive": "stopped",
    "failed": "failed",
    "maintenance": "failed",
}

_COMES_BACK_NOT = {"disabled", "masked", "masked-runtime", "bad"}
"""Values of UnitFileState (systemctl(1), is-enabled) of a unit that somebody took out of what starts with the
machine. What is static, indirect, generated, transient or without a file is nobody's to enable; what is
linked, or enabled for this boot, somebody else arranged otherwise than we do."""


def parse_states(names: Sequence[str], text: str) -> Mapping[str, ServiceState | Unknown]:
    """One block per unit in the order asked for: an alias answers under its real name."""
    blocks = [_block(block) for block in text.strip("\n").split("\n\n")]
    if len(blocks) != len(names):
        return dict.fromkeys(names, Unknown("systemd_failed", "systemctl answered for other units than it was asked"))
    return {name: _state(block) for name, block in zip(names, blocks, strict=True)}


def _block(text: str) -> Mapping[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in text.splitlines())}


def _state(block: Mapping[str, str]) -> ServiceState:
    load = block.get("LoadState", "")
    enabled = block.get("UnitFileState", "") not in _COMES_BACK_NOT
    if load == "not-found":
        return ServiceState("missing", message="systemd knows no such unit", enabled=enabled)
    if load not in {"loaded", "stub", "merged"} and block.get("ActiveState") != "active":
        return ServiceState(
            "failed", message=f"{load} {_unquoted(block.get('LoadError', ''))}".strip(), enabled=enabled
        )
    run = _RUNS.get(block.get("ActiveState", ""), "stopped")
    pid = int(block.get("MainPID") or 0)
    return ServiceState(
        run,
        pid=pid or None,
        restarts=int(block.get("NRestarts") or 0),
        since=_moment(block.get("ExecMainStartTimestamp", "")) or _moment(block.get("ActiveEnterTimestamp", "")),
        message="" if run == "running" else _message(block),
        enabled=enabled,
    )


def _message(block: Mapping[str, str]) -> str:
    """`failed: exit-code (3)`, `auto-restart: signal (9)`, `dead`."""
    sub, result = block.get("SubState", ""), block.get("Result", "")
    if result in {"", "success"}:
        return sub
    status = block.get("ExecMainStatus", "0")
    return f"{sub}: {result}" + (f" ({status})" if status != "0" else "")


def _unquoted(text: str) -> str:
    return text.replace('"', "").strip()


def _moment(text: str) -> datetime | None:
    """`Tue 2026-11-24 01:10:11 UTC`, as printed under TZ=UTC."""
    parts = text.split()
    if len(parts) != 4:
        return None
    return datetime.strptime(f"{parts[1]} {parts[2]}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
