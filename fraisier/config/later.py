"""Words that the product has and this version does not know yet: refused, and by name, never ignored."""

from __future__ import annotations

from .problems import Path

_TOP = frozenset({"config", "notifications"})
_GIT = frozenset({"hooks", "base_url", "forgejo", "gogs", "bitbucket-server"})
_HOOK = frozenset({"base_url", "signing_token", "signing_tokens", "algorithms", "max_body"})
_DEFAULTS = frozenset({"hooks"})
_FRAISE = frozenset({"database", "notifications", "hooks"})
_ENVIRONMENT = frozenset({
    "database", "notifications", "hooks",
    "script", "on", "command", "cron", "on_calendar", "every", "timezone", "engine", "retries", "overlap",
    "catch_up", "freshness", "mutex", "source", "compression", "encrypt_to", "destinations", "keep",
})  # fmt: skip

LATER_TYPES = frozenset({"etl", "scheduled", "backup"})


_BY_SHAPE: tuple[tuple[Path, frozenset[str]], ...] = (
    ((), _TOP),
    (("git",), _GIT),
    (("git", "*"), _HOOK),
    (("defaults",), _DEFAULTS),
    (("fraises", "*"), _FRAISE),
    (("fraises", "*", "environments", "*"), _ENVIRONMENT),
)


def is_later(path: Path) -> bool:
    """Whether the unknown key at `path` is one of a later version."""
    around, key = path[:-1], path[-1]
    return any(key in words for shape, words in _BY_SHAPE if _fits(around, shape))


def _fits(path: Path, shape: Path) -> bool:
    return len(path) == len(shape) and all(part in {"*", key} for key, part in zip(path, shape, strict=True))
