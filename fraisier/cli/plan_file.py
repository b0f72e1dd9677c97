"""Where `fraisier plan --out` writes."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress

from ..model.errors import Refused
from ..model.plan import Plan
from ..planning.saved import saved_text


def check_place(path: str) -> None:
    """Raises `Refused` when there is something at `path` that is no plan, whoever made it, or no folder for it."""
    if os.path.lexists(path) and not _is_plan(path):
        raise Refused(f"{path} is there and is no plan", code="not_a_plan", hint="name another file, or move it away")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise Refused(f"{folder} is no folder", code="no_folder", hint="make it, or name another file")


def save_plan(path: str, plan: Plan) -> None:
    """Whole or not at all, mode 0600: it says what runs where. Raises `Refused` as `check_place`, and where
    nothing can be written.
    """
    check_place(path)
    try:
        _write(path, saved_text(plan))
    except OSError as error:
        raise Refused(
            f"{path} cannot be written: {error.strerror}", code="cannot_write", hint="name a file elsewhere"
        ) from error


def _write(path: str, text: str) -> None:
    descriptor, draft = tempfile.mkstemp(prefix=".fraisier-plan-", dir=os.path.dirname(os.path.abspath(path)))
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise


def _is_plan(path: str) -> bool:
    """Also one of another version, or one that was edited: a fresh one may take its place."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and {"format_version", "plan_hash", "actions"} <= document.keys()
