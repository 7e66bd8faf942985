"""Idle servers are stopped; a busy kernel never is, however silent."""

from __future__ import annotations

import time
from pathlib import Path

from tests.checkout import Checkout, running
from tests.client import eventually
from tests.local.conftest import NOTEBOOK, student

TIMEOUT, SILENT = 12, 45  # seconds: nearly four times the limit


def test_idle_is_culled_and_silent_work_is_not(tmp_path: Path) -> None:
    hub = {
        "images": [{"title": "Python", "source": NOTEBOOK}],
        "culling": {"timeout": TIMEOUT, "every": 3},
    }
    with running(tmp_path, "tcull", 3, {"hub": hub}) as checkout:
        idle, busy = student(checkout, "idle"), student(checkout, "busy")
        for user in (idle, busy):
            user.start()
        kernel = busy.kernel()
        begun = time.monotonic()
        message = kernel.send(f"import time; time.sleep({SILENT}); print('finished')")
        kernel.socket.close()  # the browser is closed meanwhile
        eventually("the idle server is stopped", lambda: _names(checkout) == ["busy"], 40)
        while time.monotonic() - begun < SILENT - 2:
            assert _names(checkout) == ["busy"]
            time.sleep(1)
        eventually("the server whose work is done is stopped", lambda: not _names(checkout), 60)
        assert message


def _names(checkout: Checkout) -> list[str]:
    return sorted(c.name.rsplit("-", 1)[1] for c in checkout.containers("user"))
