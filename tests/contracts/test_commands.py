"""Commands: what a caller may rely on, of the real ones and of those in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fraisier.host.commands import SessionCommands
from fraisier.host.interrupt import Interruption
from fraisier.host.processes import Processes
from fraisier.model.errors import Interrupted
from fraisier.model.ports import Command
from fraisier.testing import Behaviour, FakeHost

Side = tuple[Any, Any, str]


@pytest.fixture(params=["real", "fake"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Side:
    """Commands, an interrupt for them, and a folder in which `./build` fails with 2 and says why."""
    script = tmp_path / "build"
    script.write_text("#!/bin/sh\necho it does not compile\nexit 2\n")
    script.chmod(0o755)
    if request.param == "real":
        return SessionCommands(Processes("contracts")), Interruption(), str(tmp_path)
    host = FakeHost()
    host.directories[str(tmp_path)] = "bad"
    host.behaviours["bad"] = Behaviour.WONT_BUILD
    return host.commands, host.interrupt(), str(tmp_path)


def test_a_command_that_fails_is_told_with_its_last_words(side: Side) -> None:
    commands, interrupt, folder = side

    result = commands.run(Command(("./build",), folder, timeout=20), interrupt)

    assert (result.exit_code, result.timed_out) == (2, False)
    assert "it does not compile" in result.tail


def test_one_that_was_interrupted_before_is_not_begun(side: Side) -> None:
    commands, interrupt, folder = side
    interrupt.set("superseded", "superseded by b")

    with pytest.raises(Interrupted) as told:
        commands.run(Command(("touch", "begun"), folder, timeout=20), interrupt)

    assert told.value.because == "superseded"
    assert not Path(folder, "begun").exists()
