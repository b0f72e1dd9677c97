"""Where things are under `app_path`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .notes import NOTES

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")

SETTLED_NS = 50_000_000
"""A time stamp tells two changes apart only when the kernel's clock has ticked between them (up to
10 ms), so what changed within the last 50 ms is read again at the next look."""


def checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a release or a digest")
    return name


@dataclass(frozen=True, slots=True)
class Paths:
    app: str

    @property
    def releases(self) -> str:
        return f"{self.app}/releases"

    @property
    def current(self) -> str:
        return f"{self.app}/current"

    @property
    def shared(self) -> str:
        return f"{self.app}/shared"

    @property
    def notes(self) -> str:
        return f"{self.app}/{NOTES}"

    @property
    def seals(self) -> str:
        return f"{self.app}/{NOTES}/seals"

    @property
    def stamp(self) -> str:
        return f"{self.app}/{NOTES}/stamp.json"

    @property
    def runtimes(self) -> str:
        return f"{self.app}/{NOTES}/runtime"

    @property
    def files(self) -> str:
        return f"{self.app}/{NOTES}/files"

    def release(self, name: str) -> str:
        return f"{self.releases}/{checked(name)}"

    def seal(self, name: str) -> str:
        return f"{self.seals}/{checked(name)}.json"

    def files_of(self, name: str) -> str:
        return f"{self.files}/{checked(name)}.json"

    def runtime(self, digest: str) -> str:
        return f"{self.runtimes}/{checked(digest)}.json"
