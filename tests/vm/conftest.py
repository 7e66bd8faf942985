"""What is said of a run on real machines."""

from __future__ import annotations

import shutil

import pytest

from tests.vm.machine import acceleration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How the machines ran: times with emulation say nothing."""
    if shutil.which("qemu-system-x86_64"):
        how = "KVM" if "kvm" in acceleration() else "software emulation (QEMU could not use KVM)"
        terminalreporter.write_line(f"Machines ran with {how}; times: tests/artefacts/vm.json")
