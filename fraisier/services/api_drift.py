"""How the machine of an `api` target differs although nothing new is desired, and what is done about it.

Each way of drifting is a field with a policy (`on_drift`). What is not to be repaired is taken out of
the look before steps are planned, so that the planner sees only what it is to act on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ..model.config import DriftField, OnDrift
from ..model.names import short
from ..model.plan import Drift, Goal, Reason, ReasonCode
from ..model.state import Difference, Inspection, Layout, Observed, ReleaseMark, Unknown
from .api_look import ApiLook, has_code, inspected

_CODES: dict[DriftField, ReasonCode] = {
    "release": ReasonCode.DRIFT_RELEASE,
    "files": ReasonCode.DRIFT_FILES,
    "link": ReasonCode.DRIFT_LINK,
    "service": ReasonCode.DRIFT_SERVICE,
    "enabled": ReasonCode.DRIFT_ENABLED,
    "unit": ReasonCode.DRIFT_UNIT,
    "shared": ReasonCode.DRIFT_SHARED,
}
_SHOWN = 3
"""Files that are named before the rest are counted."""


@dataclass(frozen=True, slots=True)
class Drifts:
    """Everything that differs, by what is done about it."""

    repaired: tuple[Reason, ...] = ()
    reported: tuple[Reason, ...] = ()
    left_alone: tuple[Drift, ...] = ()
    """Everything that is not to be repaired."""
    is_beyond_repair: bool = False
    """Without its release nothing of a target can be repaired, and this one is not to be made again."""


_NONE = Drifts()


def drifts(look: ApiLook, goal: Goal) -> Drifts:
    """What the machine has otherwise than the goal was proven healthy with; causes before their effects."""
    policy = look.target.on_drift
    found = [(each, policy.of(each.field)) for each in _found(look, goal)]
    if not found:
        return _NONE  # the usual case
    left_alone = tuple(drift for drift, how in found if how != "repair")
    beyond = any(drift.field == "release" for drift in left_alone)
    if beyond and any(how == "repair" for _, how in found):
        found = [(each, "report" if how == "repair" or each.field == "release" else how) for each, how in found]
    by_policy = {
        wanted: tuple(_reason(look, drift) for drift, how in found if how == wanted) for wanted in ("repair", "report")
    }
    return Drifts(by_policy["repair"], by_policy["report"], left_alone, beyond)


def without_excluded_files(observed: Observed, on_drift: OnDrift) -> Observed:
    """As if files whose changes are nobody's business had not changed."""
    inspection = observed.inspection
    if not isinstance(inspection, Inspection) or not inspection.files or not on_drift.except_files:
        return observed
    files = tuple(each for each in inspection.files if not _is_excluded(each, on_drift.except_files))
    return replace(observed, inspection=replace(inspection, files=files))


def spoilt_release(inspection: Inspection | Unknown | None, on_drift: OnDrift, *, forced: bool) -> str | None:
    """The release whose changed files are to be repaired, which is done by making it anew. What is only
    reported is so when a person forces it.
    """
    if not isinstance(inspection, Inspection) or not inspection.files:
        return None
    policy = on_drift.of("files")
    return inspection.release if policy == "repair" or (policy == "report" and forced) else None


def masked(look: ApiLook, goal: Goal, found: Drifts) -> ApiLook:
    """The look as if everything that is not to be repaired were as it was left."""
    for drift in found.left_alone:
        look = _MASKS[drift.field](look, goal)
    return look


def _found(look: ApiLook, goal: Goal) -> Iterator[Drift]:
    layout, observed = look.layout, look.observed
    inspection = inspected(look)
    if inspection is not None and inspection.files:
        yield Drift("files", f"the files of {short(inspection.release)}", _listed(inspection.files))
    if look.spoilt is not None and look.spoilt == layout.current and has_code(layout, layout.current, goal):
        pass  # made anew under another name, which moves the link
    elif goal.release not in layout.releases:
        yield Drift("release", f"the release of {short(goal.sha)}", "missing")
    elif layout.current != goal.release:
        found = short(layout.current) if layout.current else "no link to a release"
        yield Drift("link", f"current -> {short(goal.release)}", found)
    if look.service.run not in ("running", "starting") and layout.stamp is not None:  # else we stopped it ourselves
        why = f" ({look.service.message})" if look.service.message else ""
        yield Drift("service", "running", f"{look.service.run}{why}")
    if not look.service.enabled:
        yield Drift("enabled", "enabled", "disabled")
    if observed.units:
        yield Drift("unit", f"{look.target.service.unit} as Fraisier keeps it", _listed(observed.units))
    if inspection is not None and inspection.shared:
        yield Drift("shared", "links into shared/", _listed(inspection.shared))


def _reason(look: ApiLook, drift: Drift) -> Reason:
    subject = f"{look.target.service.unit}: " if drift.field in ("service", "enabled") else ""
    return Reason(_CODES[drift.field], f"drift: {subject}{drift}", drift)


def _listed(differences: Iterable[Difference]) -> str:
    named = [str(each) for each in differences]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return ", ".join(named[:_SHOWN]) + more


def _is_excluded(difference: Difference, globs: Iterable[str]) -> bool:
    """`*` does not stop at a slash, and a folder stands for all that is in it."""
    return any(fnmatchcase(difference.path, glob) or difference.path.startswith(f"{glob}/") for glob in globs)


# --- as if it were as it was left ------------------------------------------------------------


def _with_layout(look: ApiLook, layout: Layout) -> ApiLook:
    return replace(look, layout=layout)


def _with_release(look: ApiLook, goal: Goal) -> ApiLook:
    stamp = next(iter(look.layout.releases.values()), None)
    sealed_at = stamp.sealed_at if stamp is not None else look.recorded.healthy[0].at
    mark = ReleaseMark(goal.sha, goal.build_digest, sealed_at)
    return _with_layout(look, replace(look.layout, releases={**look.layout.releases, goal.release: mark}))


def _with_link(look: ApiLook, goal: Goal) -> ApiLook:
    return _with_layout(look, replace(look.layout, current=goal.release))


def _running(look: ApiLook, _: Goal) -> ApiLook:
    return replace(look, service=replace(look.service, run="running"))


def _enabled(look: ApiLook, _: Goal) -> ApiLook:
    return replace(look, service=replace(look.service, enabled=True))


def _with_units(look: ApiLook, _: Goal) -> ApiLook:
    return replace(look, observed=replace(look.observed, units=()))


def _with_files(look: ApiLook, _: Goal) -> ApiLook:
    found = inspected(look)
    return look if found is None else _with_inspection(look, replace(found, files=()))


def _with_shared(look: ApiLook, _: Goal) -> ApiLook:
    found = inspected(look)
    return look if found is None else _with_inspection(look, replace(found, shared=()))


def _with_inspection(look: ApiLook, inspection: Inspection) -> ApiLook:
    return replace(look, observed=replace(look.observed, inspection=inspection))


_MASKS = {
    "release": _with_release,
    "link": _with_link,
    "service": _running,
    "enabled": _enabled,
    "unit": _with_units,
    "files": _with_files,
    "shared": _with_shared,
}
