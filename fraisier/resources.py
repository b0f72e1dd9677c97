"""Files that travel with the package: `schemas/`, `state/` and `contrib/`, from a wheel or a checkout."""

from __future__ import annotations

from pathlib import Path


def resource(*parts: str) -> Path:
    """The path of a shipped file or folder, such as `resource("state", "sqlite")`."""
    package = Path(__file__).resolve().parent
    packed = package.joinpath("_data", *parts)
    return packed if packed.exists() else package.parent.joinpath(*parts)
