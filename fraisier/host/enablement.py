"""Which unit Fraisier has enabled for a target: `.fraisier/enabled`.

Whether a unit comes back after a reboot is Fraisier's business only where it wrote or installed the
unit: `install` enables those, and notes it here. A unit that is merely watched was enabled by its
administrator, or not, on purpose; it counts as enabled, and is never enabled by us.
"""

from __future__ import annotations

from ..model.errors import ConfigFault
from . import files
from .notes import NOTES, check_notes, make_notes


def note_enabled(app_path: str, unit: str) -> None:
    """Before it is enabled: what is cut off in between shows as disabled, and is done again. Raises `OSError`."""
    make_notes(app_path)
    if files.read_bytes(_path(app_path)) != unit.encode():
        files.write_durably(_path(app_path), unit.encode())


def forget_enabled(app_path: str) -> None:
    """Raises `ConfigFault`, `OSError`."""
    if check_notes(app_path) is not None:
        files.unlink_durably(_path(app_path))


def was_enabled(app_path: str, unit: str) -> bool:
    """Asked for units that are disabled only: all others cost nothing."""
    try:
        return check_notes(app_path) is not None and files.read_bytes(_path(app_path)) == unit.encode()
    except (ConfigFault, OSError):
        return False  # told by the layout, which reads the same notes


def _path(app_path: str) -> str:
    return f"{app_path}/{NOTES}/enabled"
