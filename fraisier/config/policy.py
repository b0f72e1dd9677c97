"""When and whether to act on a target: `on_drift`, `repairs`, `deploy` and `verify`."""

from __future__ import annotations

from collections.abc import Mapping

from fraisier.model.config import DRIFT_FIELDS, DriftField, DriftPolicy, OnDrift, RepairBudget, Verification, Window
from fraisier.model.names import TargetId
from fraisier.model.selection import Selection, TagRange

from .values import parse_absolute_path, parse_positive, parse_relative_path
from .view import View
from .windows import Windows

_KEY_FILES = ("ssh_allowed_signers", "gpg_keys")


def read_on_drift(view: View) -> OnDrift:
    """One word for everything, or a map: what stands in it holds for its field, `default` for the others."""
    if not isinstance(view.value, dict):
        return OnDrift(view.value) if view.value is not None else OnDrift()
    said: Mapping[str, DriftPolicy] = view.value
    default = said.get("default", OnDrift().default)
    fields: dict[DriftField, DriftPolicy] = {
        name: policy for name in DRIFT_FIELDS if (policy := said.get(name, default)) != default
    }
    found = [item.plain(parse_relative_path) for item in view.at("except_files").items()]
    return OnDrift(default, fields, tuple(path for path in found if path is not None))


def read_repairs(view: View) -> RepairBudget:
    default = RepairBudget()
    if view.value is None:
        return default
    at_most = view.at("at_most").value
    within = view.at("within").duration(default.within, parse_positive)
    return RepairBudget(default.at_most if at_most is None else int(at_most), within)


def read_deploy_windows(view: View, windows: Windows) -> tuple[Window, ...]:
    return tuple(window for item in view.items() if (window := windows.named(item)) is not None)


def read_approval(view: View) -> bool:
    said: str | None = view.value
    return said == "required"


def read_verify(view: View) -> Verification | None:
    """None where nothing is asked for, or nothing usable, which is reported."""
    if view.value is None:
        return None
    if not any(view.is_written(key) for key in _KEY_FILES):
        view.key_problem("needs ssh_allowed_signers or gpg_keys", "name the file with the keys that may sign")
    ssh, gpg = (view.at(key).plain(parse_absolute_path) for key in _KEY_FILES)
    return Verification(view.at("signed").value or "head", ssh, gpg)


def check_verify(view: View, target: TargetId, verify: Verification | None, selection: Selection | None) -> None:
    """Reports what only this target and this machine make wrong, and holds this target alone for it."""
    if verify is None:
        return
    if verify.what != "head" and selection is not None and not isinstance(selection, TagRange):
        view.at("signed").problem(
            f"{target} follows a {selection.kind}, and so there is no tag to be signed",
            "write signed: head, or select what is deployed by tag",
            about=target,
        )
    if view.resolver.here:
        for key, path in zip(_KEY_FILES, (verify.ssh_allowed_signers, verify.gpg_keys), strict=True):
            _check_file(view.at(key), path, target)


def _check_file(view: View, path: str | None, target: TargetId) -> None:
    """Only whether it is there for us: what is in it is read, at any size, by what checks the signatures."""
    try:
        if path is not None:
            view.resolver.lookup.file(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        view.problem(f"the file of keys cannot be read: {error.strerror or 'not found'}", about=target)
    except (OSError, ValueError):
        return
