"""How a whole run is shared out: one worker has the hubs on Docker, the other has the rest."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares fixtures stays together; hubs share more, as their images."""
    for item in items:
        path = item.path.relative_to(item.config.rootpath)
        group = "tests/local" if path.is_relative_to("tests/local") else str(path)
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A failure is told at once: a run that is ended for its length never comes to its summary."""
    if report.failed:
        print(f"\n{report.nodeid} failed at {report.when}:\n{report.longreprtext}", flush=True)
