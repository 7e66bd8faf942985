"""How a whole run is shared out: one worker has the hubs on Docker, another Pulumi's engine."""

from __future__ import annotations

import pytest

# Lanes with real servers. What fails there once in some hundred runs is tried a second time, and
# both are told: docs/decisions/0025-a-second-try.md.
LANES = ("tests/local", "tests/engine", "tests/kubernetes")
MOST_RERUNS = 3  # more of them in one run is a fault of the suite or of the product, and fails

_reruns: list[pytest.TestReport] = []


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
    if report.outcome == "rerun":
        _reruns.append(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """More second tries than a good suite needs: the run has failed."""
    if len(_reruns) > MOST_RERUNS and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Who had a second try, and what went wrong in the first one."""
    if not _reruns:
        return
    terminalreporter.section("second tries, with the first failure")
    for report in _reruns:
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = getattr(crash, "message", report.longreprtext).splitlines()[0]
        terminalreporter.write_line(f"{report.nodeid} at {report.when}: {reason}")
    if len(_reruns) > MOST_RERUNS:
        terminalreporter.write_line(
            f"{len(_reruns)} second tries, {MOST_RERUNS} are allowed: this run has failed.",
            red=True,
        )
