"""`health_check` of one environment."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from fraisier.model.config import CommandProbe, HealthCheck, HttpProbe, ManagerProbe, Probe, TcpProbe
from fraisier.model.secret import Text, reveal

from .problems import Wrong
from .references import has_reference
from .values import parse_duration, parse_positive, parse_status, parse_tcp
from .view import View

_PROBES = ("url", "tcp", "command")


def read_health(view: View) -> HealthCheck:
    """Defaults where nothing is said; whatever is wrong is reported and the target is held for it."""
    _check_probes(view)
    default = HealthCheck()
    return HealthCheck(
        probe=_read_probe(view),
        interval=view.at("interval").duration(default.interval, parse_positive),
        timeout=view.at("timeout").duration(default.timeout, parse_positive),
        start_period=view.at("start_period").duration(default.start_period, parse_duration),
        healthy_for=view.at("healthy_for").duration(default.healthy_for, parse_duration),
        deadline=view.at("deadline").duration(default.deadline, parse_positive),
    )


def _check_probes(view: View) -> None:
    first, *others = [key for key in _PROBES if view.is_written(key)] or [""]
    for other in others:
        line = view.at(first).key_mark.line
        view.at(other).problem(f"contradicts {first} (line {line}): a health check asks one thing", "keep one of them")
    for key in ("status", "headers"):
        if view.is_written(key) and not view.is_written("url"):
            view.at(key).problem("means nothing without url", "add url, or remove it")


def _read_probe(view: View) -> Probe:
    if (url := _read_url(view.at("url"))) is not None:
        status = _read_status(view.at("status"))
        headers = {name: value for name, entry in view.at("headers").entries() if (value := _read_header(entry))}
        return HttpProbe(url, status or HttpProbe(url).status, headers)
    if (address := view.at("tcp").parsed(_parse_tcp(view))) is not None:
        return TcpProbe(*address)
    if (argv := view.at("command").command()) is not None:
        return CommandProbe(argv)
    return ManagerProbe()


def _parse_tcp(view: View) -> Callable[[str | int], tuple[str, int]]:
    return lambda value: parse_tcp(view.resolver.plain(str(value)))


def _read_url(view: View) -> str | None:
    if isinstance(view.value, str) and has_reference(view.value.partition("?")[2]):
        view.problem("the query of a URL is shown in plans and logs", "send the value in headers")
        return None
    return view.plain(_parse_url)


def _parse_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Wrong("is no URL", "such as http://127.0.0.1:8000/health") from None
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise Wrong("must be an http or https URL", "such as http://127.0.0.1:8000/health")
    if any(not character.isprintable() or character == " " for character in text):
        raise Wrong("must not hold spaces or control characters")
    if "@" in parts.netloc:
        raise Wrong("must not carry credentials: URLs are shown in plans and logs", "send them in headers")
    return text


def _read_status(view: View) -> tuple[range, ...]:
    if isinstance(view.value, list):
        found = [item.parsed(_parse_status) for item in view.items()]
        return tuple(status for status in found if status is not None)
    single = view.parsed(_parse_status)
    return () if single is None else (single,)


def _parse_status(value: str | int) -> range:
    return parse_status(str(value))


def _read_header(view: View) -> Text | None:
    value = view.text()
    if value is not None and any(ord(character) < 32 or ord(character) == 127 for character in reveal(value)):
        view.problem("a header must not hold control characters")
        return None
    return value
