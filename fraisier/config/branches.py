"""`branch_mapping`: which target follows which branch, checked against what the environments say themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from fraisier.model.names import TargetId

from .problems import Mark, Wrong
from .selections import SELECTORS
from .sentences import closest
from .values import parse_branch
from .view import View


@dataclass(frozen=True, slots=True)
class Mapped:
    """One line of the mapping."""

    branch: str
    target: TargetId
    view: View

    @property
    def mark(self) -> Mark:
        return self.view.mark


def read_mapping(root: View, targets: Collection[TargetId]) -> dict[TargetId, str]:
    """The branch of each target that the mapping names."""
    first: dict[TargetId, Mapped] = {}
    for mapped in _lines(root.at("branch_mapping")):
        if mapped.target not in targets:
            mapped.view.problem(*_unknown(mapped.target, targets))
        elif (earlier := first.get(mapped.target)) is None:
            first[mapped.target] = mapped
            _check_branch(root, mapped)
        elif earlier.branch != mapped.branch:
            _contradiction(mapped, f"branch {earlier.branch} at {earlier.mark}")
    return {target: mapped.branch for target, mapped in first.items()}


def _lines(mapping: View) -> Iterator[Mapped]:
    for branch, entry in mapping.entries():
        if not _is_branch(branch, entry):
            continue
        for view in entry.items() if isinstance(entry.value, list) else [entry]:
            if view.has("fraise") and view.has("environment"):
                yield Mapped(branch, TargetId(view.value["fraise"], view.value["environment"]), view)


def _is_branch(branch: str, entry: View) -> bool:
    try:
        parse_branch(branch)
    except Wrong as wrong:
        entry.key_problem(wrong.message, wrong.hint)
        return False
    return True


def _check_branch(root: View, mapped: Mapped) -> None:
    """An environment's own `branch`, if it can be read, must be the same, and it may select nothing else."""
    environment = root.at("fraises").at(mapped.target.fraise).at("environments").at(mapped.target.environment)
    for other in SELECTORS:
        if other != "branch" and environment.is_written(other):
            _contradiction(mapped, f"the environment's own {other} at {environment.at(other).mark}")
    own = environment.at("branch")
    try:
        said = None if own.value is None else own.resolver.plain(own.value)
    except Wrong:
        return  # reported where the environment is read
    if said is not None and said != mapped.branch:
        _contradiction(mapped, f"the environment's own branch at {own.mark}")


def _contradiction(mapped: Mapped, other: str) -> None:
    view = mapped.view
    message = f"{mapped.target} is mapped to {mapped.branch} here, which contradicts {other}"
    view.report.add(mapped.mark, view.path, message, "keep one of them", about=mapped.target)


def _unknown(target: TargetId, targets: Collection[TargetId]) -> tuple[str, str]:
    return f"there is no target {target}", closest(str(target), (str(known) for known in targets))
