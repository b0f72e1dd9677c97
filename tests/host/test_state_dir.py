"""Where the store is, and how much of the output of attempts is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from fraisier.host.state_dir import SYSTEM_STORE, StatePaths, find_state
from fraisier.model.errors import StoreError


@pytest.mark.parametrize(
    ("explicit", "environ", "configured", "config", "expected"),
    [
        ("mine.db", {"FRAISIER_STATE": "/other.db"}, "/third.db", "/srv/c/fraises.yaml", "/here/mine.db"),
        (None, {"FRAISIER_STATE": "other.db"}, "/third.db", "/srv/c/fraises.yaml", "/here/other.db"),
        (None, {}, "/third.db", "/srv/c/fraises.yaml", "/third.db"),
        (None, {}, None, "/srv/c/fraises.yaml", "/srv/c/server.state"),
        (None, {}, None, "fraises.yaml", "/here/server.state"),
        (None, {}, None, "/etc/fraisier/fraises.yaml", str(SYSTEM_STORE)),
    ],
)
def test_the_store_goes_by_what_is_said_then_by_the_configuration(explicit, environ, configured, config, expected):
    assert str(find_state(explicit, environ, configured, Path(config), Path("/here")).store) == expected


def test_logs_beyond_a_number_or_a_size_go_oldest_first(tmp_path: Path) -> None:
    paths = StatePaths(tmp_path / "server.state")
    paths.make_folders()
    for number in range(6):
        paths.attempt_log(f"{number:04}").write_bytes(b"x" * 10)

    paths.prune_logs(keep=4)
    assert [log.stem for log in sorted(paths.logs.iterdir())] == ["0002", "0003", "0004", "0005"]

    paths.prune_logs(most_bytes=25)
    assert [log.stem for log in sorted(paths.logs.iterdir())] == ["0004", "0005"]

    paths.prune_logs(most_bytes=1)
    assert [log.stem for log in sorted(paths.logs.iterdir())] == ["0005"]


def test_folders_that_cannot_be_made_are_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="cannot be made"):
        StatePaths(tmp_path / "file" / "server.state").make_folders()
