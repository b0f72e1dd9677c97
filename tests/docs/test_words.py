"""What can be checked in the documentation is checked: nothing exists undocumented, nothing documented is gone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fraisier.cli import VERBS
from fraisier.cli.failures import FAILED, NEEDS_A_PERSON, OUR_BUG
from fraisier.cli.work import EXIT_CODES
from fraisier.config import SourceFile, load
from fraisier.model.plan import ReasonCode
from tests.support.configs import Machine

CHECKOUT = Path(__file__).resolve().parents[2]
REASONS = (CHECKOUT / "docs" / "reasons.md").read_text()
OPERATIONS = (CHECKOUT / "docs" / "operations.md").read_text()
README = (CHECKOUT / "README.md").read_text()
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])


def section(page: str, title: str) -> str:
    """The text below a heading, up to the next of its kind or higher."""
    marks = re.search(rf"^(#+) {re.escape(title)}$", page, re.MULTILINE)
    assert marks, f"there is no section {title!r}"
    rest = page[marks.end() :]
    end = re.search(rf"^#{{1,{len(marks[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start() if end else None]


@pytest.mark.parametrize("code", list(ReasonCode))
def test_each_reason_has_its_section_and_says_how_it_ends(code: ReasonCode) -> None:
    text = section(REASONS, f"`{code.value}`")

    assert "**Ends**" in text


def test_no_reason_is_documented_that_does_not_exist() -> None:
    documented = re.findall(r"^### `(\w+)`$", REASONS, re.MULTILINE)

    assert sorted(documented) == sorted(code.value for code in ReasonCode)


@pytest.mark.parametrize("verb", VERBS)
def test_each_command_is_in_the_readme_and_in_operations(verb: str) -> None:
    assert f"| `fraisier {verb}" in section(README, "Commands")
    assert f"`{verb}`" in section(OPERATIONS, "Commands and the daemon")


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    named = set(re.findall(r"^\| `fraisier (\w+)", section(README, "Commands"), re.MULTILINE))

    assert named == set(VERBS)


def test_each_exit_code_is_documented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", section(OPERATIONS, "Exit codes"), re.MULTILINE)}

    assert documented == {0, FAILED, NEEDS_A_PERSON, OUR_BUG, 130} | set(EXIT_CODES.values())


def log_events() -> Iterator[str]:
    """The first argument of every `log.…("x.y", …)`, also where the level was chosen before."""
    for file in (CHECKOUT / "fraisier").rglob("*.py"):
        text = file.read_text()
        if "structlog.get_logger()" in text:
            yield from (event for node in ast.walk(ast.parse(text)) if (event := _event(node)))


def _event(node: ast.AST) -> str | None:
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="log")) | ast.Name(id="level"),
            args=[ast.Constant(value=str(event)), *_],
        ):
            return event
        case _:
            return None


def test_each_log_event_is_documented_and_each_documented_one_is_logged() -> None:
    documented = re.findall(r"^\| `([a-z_.]+)` \|", section(OPERATIONS, "Log events"), re.MULTILINE)

    assert sorted(documented) == sorted(set(log_events()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("number", range(2))
def test_the_configurations_of_the_readme_load(number: int) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

    loaded = load([SourceFile("fraises.yaml", blocks[number])], Machine({"FRAISIER_WEBHOOK_SECRET": "s"}))

    assert [str(problem) for problem in loaded.problems] == []
    assert len(blocks) == 2


def test_nothing_says_to_install_from_the_package_index() -> None:
    said = [
        str(page) for page in PAGES if re.search(r"pipx? install (-\S+ )*fraisier|uv tool install", page.read_text())
    ]

    assert said == []


def test_every_make_target_that_is_documented_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text())}

    assert named <= targets
