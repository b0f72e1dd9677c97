"""The sentences for what a JSON Schema refuses. Values of keys marked `writeOnly` are never repeated."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Sentence = tuple[str, str]
"""What is wrong, and what to do."""

_REFERENCE_KEYS = frozenset({"env", "file", "credential"})
_TYPES = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
}
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Refusal:
    """One keyword of the schema that a value does not satisfy."""

    keyword: str
    expected: Any
    """The keyword's argument."""
    schema: Mapping[str, Any]
    """All that is said about the value."""
    value: Any
    written: str = ""
    """How the value stands in the file, where YAML made something else of it."""


def sentence(refusal: Refusal) -> Sentence:
    said = _SENTENCES.get(refusal.keyword)
    return said(refusal) if said else (f"is not valid ({refusal.keyword})", "")


def closest(word: str, words: Iterable[str]) -> str:
    """`did you mean health_check?`, or nothing when no word is near."""
    spelled = {known.lower(): known for known in words}
    near = difflib.get_close_matches(word.lower(), spelled, n=1, cutoff=0.6)
    return f"did you mean {spelled[near[0]]}?" if near else ""


def is_reference(schema: Mapping[str, Any]) -> bool:
    """Whether the value may be `{env: NAME}` and its kin."""
    return bool(schema.get("properties")) and schema["properties"].keys() <= _REFERENCE_KEYS


def _wrong_type(refusal: Refusal) -> Sentence:
    schema, value, written = refusal.schema, refusal.value, refusal.written
    if value is None:
        return "has no value", "give it one, or remove the key"
    if schema.get("title") == "duration" and isinstance(value, int | float) and not isinstance(value, bool):
        return _needs_unit(value, written)
    message = f"must be {_wanted(schema)}, got {_shown(schema, value, written)}"
    if "string" in _as_list(schema["type"]) and written and not schema.get("writeOnly"):
        return message, _in_quotes(value, written)
    if "string" in _as_list(schema["type"]) and written:
        return message, "put it in quotes"
    return message, ""


def _needs_unit(value: float, written: str) -> Sentence:
    shown = written if written.isdigit() else "30"
    note = f"; YAML reads {written} as {value}" if ":" in written else ""
    return f"needs a unit, such as {shown}s{note}", ""


def _wanted(schema: Mapping[str, Any]) -> str:
    title = str(schema.get("title", ""))
    if title:
        return title if title.startswith("text") else f"{_article(title)} {title}"
    return " or ".join(_TYPES.get(name, name) for name in _as_list(schema["type"]))


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _shown(schema: Mapping[str, Any], value: Any, written: str) -> str:
    if isinstance(value, dict | list):
        return _kind(value)
    if schema.get("writeOnly") or len(str(value)) > _LONGEST_SHOWN:
        return _kind(value)
    return written or repr(value)


def _kind(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a map"
        case _:
            return "a list"


def _not_in_enum(refusal: Refusal) -> Sentence:
    words, value = [str(word) for word in refusal.expected], refusal.value
    if value is None:
        return "has no value", "give it one, or remove the key"
    if isinstance(value, bool):
        hint = _in_quotes(value, refusal.written) if refusal.written in words else f"YAML reads it as {_kind(value)}"
        return f"must be one of {', '.join(words)}", hint
    if isinstance(value, str) and value in words:
        return f"must be the number {value}", "write it without quotes"
    shown = _shown(refusal.schema, value, refusal.written)
    return f"{shown} is not one of {', '.join(words)}", closest(str(value), words)


def _in_quotes(value: Any, written: str) -> str:
    return f'YAML reads {written} as {_kind(value)}: write "{written}", in quotes'


def _no_match(refusal: Refusal) -> Sentence:
    value = str(refusal.value)
    if "${" in value:
        return "cannot be read from the environment", "write the value itself"
    if refusal.schema.get("title") == "duration" and value.strip().replace(".", "", 1).isdigit():
        return f"needs a unit, such as {value.strip()}s", ""
    return str(refusal.schema["patternErrorMessage"]), ""


def _missing(refusal: Refusal) -> Sentence:
    missing = [key for key in refusal.expected if key not in refusal.value]
    return f"needs {' and '.join(missing)}", ""


def _empty(refusal: Refusal) -> Sentence:
    if is_reference(refusal.schema) and isinstance(refusal.value, dict):
        return _not_a_reference(refusal)
    return "must not be empty", ""


def _not_a_reference(refusal: Refusal) -> Sentence:
    words = ", ".join(f"{{{key}: …}}" for key in refusal.schema["properties"])
    return f"must be {_wanted(refusal.schema)}; a map here is one of {words}", ""


def _too_small(refusal: Refusal) -> Sentence:
    return f"must be at least {refusal.expected}", ""


def _too_large(refusal: Refusal) -> Sentence:
    return f"must be at most {refusal.expected}", ""


def _twice(_refusal: Refusal) -> Sentence:
    return "names the same thing twice", ""


def _as_list(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


_SENTENCES: Mapping[str, Callable[[Refusal], Sentence]] = {
    "type": _wrong_type,
    "enum": _not_in_enum,
    "pattern": _no_match,
    "required": _missing,
    "minItems": _empty,
    "minLength": _empty,
    "minProperties": _empty,
    "maxProperties": _not_a_reference,
    "additionalProperties": _not_a_reference,
    "minimum": _too_small,
    "maximum": _too_large,
    "uniqueItems": _twice,
}
