"""Second tries are told, and more of them than a few fail the run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.conftest import MOST_RERUNS

SHAKY = """
import pytest

seen = set()

@pytest.mark.parametrize("number", range({shaky}))
def test_shaky(number):
    again = number in seen
    seen.add(number)
    assert again, f"the first try of {{number}}"
"""


@pytest.mark.parametrize(("shaky", "code"), [(MOST_RERUNS, 0), (MOST_RERUNS + 1, 1)])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_more_than_a_few_fail_the_run(tmp_path: Path, shaky: int, code: int, workers: str) -> None:
    folder = tmp_path / "tests" / "local"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "tests/conftest.py", folder.parent)
    (folder / "test_shaky.py").write_text(SHAKY.format(shaky=shaky))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", workers, "--rootdir", str(tmp_path), "tests"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    summary = done.stdout.partition("second tries, with the first failure")[2]
    for number in range(shaky):
        assert f"test_shaky[{number}]" in summary and f"the first try of {number}" in summary
    assert (f"{MOST_RERUNS} are allowed" in summary) == bool(code)
