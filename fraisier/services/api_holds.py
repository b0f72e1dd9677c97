"""What keeps an `api` target from its head: quarantine, a rewind, a branch that is not there."""

from __future__ import annotations

from ..model.config import ApiTarget
from ..model.names import short
from ..model.plan import Hold, Reason, ReasonCode
from ..model.selection import TagRange
from ..model.state import (
    Head,
    NoRevision,
    Quarantine,
    Signature,
)
from ..planning.standing import lineage_base
from .api_look import ApiLook, matching_quarantine


def hold_of(look: ApiLook, head: Head) -> Hold | None:
    entry = matching_quarantine(look.recorded.quarantines, head.sha, look.target.config_digest)
    if entry is not None:
        return _quarantined(look.target, head, entry)
    if look.desired.lineage == "rewind" and head.sha not in look.recorded.rewinds:
        return _rewound(look, head)
    signature = look.desired.signature
    if signature is not None and signature.is_good is False:
        return _unsigned(look.target, head, signature)
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
    past = f"push a new commit to {head.ref}" if head.ref else f"fraisier unpin {target.id}"
    return Hold(
        ReasonCode.QUARANTINED,
        f"{short(head.sha)} is in quarantine since {since}: {cause}",
        f"{past}, or: fraisier retry {target.id}",
    )


def _rewound(look: ApiLook, head: Head) -> Hold:
    proven = lineage_base(look.recorded)
    base = short(proven.sha) if proven is not None else "the deployed revision"
    message = f"{head.ref} was rewound: {short(head.sha)} does not descend from {base}"
    if isinstance(look.desired.selection, TagRange) and proven is not None:
        message = f"tag {head.ref} at {short(head.sha)} is not newer than {proven.ref} at {base}, which is deployed"
    return Hold(ReasonCode.REWIND, message, f"fraisier deploy {look.target.id} --allow-rewind {head.sha}")


def _unsigned(target: ApiTarget, head: Head, signature: Signature) -> Hold:
    files = (
        [path for path in (target.verify.ssh_allowed_signers, target.verify.gpg_keys) if path] if target.verify else []
    )
    return Hold(
        ReasonCode.SIGNATURE,
        f"{short(head.sha)} is not signed as it has to be: {signature.message}",
        f"push a signed revision, or let {' or '.join(files)} know the signer's key",
    )


def no_revision(target: ApiTarget, missing: NoRevision) -> Hold:
    selection = missing.selection
    if isinstance(selection, TagRange):
        return Hold(
            ReasonCode.TAG_MISSING,
            f"{target.remote} has no tag in the range {selection}",
            f"push a tag, or change `tag` of {target.id} ({target.declared_at})",
        )
    return Hold(
        ReasonCode.BRANCH_MISSING,
        f"{target.remote} has no branch {selection}",
        f"push {selection}, or change `branch` of {target.id} ({target.declared_at})",
    )


def reported(target: ApiTarget, found: tuple[Reason, ...]) -> tuple[Hold, ...]:
    """Drift that is only told of: how people make it good, or stop being told."""
    fields = sorted({reason.drift.field for reason in found if reason.drift is not None})
    to_go_on = f"fraisier deploy {target.id} --force, or change on_drift ({target.declared_at})"
    words = f"on_drift says report ({', '.join(fields)})"
    return (Hold(ReasonCode.DRIFT_REPORTED, words, to_go_on),) if found else ()


def staleness(head: Head) -> Reason | None:
    return None if head.stale is None else Reason(ReasonCode.STALE, head.stale.message)
