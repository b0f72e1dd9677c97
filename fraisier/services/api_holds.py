"""What keeps an `api` target from its head: quarantine, a rewind, a branch that is not there."""

from __future__ import annotations

from ..model.config import ApiTarget
from ..model.names import short
from ..model.plan import Hold, Reason, ReasonCode
from ..model.state import (
    Head,
    NoBranch,
    Quarantine,
)
from .api_look import ApiLook, matching_quarantine


def hold_of(look: ApiLook, head: Head) -> Hold | None:
    entry = matching_quarantine(look.recorded.quarantines, head.sha, look.target.config_digest)
    if entry is not None:
        return _quarantined(look.target, head, entry)
    if look.desired.lineage == "rewind" and head.sha not in look.recorded.rewinds:
        return _rewound(look, head)
    return None


def _quarantined(target: ApiTarget, head: Head, entry: Quarantine) -> Hold:
    since = entry.at.strftime("%Y-%m-%d %H:%M:%S UTC")
    cause = entry.message.splitlines()[0] if entry.message else "it failed"
    if entry.sha is None:
        return Hold(
            ReasonCode.QUARANTINED,
            f"the configuration failed at {since}: {cause}",
            f"change {target.id} in the configuration ({target.declared_at}), or: fraisier retry {target.id}",
        )
    return Hold(
        ReasonCode.QUARANTINED,
        f"{short(head.sha)} is in quarantine since {since}: {cause}",
        f"push a new commit to {head.ref}, or: fraisier retry {target.id}",
    )


def _rewound(look: ApiLook, head: Head) -> Hold:
    base = short(look.recorded.healthy[0].sha) if look.recorded.healthy else "the deployed revision"
    return Hold(
        ReasonCode.REWIND,
        f"{head.ref} was rewound: {short(head.sha)} does not descend from {base}",
        f"fraisier deploy {look.target.id} --allow-rewind {head.sha}",
    )


def no_branch(target: ApiTarget, head: NoBranch) -> Hold:
    return Hold(
        ReasonCode.BRANCH_MISSING,
        f"{target.remote} has no branch {head.ref}",
        f"push {head.ref}, or change `branch` of {target.id} ({target.declared_at})",
    )


def staleness(head: Head) -> Reason | None:
    return None if head.stale is None else Reason(ReasonCode.STALE, head.stale.message)
