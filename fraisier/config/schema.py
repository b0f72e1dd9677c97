"""Checks a document against `schemas/fraises.schema.json` and says in sentences what it refuses.

Whatever is refused is taken out of `document.data`, so that everything after this step may rely on
types; what was written stays in `document.keys`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from fraisier.resources import resource

from .document import Document
from .later import LATER_TYPES, is_later
from .problems import Path, Report
from .sentences import Refusal, closest, is_reference, sentence

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator


@cache
def schema() -> Mapping[str, Any]:
    """The schema as it is shipped."""
    parsed: Mapping[str, Any] = json.loads(resource("schemas", "fraises.schema.json").read_text(encoding="utf-8"))
    return parsed


def check(document: Document, report: Report) -> None:
    """Reports everything the schema refuses, and takes it out of `document.data`."""
    refused = _refuse_later_types(document, report)
    for path in refused:
        _take_out(document.data, path)
    errors = list(_validator().iter_errors(document.data))
    for error in errors:
        _report(document, report, error)
        refused.update(_places(document, error))
    for path in refused:
        _take_out(document.data, path)


def _refuse_later_types(document: Document, report: Report) -> set[Path]:
    """Of a fraise of a later type nothing else is said: every one of its keys would be unknown."""
    fraises = document.data.get("fraises")
    found: set[Path] = set()
    for name, body in fraises.items() if isinstance(fraises, dict) else ():
        kind = body.get("type") if isinstance(body, dict) else None
        if isinstance(kind, str) and kind in LATER_TYPES:
            path = ("fraises", name, "type")
            message = f"fraises of type {kind} are not supported by this version"
            report.add(document.value_at(path), path, message, "it knows api")
            found.add(path[:2])
    return found


def _refusal(document: Document, error: ValidationError) -> Refusal:
    path = tuple(error.absolute_path)
    return Refusal(
        keyword=str(error.validator),
        expected=error.validator_value,
        schema=error.schema if isinstance(error.schema, Mapping) else {},
        value=error.instance,
        written=document.written.get(path, ""),
    )


def _report(document: Document, report: Report, error: ValidationError) -> None:
    path, refusal = tuple(error.absolute_path), _refusal(document, error)
    if _is_unknown_key(refusal):
        for key in _extra_keys(refusal):
            report.add(document.key_at((*path, key)), (*path, key), *_unknown_key(refusal, (*path, key)))
    elif _is_about_a_key(error):
        path = (*path, refusal.value)
        report.add(document.key_at(path), path, *sentence(refusal))
    else:
        mark = document.key_at(path) if refusal.keyword == "required" else document.value_at(path)
        report.add(mark, path, *sentence(refusal))


def _is_unknown_key(refusal: Refusal) -> bool:
    """In a reference (`{env: NAME}`) a strange key is not shown: `{s3cret}` is a secret in wrong brackets."""
    return refusal.keyword == "additionalProperties" and not is_reference(refusal.schema)


def _is_about_a_key(error: ValidationError) -> bool:
    return "propertyNames" in error.absolute_schema_path


def _extra_keys(refusal: Refusal) -> list[str]:
    return [key for key in refusal.value if key not in refusal.schema["properties"]]


def _unknown_key(refusal: Refusal, path: Path) -> tuple[str, str]:
    if is_later(path):
        return "not supported by this version", "remove it"
    return "unknown key", closest(str(path[-1]), refusal.schema["properties"])


def _places(document: Document, error: ValidationError) -> list[Path]:
    """What to take out on account of `error`."""
    path, refusal = tuple(error.absolute_path), _refusal(document, error)
    if refusal.keyword == "required":
        return []
    if _is_unknown_key(refusal):
        return [(*path, key) for key in _extra_keys(refusal)]
    if _is_about_a_key(error):
        return [(*path, refusal.value)]
    return [path]


def _take_out(data: dict[str, Any], path: Path) -> None:
    """An item of a list becomes None, so that the others keep their places. Does nothing when it is gone already."""
    inner: Any = data
    for key in path[:-1]:
        inner = _inside(inner, key)
    if isinstance(inner, dict) and path:
        inner.pop(path[-1], None)
    elif isinstance(inner, list):
        inner[int(path[-1])] = None


def _inside(value: Any, key: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    return value[int(key)] if isinstance(value, list) else None


@cache
def _validator() -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    written_out = _inline(schema(), schema()["$defs"])
    strict: type[Validator] = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # has no types
    return strict(written_out)


def _inline(part: Any, definitions: Mapping[str, Any]) -> Any:
    """`$ref` written out: several times faster to check against, and errors carry the whole schema of a key."""
    if isinstance(part, list):
        return [_inline(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    own = {key: _inline(value, definitions) for key, value in part.items() if key not in {"$ref", "$defs"}}
    if "$ref" not in part:
        return own
    return {**_inline(definitions[part["$ref"].removeprefix("#/$defs/")], definitions), **own}


def _pattern(_validator: Validator, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """As in ECMA 262, where `$` does not match before a line end at the end of the text as Python's does."""
    from jsonschema.exceptions import ValidationError

    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError("does not match")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern)
