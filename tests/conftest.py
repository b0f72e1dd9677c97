"""Rules for every test: where CI runs them a skip is a failure, and `systemd` tests run in a sandbox."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.support.systemd import IN_SANDBOX, run_in_sandbox


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """CI has what the tests need (`tests/prepare`): a test that is skipped there tests nothing, unseen."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {item.nodeid}: {report.longrepr}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Outside of a sandbox a `systemd` test is one command: itself, inside of one. Its fixtures are made there only."""
    for item in items:
        marker = item.get_closest_marker("systemd")
        if marker is not None and not IN_SANDBOX:
            item.setup = lambda: None  # type: ignore[method-assign]
            item.runtest = lambda item=item, marker=marker: run_in_sandbox(item.nodeid, **marker.kwargs)  # type: ignore[method-assign]
