"""`server` and `git`: the machine itself, and how remotes are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from fraisier.model.config import Git, Provider, Server
from fraisier.model.secret import Secret, reveal

from .problems import Wrong
from .values import parse_absolute_path, parse_listen, parse_positive
from .view import View


def read_server(view: View) -> Server:
    """Defaults where nothing is said; whatever is wrong is reported."""
    lookup, default = view.resolver.lookup, Server("")
    workers, crashes = view.at("workers").value, view.at("crash_limit").value
    return Server(
        name=view.at("name").plain(_parse_server_name) or lookup.hostname(),
        listen=view.at("listen").plain(parse_listen) or default.listen,
        state=view.at("state").plain(parse_absolute_path),
        service_manager=view.at("service_manager").value or lookup.service_manager(),
        workers=default.workers if workers is None else int(workers),
        crash_limit=default.crash_limit if crashes is None else int(crashes),
    )


def _parse_server_name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise Wrong("must be a name")
    return text


def read_git(view: View) -> Git:
    """Defaults where nothing is said; whatever is wrong is reported."""
    default = Git()
    return Git(
        provider=view.at("provider").value,
        poll=view.at("poll").duration(default.poll, parse_positive),
        timeout=view.at("timeout").duration(default.timeout, parse_positive),
        webhook_secrets=dict(_read_hooks(view)),
        ssh_known_hosts=view.at("ssh_known_hosts").plain(parse_absolute_path),
        ssh_key=view.at("ssh_key").plain(parse_absolute_path),
    )


def _read_hooks(view: View) -> Iterator[tuple[Provider, tuple[Secret, ...]]]:
    provider: Provider
    for provider in get_args(Provider):
        secret = view.at(provider).at("webhook_secret")
        views = list(secret.items()) if isinstance(secret.value, list) else [secret]
        found = tuple(value for each in views if (value := _read_secret(each)) is not None)
        if found:
            yield provider, found


def _read_secret(view: View) -> Secret | None:
    """A literal in the file is kept as secret as one from elsewhere."""
    value = view.text()
    if value is None:
        return None
    if not (plain := reveal(value)).strip():
        view.problem("the webhook secret is empty", "anyone could sign with it; set one of at least 16 characters")
        return None
    return Secret(plain)
