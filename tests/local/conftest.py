"""Hubs that many tests share. Images are tagged by content, so they are built once."""

from __future__ import annotations

import errno
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyseccomp
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.checkout import Checkout, running
from tests.client import User, logged_in

NOTEBOOK = {"build": "images/notebook"}
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--window-size=1280,800"),
)


@pytest.fixture(scope="session")
def class_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """One class password, two images to choose from."""
    images = [
        {"title": "Python", "description": "for the class", "source": NOTEBOOK},
        {
            "title": "Small",
            "description": "half the memory",
            "source": NOTEBOOK,
            "memory_limit": "512M",
        },
    ]
    folder = tmp_path_factory.mktemp("class")
    with running(folder, "tclass", 1, {"hub": {"images": images}}) as checkout:
        yield checkout


@pytest.fixture(scope="session")
def roster_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A roster, one image, and a Dask cluster."""
    hub = {
        "login": {"kind": "roster", "users": ["anna", "ben"]},
        "images": [
            {
                "title": "Dask",
                "source": {"build": "images/dask", "base": "images/notebook"},
                "memory_limit": "1G",
            }
        ],
    }
    dask = {"workers": 2, "memory": "512M", "subnet": "10.242.0.0/24", "proxy_api_port": 8598}
    folder = tmp_path_factory.mktemp("roster")
    with running(folder, "troster", 2, {"hub": hub, "dask": dask}) as checkout:
        yield checkout


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    with chrome(tmp_path) as found:
        yield found


@contextmanager
def chrome(folder: Path) -> Iterator[webdriver.Chrome]:
    """A browser whose profile is in the folder."""
    driver, program = shutil.which("chromedriver"), shutil.which("chromium")
    if not (driver and program):
        pytest.skip("Debian's packages chromium and chromium-driver are missing")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={folder}/profile"):
        options.add_argument(flag)
    service = Service(driver, popen_kw={"preexec_fn": _deaf_to_networks})
    found = webdriver.Chrome(options=options, service=service)
    yield found
    found.quit()


def _deaf_to_networks() -> None:
    """Chromium fails what is under way when a network of the machine changes, as tests do.

    It hears of them by netlink sockets. Without, it takes the network for one that stays.
    """
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    netlink = pyseccomp.Arg(0, pyseccomp.EQ, socket.AF_NETLINK)
    rules.add_rule(pyseccomp.ERRNO(errno.EACCES), "socket", netlink)
    rules.load()


@pytest.fixture
def artefacts() -> Path:
    """Where screenshots are kept."""
    folder = Path(__file__).parent.parent / "artefacts"
    folder.mkdir(exist_ok=True)
    return folder


def student(hub: Checkout, name: str) -> User:
    """Somebody of the class, logged in."""
    return logged_in(hub.url, name, hub.secrets()["class_password"])
