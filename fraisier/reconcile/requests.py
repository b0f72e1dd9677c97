"""What people ask for: checked, turned into standing facts, answered. Applying one twice equals once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ..config.problems import Wrong
from ..config.values import parse_branch
from ..model.config import Config
from ..model.errors import Refused
from ..model.names import SHA, TargetId, short
from ..model.plan import Action
from ..model.records import Request, RequestKind, RequestState, Store
from ..model.selection import Branch, Exact, Selection, TagRange
from ..model.state import Approval, Emergency, Override, Quarantine, Recorded, Suspension
from ..model.versions import check_range
from .cycle import Cycled, Removed


@dataclass(frozen=True, slots=True)
class Asked:
    """One request about to be applied."""

    store: Store
    config: Config
    request: Request
    at: datetime

    @property
    def by(self) -> str:
        return self.request.requested_by

    @property
    def payload(self) -> Mapping[str, Any]:
        return self.request.payload

    @property
    def target(self) -> TargetId:
        """Raises `Refused` for a scope wider than one target, and for a target that is not configured (any more)."""
        target = self.request.scope.target
        if target is None or target not in self.config.targets:
            raise Refused(
                f"{self.request.scope} is not configured on this server",
                code="unknown_target",
                hint="see: fraisier list",
            )
        return target


def _deploy(asked: Asked) -> None:
    target, payload = asked.target, asked.payload
    if payload.get("allow_rewind"):
        asked.store.accept_rewind(target, str(payload["allow_rewind"]), asked.by, asked.at)
    if payload.get("force"):
        asked.store.force(target, asked.by, asked.at)
    if payload.get("emergency"):
        reason, sha = str(payload["emergency"]), _sha(payload.get("sha"))
        asked.store.allow_emergency(target, Emergency(sha, reason, asked.by, asked.at))


def _retry(asked: Asked) -> None:
    asked.store.lift(asked.target, asked.by, asked.at)


def _rollback(asked: Asked) -> None:
    """Quarantines, in the person's name, everything newer than the revision to return to."""
    target = asked.config.targets[asked.target]
    for sha in list(asked.payload["leave"]):
        message = f"rolled back by {asked.by} to {short(str(asked.payload['to']))}"
        asked.store.quarantine(target.id, Quarantine(str(sha), target.config_digest, "person", message, asked.at))


def _suspend(asked: Asked) -> None:
    payload, scope = asked.payload, asked.request.scope
    _insist_on_a_target(asked)
    until = _moment(payload.get("until"))
    reason, stop = str(payload.get("reason") or ""), bool(payload.get("stop"))
    asked.store.suspend(Suspension(scope, reason, asked.by, asked.at, until, stop))


def _resume(asked: Asked) -> None:
    if not asked.store.resume(asked.request.scope, asked.by, asked.at):
        raise Refused(
            f"{asked.request.scope} is not suspended", code="not_suspended", hint="see what is: fraisier status"
        )


def _pin(asked: Asked) -> None:
    payload = asked.payload
    kind: Literal["pin", "try"] = "try" if payload.get("try") else "pin"
    reason, until = str(payload.get("reason") or ""), _moment(payload.get("until"))
    chosen = selection_from(str(payload["kind"]), str(payload["value"]))
    asked.store.override(asked.target, Override(kind, chosen, asked.by, asked.at, reason, until))


def _unpin(asked: Asked) -> None:
    if not asked.store.end_override(asked.target, asked.by, asked.at):
        raise Refused(
            f"{asked.request.scope} is neither pinned nor tried", code="not_pinned", hint="see: fraisier status"
        )


def _approve(asked: Asked) -> None:
    asked.store.approve(asked.target, Approval(str(asked.payload["hash"]), asked.by, asked.at))


def _remove(asked: Asked) -> None:
    """Only what has left the configuration; the rest is the cycle's."""
    scope = asked.request.scope
    if scope.target is None or scope.target in asked.config.targets:
        raise Refused(f"{scope} has not left the configuration", code="not_left", hint="see: fraisier plan --prune")


