"""`${NAME}`, `{env: NAME}`, `{file: PATH}` and `{credential: NAME}`: values that stand elsewhere.

What comes from there is a `Secret` wherever the model can hold one, and is never repeated in a
problem anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fraisier.model.secret import Secret, Text

from .ports import Lookup
from .problems import Wrong

_REFERENCE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[^}]*)(?P<end>\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Resolver:
    """Gives values their final text. Of a target of another server (`here` false) nothing is looked
    up: its variables, files and credentials are on that server.
    """

    lookup: Lookup
    here: bool = True

    def text(self, value: str | Mapping[str, str]) -> Text:
        """A `Secret` when any part of it was referred to; raises `Wrong` when that cannot be had."""
        if not isinstance(value, str):
            return Secret(_without_nul(self._map(value)))
        plain = _without_nul(_replace(value, self._variable))
        return Secret(plain) if has_reference(value) else plain

    def plain(self, value: str | Mapping[str, str]) -> str:
        """For what is shown anyway: names, paths, URLs."""
        found = self.text(value)
        return found.reveal() if isinstance(found, Secret) else found

    def _map(self, value: Mapping[str, str]) -> str:
        ((kind, name),) = value.items()
        if kind == "env":
            return self._variable(name)
        if not self.here:
            return name
        try:
            return _chomp(self.lookup.file(name) if kind == "file" else self.lookup.credential(name))
        except OSError as error:
            what = "the file" if kind == "file" else "the credential"
            raise Wrong(f"{what} {name} cannot be read: {error.strerror or 'not found'}") from None
        except ValueError:
            raise Wrong(f"the {kind} {name} is not text") from None

    def _variable(self, name: str) -> str:
        found = self.lookup.env(name) if self.here else name
        if found is None:
            raise Wrong(f"the variable {name} is not set", "set it in the environment of fraisier")
        return found


def has_reference(text: str) -> bool:
    return any(found["name"] is not None for found in _REFERENCE.finditer(text))


def literal(text: str) -> str:
    """`$${` as `${`, for what may not refer to anything; raises `Wrong` when it does.

    Arguments of processes are shown to every user of the machine, so no value may end up there.
    """
    if has_reference(text):
        raise Wrong(
            "a command cannot hold ${…}: its arguments are shown to every user of the machine",
            "give the value under env, and let the program read it there; a literal ${ is written $${",
        )
    return text.replace("$${", "${")


def _replace(text: str, variable: Callable[[str], str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "${"
        if not found["end"]:
            raise Wrong("has a ${ without its }", "a literal ${ is written $${")
        if not _NAME.fullmatch(found["name"]):
            raise Wrong("has a ${…} that holds no variable's name", "defaults such as ${NAME:-x} are not supported")
        return variable(found["name"])

    return _REFERENCE.sub(value, text)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise Wrong("must not hold a NUL character")
    return text


def _chomp(text: str) -> str:
    """Without the one line end that editors and `echo` leave."""
    return text.removesuffix("\n").removesuffix("\r")
