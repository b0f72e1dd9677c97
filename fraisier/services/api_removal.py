"""Taking away what was made for an `api` target that left the configuration."""

from __future__ import annotations

from ..model.plan import Action, Reason, ReasonCode, Step
from ..model.ports import Host
from ..model.state import InventoryEntry, Layout
from ..steps.remove import RemoveApp, Retire


def removal(entry: InventoryEntry, host: Host, *, keeps_unit: bool) -> Action:
    """Goes by the inventory alone (law 14): the service, its units, the releases; never `shared/`, never data.

    `keeps_unit`: a target that is configured has the unit now.
    """
    layout = host.releases.layout(entry.app_path)
    mark = layout.releases.get(layout.current) if isinstance(layout, Layout) and layout.current else None
    steps: list[Step] = [] if keeps_unit else [Retire(str(entry.id), entry.app_path, entry.unit, entry.runtime_digest)]
    steps.append(RemoveApp(entry.app_path))
    reason = Reason(ReasonCode.LEFT_CONFIGURATION, f"{entry.id} is not in the configuration any more")
    return Action(
        entry.id,
        "remove",
        "pending",
        (reason,),
        tuple(steps),
        from_revision=mark.sha if mark is not None else None,
        on_failure="tried again when it is asked for again",
    )
