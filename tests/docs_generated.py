"""The reference pages that are made from the program itself: `python -m tests.docs_generated [--check]`.

docs/configuration.md comes from the JSON Schema, docs/commands.md from the commands' own help.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from fraisier.cli import cli
from fraisier.config import schema

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTE = "<!-- Made by `make docs`; edits here are lost. -->"


def configuration_page() -> str:
    whole = schema()
    lines = [NOTE, "", "# Configuration", "", whole["description"], "", *_introduction()]
    definitions = whole["$defs"]
    sections = [
        ("Top level", whole),
        ("`server`", definitions["server"]),
        ("`git`", definitions["git"]),
        ("`git.github`, `git.gitlab`, `git.gitea`, `git.bitbucket`", definitions["hook"]),
        ("`defaults`", definitions["defaults"]),
        ("`windows.<name>`", definitions["window"]),
        ("`fraises.<name>`", definitions["fraise"]),
        ("`fraises.<name>.environments.<name>`", definitions["environment"]),
        ("`service`", definitions["service"]),
        ("`health_check`", definitions["health_check"]),
        ("`deploy`", definitions["deploy"]),
        ("`on_drift`", definitions["on_drift"]),
        ("`repairs`", definitions["repairs"]),
        ("`verify`", definitions["verify"]),
        ("`branch_mapping.<branch>`", definitions["mapped"]),
    ]
    for title, section in sections:
        lines += [f"## {title}", "", *_section(section, definitions)]
    return "\n".join(lines).rstrip() + "\n"


def _introduction() -> list[str]:
    example = (DOCS.parent / "examples" / "minimal.yaml").read_text(encoding="utf-8").strip()
    return [
        "Found by `--config PATH`, else `FRAISIER_CONFIG`, else `./fraises.yaml`, else `/etc/fraisier/fraises.yaml`:",
        "one file, or a folder whose `*.yaml` files are read together. `fraisier validate` checks it and names every",
        "problem with file, line and column; `fraisier schema` prints the schema that this page is made from.",
        "",
        "The smallest useful file:",
        "",
        "```yaml",
        example,
        "```",
        "",
        "## Values",
        "",
        "- **Durations** carry their units: `500ms`, `30s`, `2m`, `1h30m`, `1d`.",
        "- **Commands** are a text that is split into words, or a list that is taken as it is. They run without a",
        "  shell; write `[sh, -c, '…']` if you mean one.",
        "- **Values from elsewhere**: `${NAME}` anywhere in a text, or in place of it `{env: NAME}`, `{file: PATH}`",
        "  and, where it says *secret*, `{credential: NAME}` for a systemd credential. One that cannot be had is an",
        "  error at its line. They are never shown where the key may hold a secret, and are refused in commands,",
        "  whose arguments every user of the machine can see. A literal `${` is written `$${`.",
        "- **Unknown keys** are errors. A fraise with a problem is held and never stops the others; a problem outside",
        "  `fraises` and `branch_mapping` leaves the last good configuration in place.",
        "",
    ]


def _section(section: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
    if "description" in section and "$schema" not in section:
        yield from (section["description"], "")
    required = section.get("required", [])
    for key, written in section["properties"].items():
        value = {**definitions.get(written.get("$ref", "").removeprefix("#/$defs/"), {}), **written}
        facts = [_kind(value, definitions), *(["required"] if key in required else [])]
        yield f"- **`{key}`** ({', '.join(facts)}): {value['description']}{_default(value)}{_examples(value)}"
    yield ""


def _kind(value: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "enum" in value:
        return " or ".join(f"`{word}`" for word in value["enum"])
    if "$ref" in value and value["$ref"].removeprefix("#/$defs/") in definitions:
        return _kind({**definitions[value["$ref"].removeprefix("#/$defs/")], **_without_ref(value)}, definitions)
    if "title" in value:
        return str(value["title"])
    words = {"object": "map", "array": "list", "string": "text", "integer": "whole number", "number": "number"}
    types = value["type"] if isinstance(value["type"], list) else [value["type"]]
    return " or ".join(words[name] for name in types)


def _without_ref(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: inner for key, inner in value.items() if key != "$ref"}


def _default(value: Mapping[str, Any]) -> str:
    return f" Default: `{value['default']}`." if "default" in value else ""


def _examples(value: Mapping[str, Any]) -> str:
    shown = [f"`{_as_yaml(example)}`" for example in value.get("examples", ())]
    return f" For example {', '.join(shown)}." if shown else ""


def _as_yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip() if not isinstance(value, str) else value


def commands_page(main: click.Group) -> str:
    lines = [NOTE, "", "# Commands", "", *_command(main, "fraisier")]
    return "\n".join(lines).rstrip() + "\n"


def _command(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    settings: dict[str, Any] = {"terminal_width": 100, "max_content_width": 100, "color": False}
    context = command.make_context(name, [], parent, resilient_parsing=True, **settings)
    yield from (f"## `{context.command_path}`", "", "```text", command.get_help(context), "```", "")
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            if (found := command.get_command(context, inner)) is not None and not found.hidden:
                yield from _command(found, inner, context)


def pages() -> dict[Path, str]:
    """Each page with the text it should have."""
    return {DOCS / "configuration.md": configuration_page(), DOCS / "commands.md": commands_page(cli)}


def main(arguments: list[str]) -> int:
    made = pages()
    stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(DOCS.parent)} is out of date: run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(made[path], encoding="utf-8")
        print(f"wrote {path.relative_to(DOCS.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
