"""What a class does: log in, start a server, compute, find the files again."""

from __future__ import annotations

import re

from tests.checkout import Checkout
from tests.client import User, eventually
from tests.local.conftest import student


def test_a_session_from_login_to_the_file_that_is_still_there(class_hub: Checkout) -> None:
    anna = student(class_hub, "anna")
    anna.start("Python")
    code = "open('result.txt', 'w').write('forty-two'); import numpy; print(numpy.arange(4).sum())"
    assert anna.run(code) == "6"
    anna.stop()
    eventually("the container is gone", lambda: not class_hub.has_server("anna"))
    anna.start("Python")
    assert anna.run("print(open('result.txt').read())") == "forty-two"
    anna.stop()


def test_a_wrong_password_is_refused(class_hub: Checkout) -> None:
    answer = User(class_hub.url, "anna").login("not-the-password")
    assert answer.status_code == 403
    assert "Invalid username or password" in answer.text


def test_the_admin_needs_the_admin_password(class_hub: Checkout) -> None:
    outputs = class_hub.outputs
    assert User(class_hub.url, "teacher").login(outputs["class_password"]).status_code == 403
    teacher = User(class_hub.url, outputs["admin_user"])
    assert teacher.login(outputs["admin_password"]).status_code == 302
    assert teacher.session.get(f"{class_hub.url}/hub/admin").status_code == 200


def test_a_student_is_no_admin(class_hub: Checkout) -> None:
    anna = student(class_hub, "anna")
    assert anna.session.get(f"{class_hub.url}/hub/admin").status_code == 403


def test_the_chosen_image_brings_its_limits(class_hub: Checkout) -> None:
    zoe = student(class_hub, "zoe")
    page = zoe.session.get(f"{class_hub.url}/hub/spawn").text
    assert "half the memory" in page
    zoe.start("Small")
    limits = class_hub.server("zoe").attrs["HostConfig"]
    assert limits["Memory"] == limits["MemorySwap"] == 512_000_000
    zoe.stop()


def test_an_image_that_is_not_offered_is_refused(class_hub: Checkout) -> None:
    mallory = student(class_hub, "mallory")
    mallory.session.get(f"{class_hub.url}/hub/spawn")
    form = {"image": "alpine:latest", "_xsrf": mallory._xsrf("/hub/")}
    answer = mallory.session.post(f"{class_hub.url}/hub/spawn", data=form)
    assert "There is no image" in answer.text
    assert "Python, Small" in answer.text
    assert not class_hub.has_server("mallory")


def test_outputs_are_one_json_document_with_the_same_names_everywhere(class_hub: Checkout) -> None:
    names = {"url", "admin_user", "class_password", "admin_password", "next_steps"}
    assert set(class_hub.outputs) == names
    assert class_hub.outputs["url"] == class_hub.url


def test_a_second_up_changes_nothing(class_hub: Checkout) -> None:
    before = class_hub.ids()
    printed = class_hub.make("up")
    assert re.search(r"Resources:\s+\d+ unchanged", printed)
    assert class_hub.outputs["class_password"] in printed
    assert class_hub.ids() == before
