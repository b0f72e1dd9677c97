"""The objects of `status --json` and `list --json`, for every target that there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ..model.names import TargetId
from ..model.plan import ReasonCode

if TYPE_CHECKING:
    from ..daemon.assembly import Assembly
    from ..model.state import InventoryEntry

Row = Mapping[str, Any]

PRUNE = "fraisier plan --prune"


def rows_of(assembly: Assembly, identifiers: Collection[str]) -> list[Row]:
    """One for each, in that order: the row of the view, or the same shape for what has none or has left."""
    known = {row["identifier"]: row for row in assembly.store.status_rows(identifiers)}
    gone = {str(id): entry for id, entry in left(assembly).items()}
    return [_row(assembly, name, known.get(name), gone.get(name)) for name in identifiers]


def left(assembly: Assembly) -> Mapping[TargetId, InventoryEntry]:
    """What was made here and is not configured here any more. Nothing has left a configuration that cannot be
    used, and a target that another now has the folder of was only renamed.
    """
    if assembly.loaded.config is None:
        return {}
    here = {*assembly.config.targets, *assembly.loaded.held}
    folders = {target.app_path for target in assembly.config.targets.values()}
    entries = (entry for entry in assembly.store.inventory() if entry.id not in here)
    return {entry.id: entry for entry in entries if entry.app_path not in folders}


def _row(assembly: Assembly, name: str, known: Row | None, gone: InventoryEntry | None) -> Row:
    if gone is not None:
        return _left(known or _never_seen(assembly, name), gone)
    if known is None:
        return _never_seen(assembly, name)
    problems = assembly.loaded.held.get(TargetId.parse(name))
    return known if problems is None else _broken(known, str(problems[0]))


def _broken(row: Row, problem: str) -> Row:
    """Of a target whose configuration has problems now, whoever looked at it last knew of them or not."""
    hold = _config_hold(problem)
    others = [each for each in row["held_by"] if each["code"] != hold["code"]]
    reason = {"code": hold["code"], "message": problem}
    return {**row, "sync": "held", "reason": reason, "to_go_on": hold["to_go_on"], "held_by": [hold, *others]}


def _config_hold(problem: str) -> dict[str, Any]:
    return {
        "code": ReasonCode.CONFIG_INVALID.value,
        "message": problem,
        "to_go_on": "fraisier validate",
        "until": None,
    }


def _left(row: Row, entry: InventoryEntry) -> Row:
    """Nobody looks at it any more: what was seen last is not what is."""
    return {
        **row,
        "type": entry.type,
        "desired": None,
        "running": None,
        "sync": "unknown",
        "health": "unknown",
        "reason": left_reason(entry),
        "to_go_on": PRUNE,
        "held_by": [],
        "drift": [],
    }


def left_reason(entry: InventoryEntry) -> dict[str, str]:
    message = f"left the configuration; {entry.unit} and {entry.app_path} are still here"
    return {"code": ReasonCode.LEFT_CONFIGURATION.value, "message": message}


def has_left(row: Row) -> bool:
    return bool(row["reason"]["code"] == ReasonCode.LEFT_CONFIGURATION.value)


def _never_seen(assembly: Assembly, identifier: str) -> Row:
    """No cycle has looked at it yet; people may have arranged something for it already."""
    from ..planning.standing import standing_at
    from ..store.documents import override_document, suspension_document

    id = TargetId.parse(identifier)
    problems = assembly.loaded.held.get(id)
    target = assembly.config.targets.get(id)
    recorded = assembly.store.recorded(id)
    standing = standing_at(recorded, assembly.host.clock.now())
    row: dict[str, Any] = {
        "identifier": identifier,
        "fraise": id.fraise,
        "environment": id.environment,
        "type": target.type if target else None,
        "ref": str(target.selection) if target else None,
        "desired": None,
        "attempted": recorded.attempted,
        "healthy": recorded.healthy[0].sha if recorded.healthy else None,
        "running": None,
        "sync": "unknown",
        "health": "unknown",
        "operation": "idle",
        "reason": {"code": "never_seen", "message": "not looked at yet"},
        "to_go_on": "fraisier apply, or start: fraisier daemon",
        "held_by": [],
        "drift": [],
        "suspended": suspension_document(standing.suspensions[0]) if standing.suspensions else None,
        "override": override_document(standing.override) if standing.override else None,
        "since": None,
        "last_converged_at": None,
        "updated_at": None,
    }
    return _broken(row, str(problems[0])) if problems else row


# --- the short ones of `list` ----------------------------------------------------------------


def listed(assembly: Assembly) -> list[dict[str, Any]]:
    """By identifier; targets of other servers too, and what has left."""
    config, here = assembly.config, [assembly.config.server.name]
    known = {row["identifier"]: row for row in assembly.store.status_rows()}
    rows = [
        _listed(str(target.id), here, _sync_of(known.get(str(target.id))), type=target.type)
        | {"selection": str(target.selection), "selects": target.selection.kind}
        for target in config.targets.values()
    ]
    rows += [_listed(str(id), here, "held") for id in assembly.loaded.held if id not in config.targets]
    gone = left(assembly)
    rows += [
        _listed(str(id), here, "unknown", type=entry.type) | {"reason": left_reason(entry), "to_go_on": PRUNE}
        for id, entry in gone.items()
    ]
    rows += [_listed(str(id), servers, "elsewhere") for id, servers in config.elsewhere.items() if id not in gone]
    return sorted(rows, key=lambda row: str(row["identifier"]))


def _sync_of(row: Row | None) -> str:
    return str(row["sync"]) if row is not None else "unknown"


def _listed(identifier: str, servers: Collection[str], sync: str, type: str = "") -> dict[str, Any]:
    return {
        "identifier": identifier,
        "type": type,
        "selection": None,
        "selects": None,
        "servers": list(servers),
        "sync": sync,
        "reason": None,
        "to_go_on": "",
    }
