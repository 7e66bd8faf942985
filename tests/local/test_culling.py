"""Idle servers are stopped, and their users warned; a busy kernel never is, however silent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.checkout import Checkout, running
from tests.client import eventually
from tests.local.conftest import NOTEBOOK, student

TIMEOUT, SILENT, OLD = 24, 60, 40  # seconds; a page takes some to open on a busy machine
WARNING = ".Toastify__toast--warning"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    config = {
        "images": [{"title": "Python", "source": NOTEBOOK}],
        "culling": {"timeout": TIMEOUT, "every": 3},
    }
    with running(tmp_path_factory.mktemp("cull"), "tcull", 3, {"hub": config}) as checkout:
        yield checkout


def test_idle_is_culled_and_silent_work_is_not(hub: Checkout) -> None:
    idle, busy = student(hub, "idle"), student(hub, "busy")
    for user in (idle, busy):
        user.start()
    kernel = busy.kernel()
    begun = time.monotonic()
    message = kernel.send(f"import time; time.sleep({SILENT}); print('finished')")
    kernel.socket.close()  # the browser is closed meanwhile
    eventually("the idle server is stopped", lambda: _names(hub) == ["busy"], 50)
    while time.monotonic() - begun < SILENT - 2:
        assert _names(hub) == ["busy"]
        time.sleep(1)
    eventually("the server whose work is done is stopped", lambda: not _names(hub), 60)
    assert message


def test_who_looks_on_is_warned_and_can_go_on(
    hub: Checkout, browser: webdriver.Chrome, artefacts: Path
) -> None:
    """A page that is open, but that nobody touches, keeps no server; a click does."""
    see = _opened(hub, browser, "reader")
    see(WARNING)
    eventually(
        "it says why",
        lambda: "Nobody is using your server: it is stopped in" in see(WARNING).text,
        10,
    )
    browser.save_screenshot(str(artefacts / "culling.png"))
    see(f"{WARNING} .jp-toast-button").click()
    WebDriverWait(browser, 10).until(lambda b: not b.find_elements(By.CSS_SELECTOR, WARNING))
    time.sleep(0.75 * TIMEOUT)  # it would have been stopped by now
    assert _names(hub) == ["reader"]
    eventually("without a further click it is stopped", lambda: not _names(hub), 90)


def test_the_age_is_told_too(hub: Checkout, browser: webdriver.Chrome, artefacts: Path) -> None:
    hub.configure(hub={"culling": {"timeout": 600, "max_age": OLD, "every": 3}})
    hub.make("up")
    see = _opened(hub, browser, "writer")
    warning = see(WARNING)
    eventually("it says why", lambda: "it has run as long as servers may" in warning.text, 10)
    assert not warning.find_elements(By.CSS_SELECTOR, ".jp-toast-button")
    see(".jp-Launcher-body").click()  # does not help
    eventually("it is stopped", lambda: not _names(hub), 2 * OLD)


def _opened(hub: Checkout, browser: webdriver.Chrome, name: str) -> Any:
    """JupyterLab in the browser; returns what waits for an element of it."""
    wait = WebDriverWait(browser, 60)

    def see(selector: str) -> Any:
        return wait.until(lambda b: b.find_element(By.CSS_SELECTOR, selector))

    browser.get(hub.url)
    see("#username_input").send_keys(name)
    see("#password_input").send_keys(hub.secrets()["class_password"])
    see("#login_submit").click()
    see(".jp-Launcher-body")
    return see


def _names(checkout: Checkout) -> list[str]:
    return sorted(c.name.rsplit("-", 1)[1] for c in checkout.containers("user"))
