"""Each image that comes with the library, as its user has it: under the hub, with no rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from tests.checkout import Checkout, running
from tests.client import User, eventually
from tests.local.conftest import student
from tests.local.kinds import KINDS

pytestmark = pytest.mark.timeout(2400)  # the first of them builds the images
BUILD_TIME = 1800
Open = Callable[[str], User]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    images = [{"title": name, "source": source} for name, source in KINDS.items()]
    folder = tmp_path_factory.mktemp("images")
    with running(folder, "timages", 16, {"hub": {"images": images}}, BUILD_TIME) as checkout:
        yield checkout


@pytest.fixture(scope="module")
def opened(hub: Checkout) -> Iterator[Open]:
    """Gives a user's running server of an image, one server at a time."""
    running_now: dict[str, User] = {}

    def open_image(image: str) -> User:
        if image not in running_now:
            for name in list(running_now):
                running_now.pop(name).stop()
            running_now[image] = student(hub, image)
            running_now[image].start(image)
        return running_now[image]

    yield open_image
    for user in running_now.values():
        user.stop()


HARMLESS = """
import os, subprocess
find = ["find", "/", "-xdev", "-type", "f", "-perm", "/6000"]
print(os.getuid(), os.getgid(), subprocess.run(find, capture_output=True, text=True).stdout)
"""

LISTENERS = """
from pathlib import Path
for file in ("/proc/net/tcp", "/proc/net/tcp6"):
    for line in Path(file).read_text().splitlines()[1:]:
        address, port = line.split()[1].split(":")
        if line.split()[3] == "0A" and not address.endswith("7F"):  # 127.0.0.0/8
            print(int(port, 16))
"""


def test_the_desktop_is_in_the_browser_and_on_no_port(
    hub: Checkout, opened: Open, browser: webdriver.Chrome, artefacts: Path
) -> None:
    user = opened("desktop")
    browser.get(f"{hub.url}/hub/login")
    for cookie in user.session.cookies:
        browser.add_cookie({"name": cookie.name, "value": cookie.value or "", "path": cookie.path})
    browser.get(user.at("desktop/"))
    wait = WebDriverWait(browser, 120)
    # XFCE's panel, background and icons: many colours. An empty X server has one.
    colours = """
        const canvas = document.querySelector("canvas");
        if (!canvas || !canvas.width) return 0;
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(new Uint32Array(data.buffer)).size;
    """
    wait.until(lambda b: b.execute_script(colours) > 200)
    browser.save_screenshot(str(artefacts / "desktop.png"))
    look = "import subprocess; print(subprocess.run(['ps', '-eo', 'comm'], capture_output=True))"
    for program in ("Xtigervnc", "xfce4-session", "xfce4-panel", "xfwm4"):
        eventually(program, lambda program=program: program in user.run(look), 60)
    assert user.run(LISTENERS) == "8888"  # VNC and X are reached through sockets in files


def test_a_histogram_in_python(opened: Open) -> None:
    code = """
import ROOT
ROOT.gROOT.SetBatch()
h = ROOT.TH1F("h", "normal", 50, -5, 5)
h.FillRandom("gaus", 10000)
fit = h.Fit("gaus", "QS")
canvas = ROOT.TCanvas(); h.Draw(); canvas.SaveAs("h.png")
print(int(h.GetEntries()), abs(fit.Parameter(2) - 1) < 0.1, open("h.png", "rb").read(4))
"""
    assert "10000 True b'\\x89PNG'" in opened("root").run(code).splitlines()  # ROOT talks, too


def test_a_histogram_in_cpp(opened: Open) -> None:
    code = """
TH1F h("h", "square", 10, 0, 100);
for (int i = 0; i < 10; ++i) h.Fill(i * i);
std::cout << h.GetEntries() << " " << h.GetMean() << std::endl;
"""
    assert opened("root").run(code, "root").splitlines()[-1] == "10 28.5"


def test_root_compiles_a_macro(opened: Open) -> None:
    code = """
import pathlib, ROOT
pathlib.Path("answer.C").write_text("int answer() { return 42; }")
print(ROOT.gROOT.ProcessLine(".L answer.C+"), ROOT.answer())
"""
    assert "0 42" in opened("root").run(code).splitlines()


def test_spark_computes_inside_of_the_server(opened: Open) -> None:
    code = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print(spark.sparkContext.master, spark.range(1001).selectExpr("sum(id)").first()[0])
"""
    assert "local[*] 500500" in opened("spark").run(code)  # Spark talks, too


def test_r_computes_with_its_packages(opened: Open) -> None:
    code = """
suppressPackageStartupMessages(library(tidyverse))
marks <- tibble(class = c("a", "b", "a"), mark = c(1, 5, 3))
means <- marks |> group_by(class) |> summarise(mean = mean(mark))
cat(means$mean, startsWith(.libPaths()[1], Sys.getenv("HOME")))
"""
    assert opened("rstudio").run(code, "ir") == "2 5 TRUE"


def test_a_network_learns(opened: Open) -> None:
    code = """
import numpy as np, tensorflow as tf
tf.keras.utils.set_random_seed(1)
x = np.linspace(-1, 1, 200).reshape(-1, 1)
model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.optimizer.learning_rate = 0.1
model.fit(x, 3 * x + 2, epochs=60, verbose=0)
print(np.round(model.predict(np.array([[0.5]]), verbose=0), 1))
"""
    assert opened("ml").run(code).splitlines()[-1] == "[[3.5]]"


@pytest.mark.parametrize("image", KINDS)
def test_nothing_in_it_gives_rights(opened: Open, image: str) -> None:
    assert opened(image).run(HARMLESS) == "1000 100"
