"""How a whole run is shared out: one worker has the hubs on Docker, another Pulumi's engine."""

from __future__ import annotations

import pytest

# Lanes with real servers. What fails there once in some hundred runs is tried a second time, and
# both are told: docs/decisions/0025-a-second-try.md.
LANES = ("tests/local", "tests/engine", "tests/kubernetes")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares fixtures stays together; hubs and engines share more: images, ports, names."""
    for item in items:
        path = item.path.relative_to(item.config.rootpath)
        lane = next((lane for lane in LANES if path.is_relative_to(lane)), str(path))
        item.add_marker(pytest.mark.xdist_group(lane))
        if lane in LANES:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A failure is told at once: a run that is ended for its length never comes to its summary."""
    if report.failed or report.outcome == "rerun":
        print(f"\n{report.nodeid} failed at {report.when}:\n{report.longreprtext}", flush=True)
