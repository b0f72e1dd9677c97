"""Naming targets that are not there any more: what happened to them can still be seen."""

from __future__ import annotations

from collections.abc import Collection

from ..daemon.assembly import Assembly
from ..model.errors import Refused
from ..model.names import TargetId
from .selection import select


def named_now_or_ever(
    assembly: Assembly, known: Collection[TargetId], fraise: str | None, environment: str | None
) -> list[str] | None:
    """The identifiers meant, among the targets of today, else among all that ever were; None when none is named.

    Raises `Refused` when a name fits nothing or too much.
    """
    if fraise is None:
        return None
    try:
        return [str(id) for id in select(known, fraise, environment)]
    except Refused as error:
        if error.code != "unknown_target":
            raise
    ever = {TargetId.parse(row["identifier"]) for row in assembly.store.stats_rows(window="all")}
    return [str(id) for id in select({*known, *ever}, fraise, environment)]
