"""User names that can't be, and names that are merely unusual."""

from __future__ import annotations

import pytest
import requests

from tests.checkout import Checkout
from tests.client import User, logged_in


def routes(hub: Checkout) -> set[str]:
    api = f"http://127.0.0.1:{hub.port + 100}/api/http/routers?per_page=1000"
    return {router["rule"] for router in requests.get(api, timeout=10).json()}


@pytest.mark.parametrize("name", ["anna`", "a/b", "../etc", "x" * 200, "ben smith", "anna\n", "ä"])
def test_a_name_that_cannot_be_is_refused_with_the_reason(class_hub: Checkout, name: str) -> None:
    before = routes(class_hub)
    answer = User(class_hub.url, name).login(class_hub.secrets()["class_password"])
    # JupyterHub strips white space around a name before anybody sees it.
    if name.strip() == name:
        assert answer.status_code == 403
        assert "A name is 1 to 63 small letters" in answer.text
    assert routes(class_hub) == before


def test_unusual_names_get_places_of_their_own(class_hub: Checkout) -> None:
    password = class_hub.secrets()["class_password"]
    before = routes(class_hub)
    names = ["anna.rossi@unipd.it", "anna-rossi", "anna+rossi@unipd.it"]
    users = [logged_in(class_hub.url, name, password) for name in names]
    for user in users:
        user.start("Small")
        user.run(f"open('mine', 'w').write({user.name!r})")
    assert users[0].run("print(open('mine').read())") == names[0]
    assert users[1].run("print(open('mine').read())") == names[1]
    assert users[2].run("print(open('mine').read())") == names[2]
    new = routes(class_hub) - before
    assert len(new) == 3
    assert all("/user/anna" in rule for rule in new)
    for spelled in ("anna+rossi@unipd.it", "anna%2Brossi@unipd.it", "anna%2Brossi%40unipd.it"):
        page = users[2].session.get(f"{class_hub.url}/user/{spelled}/api")
        assert page.status_code == 200 and "version" in page.json()
    for user in users:
        user.stop()
    assert routes(class_hub) == before


def test_capitals_are_the_same_user(class_hub: Checkout) -> None:
    anna = User(class_hub.url, "ANNA")
    assert anna.login(class_hub.secrets()["class_password"]).status_code == 302
    me = anna.session.get(f"{class_hub.url}/hub/home").text
    assert "anna" in me