def _cancel(asked: Asked) -> None:
    """Done by whoever runs the attempt."""
    del asked


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of request is applied, and whether a cycle has to end before it is answered."""

    apply: Callable[[Asked], None]
    at_once: Callable[[Request], bool] = lambda request: request.scope.target is None


_KINDS: Mapping[RequestKind, Kind] = {
    "deploy": Kind(_deploy),
    "retry": Kind(_retry),
    "rollback": Kind(_rollback),
    "suspend": Kind(_suspend, lambda request: request.scope.target is None or not request.payload.get("stop")),
    "resume": Kind(_resume),
    "pin": Kind(_pin),
    "unpin": Kind(_unpin),
    "approve": Kind(_approve),
    "cancel": Kind(_cancel, lambda _: True),
    "remove": Kind(_remove),
}


_ENDED = frozenset({"not_suspended", "not_pinned"})
"""Codes of what cannot be ended because it has ended."""


def apply_request(store: Store, config: Config, request: Request, at: datetime, *, again: bool = False) -> None:
    """Makes the standing facts true that the request stands for; the cycle that follows acts on them.

    Raises `Refused`, having changed nothing, for what cannot be done as asked, and for a row that is no
    request. `again`: it was taken before by somebody who ended before the answer.
    """
    try:
        _KINDS[request.kind].apply(Asked(store, config, request, at))
    except Refused as error:
        if not (again and error.code in _ENDED):
            raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Refused(
            f"the request cannot be understood: {type(error).__name__}: {error}",
            code="bad_request",
            hint="ask by the command of this version",
        ) from error


def is_answered_at_once(request: Request) -> bool:
    """Whether what was asked for is done when it is recorded; else a cycle answers it."""
    return _KINDS[request.kind].at_once(request)


def answer_at_once(request: Request) -> str:
    """What the person is told then."""
    if request.kind == "resume":
        return "resumed"
    until = _moment(request.payload.get("until"))
    ends = f" until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if until is not None else ""
    return f"suspended{ends}: nothing is begun or repaired, what is being done now finishes"


def selection_from(kind: str, value: str) -> Selection:
    """Of the payload of a request. Raises `Refused` for a kind that is none."""
    makers: Mapping[str, Callable[[str], Selection]] = {"branch": _branch, "tag": _tag, "revision": _exact}
    if kind not in makers:
        raise Refused(f"{kind!r} selects nothing", code="bad_request", hint="branch, tag or revision")
    return makers[kind](value)


def _branch(name: str) -> Selection:
    try:
        return Branch(parse_branch(name))
    except Wrong as wrong:
        raise Refused(f"{name!r} {wrong.message}", code="bad_request", hint=wrong.hint) from wrong


def _tag(text: str) -> Selection:
    try:
        check_range(text)
    except ValueError as error:
        raise Refused(str(error), code="bad_request", hint="name a tag that is a version") from error
    return TagRange(text)


def _exact(sha: str) -> Selection:
    return Exact(_sha(sha))


def _sha(text: object) -> str:
    if not isinstance(text, str) or not SHA.fullmatch(text):
        raise Refused(f"{text!r} is not the full SHA of a commit", code="bad_request", hint="name a commit in full")
    return text


def _insist_on_a_target(asked: Asked) -> None:
    if not any(asked.request.scope.covers(target) for target in asked.config.targets):
        raise Refused(
            f"{asked.request.scope} is not configured on this server", code="unknown_target", hint="see: fraisier list"
        )


def _moment(text: object) -> datetime | None:
    """Raises `Refused` for what is no moment with a zone."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - refused on the next line for having no zone
    if moment.tzinfo is None:
        raise Refused(f"{text!r} is no moment in time", code="bad_request", hint="2026-11-27T18:00:00+01:00")
    return moment


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


def answer_of(cycled: Cycled | Removed, kind: RequestKind) -> tuple[RequestState, str]:
    """What the person is told when the cycle that their request of this kind asked for has ended."""
    if isinstance(cycled, Cycled) and cycled.moved:
        return "refused", f"the plan is stale: {'; '.join(cycled.moved)}\nmake another one: fraisier plan --out FILE"
    if cycled.outcome == "converged":
        return "done", _done(cycled)
    if cycled.outcome is not None:
        return "failed", cycled.message
    return _nothing_done(cycled.seen.action if isinstance(cycled, Cycled) else cycled.action, kind)


def _nothing_done(action: Action, kind: RequestKind) -> tuple[RequestState, str]:
    holds = action.held_by or (action.notes if action.sync == "held" and kind != "suspend" else ())  # or it is stopped
    if holds:
        return "held", f"{holds[0].message}\nto go on: {holds[0].to_go_on}"
    if action.incomplete:
        return "failed", action.incomplete[0].message
    return "done", "already in sync" if action.sync == "in_sync" else action.reasons[0].message


def _done(cycled: Cycled | Removed) -> str:
    if isinstance(cycled, Removed):
        return "removed; shared/ and data are left"
    return f"{short(cycled.proven)} runs and is healthy" if cycled.proven else "stopped"
