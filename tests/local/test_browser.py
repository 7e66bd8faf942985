"""A real browser: login page, image list, JupyterLab, a cell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.checkout import Checkout
from tests.local.conftest import student


@pytest.fixture
def name(class_hub: Checkout) -> Iterator[str]:
    """Who sits at the browser; the server is gone afterwards, also when the test fails."""
    yield "browser"
    student(class_hub, "browser").stop()


def test_from_the_login_page_to_a_cell(
    class_hub: Checkout, browser: webdriver.Chrome, name: str, artefacts: Path
) -> None:
    wait = WebDriverWait(browser, 60)

    def see(selector: str) -> Any:
        return wait.until(lambda b: b.find_element(By.CSS_SELECTOR, selector))

    browser.get(class_hub.url)
    see("#username_input").send_keys(name)
    browser.save_screenshot(str(artefacts / "login.png"))
    see("#password_input").send_keys(class_hub.outputs["class_password"])
    see("#login_submit").click()

    see("input[value=Small]").click()
    assert "half the memory" in browser.page_source
    browser.save_screenshot(str(artefacts / "images.png"))
    see("form#spawn_form input[type=submit], form#spawn_form button[type=submit]").click()

    see(".jp-Launcher-body")
    see(".jp-LauncherCard[title*='Python 3']").click()
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, ".jp-Notebook .cm-content"))
    wait.until(
        lambda b: b.find_elements(
            By.CSS_SELECTOR, ".jp-Notebook-ExecutionIndicator[data-status=idle]"
        )
    )
    cell = see(".jp-Notebook .jp-Cell .cm-content")
    cell.click()
    cell.send_keys("import matplotlib.pyplot as plt, numpy as np\nx = np.linspace(0, 10, 200)\n")
    cell.send_keys("plt.plot(x, np.sin(x)); print(6 * 7)")
    cell.send_keys(Keys.SHIFT, Keys.ENTER)
    output = wait.until(lambda b: b.find_element(By.CSS_SELECTOR, ".jp-OutputArea-output pre"))
    assert output.text == "42"
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, ".jp-OutputArea-output img"))
    browser.save_screenshot(str(artefacts / "jupyterlab.png"))


def test_the_teacher_stops_everybodys_servers(
    class_hub: Checkout, browser: webdriver.Chrome
) -> None:
    """Also where admins can't open other people's servers: stopping is no opening."""
    for each in ("stopped1", "stopped2"):
        student(class_hub, each).start("Small")
    wait = WebDriverWait(browser, 60)
    browser.get(f"{class_hub.url}/hub/login?next=%2Fhub%2Fadmin")
    for field, value in (("username", "admin_user"), ("password", "admin_password")):
        browser.find_element(By.ID, f"{field}_input").send_keys(class_hub.outputs[value])
    browser.find_element(By.ID, "login_submit").click()
    wait.until(lambda b: b.find_element(By.XPATH, "//button[.='Stop All']")).click()
    wait.until(lambda _: not class_hub.containers("user"))
