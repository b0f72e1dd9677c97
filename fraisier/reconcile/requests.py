"""What people ask for: checked, turned into standing facts, answered. Applying one twice equals once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from ..model.config import Config
from ..model.errors import Refused
from ..model.names import short
from ..model.records import Request, RequestState, Store
from ..model.state import Quarantine, Recorded
from .cycle import Cycled

Apply = Callable[[Store, Config, Request, datetime], None]


def _deploy(store: Store, config: Config, request: Request, at: datetime) -> None:
    del config
    rewind = request.payload.get("allow_rewind")
    if rewind:
        store.accept_rewind(request.target, str(rewind), request.requested_by, at)
    if request.payload.get("force"):
        store.force(request.target, request.requested_by, at)


def _retry(store: Store, config: Config, request: Request, at: datetime) -> None:
    del config
    store.lift(request.target, request.requested_by, at)


def _rollback(store: Store, config: Config, request: Request, at: datetime) -> None:
    """Quarantines, in the person's name, everything newer than the revision to return to."""
    target = config.targets[request.target]
    for sha in request.payload["leave"]:
        message = f"rolled back by {request.requested_by} to {short(str(request.payload['to']))}"
        store.quarantine(request.target, Quarantine(str(sha), target.config_digest, "person", message, at))


_APPLY: Mapping[str, Apply] = {"deploy": _deploy, "retry": _retry, "rollback": _rollback}


def apply_request(store: Store, config: Config, request: Request, at: datetime) -> None:
    """Makes the standing facts true that the request stands for; the cycle that follows acts on them.

    Raises `Refused` for a target that is not configured (any more).
    """
    if request.target not in config.targets:
        raise Refused(
            f"{request.target} is not configured on this server", code="unknown_target", hint="see: fraisier list"
        )
    _APPLY[request.kind](store, config, request, at)


def rollback_payload(recorded: Recorded, present: str | None, to: str | None) -> Mapping[str, object]:
    """Which revisions to leave, and which to return to.

    `present` is the head that is desired now, `to` a SHA or the beginning of one; None means the
    newest proven revision before the present one. Raises `Refused` when there is none.
    """
    proven = list(dict.fromkeys(revision.sha for revision in recorded.healthy))
    barred = {entry.sha for entry in recorded.quarantines} | {present}
    candidates = [sha for sha in proven[1:] if sha not in barred]  # the newest proven one is what runs
    matching = [sha for sha in candidates if to is None or sha.startswith(to)]
    if not matching:
        known = ", ".join(short(sha) for sha in candidates) or "none"
        what = "no earlier revision was proven healthy" if to is None else f"{to} is no earlier revision proven healthy"
        raise Refused(
            f"cannot roll back: {what} (there are: {known})",
            code="nothing_to_return_to",
            hint="fraisier history shows what ran",
        )
    chosen = matching[0]
    newer = proven[: proven.index(chosen)]
    leave = list(dict.fromkeys([*newer, *([present] if present else [])]))
    return {"to": chosen, "leave": leave}


def answer_of(cycled: Cycled) -> tuple[RequestState, str]:
    """What the person is told when the cycle they asked for has ended."""
    if cycled.outcome == "converged":
        return "done", f"{short(cycled.proven)} runs and is healthy" if cycled.proven else "stopped"
    if cycled.outcome is not None:
        return "failed", cycled.message
    action = cycled.seen.action
    if action.held_by:
        return "held", f"{action.held_by[0].message}\nto go on: {action.held_by[0].to_go_on}"
    if action.incomplete:
        return "failed", action.incomplete[0].message
    return "done", "already in sync"
