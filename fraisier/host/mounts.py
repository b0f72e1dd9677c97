"""File systems that somebody mounted below a folder: what is in them is never ours to remove."""

from __future__ import annotations

import os
import re

_ESCAPED = re.compile(r"\\([0-7]{3})")


def mounted_below(path: str) -> str | None:
    """The first place below `path`, or `path` itself, where a file system is mounted; bind mounts too, which
    share the device of what they show. See proc_pid_mountinfo(5).
    """
    real = os.path.realpath(path)
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            places = [_ESCAPED.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in file]
    except OSError:
        return None
    return next((place for place in places if place == real or place.startswith(f"{real}/")), None)
