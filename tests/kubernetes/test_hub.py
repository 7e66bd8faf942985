"""Our hub on a real Kubernetes: login, a pod with a notebook, a cell, a home that is kept."""

from __future__ import annotations

import pytest

from tests.client import User, eventually
from tests.kubernetes.stack import COURSE, PORT, Hub

pytestmark = pytest.mark.timeout(3000)  # the first one may build Kubernetes


def started(user: User) -> float:
    """A server of the size that is proposed; the seconds it took."""
    return user.start("python", chosen_as="profile")


def test_a_notebook_in_a_pod_and_a_home_that_is_kept(hub: Hub) -> None:
    name = "b.rossi@unipd.it"
    user = hub.user(name)
    print(f"first server: {started(user):.1f} s")
    assert user.run("import os; print(os.environ['COURSE'])") == COURSE
    user.run("open('kept.txt', 'w').write('mine')")
    user.stop()
    eventually("no pod", lambda: not hub.pods(), 120)
    print(f"second server: {started(user):.1f} s")
    assert user.run("print(open('kept.txt').read())") == "mine"
    (pod,) = hub.pods()
    (home,) = (m for m in pod["spec"]["containers"][0]["volumeMounts"] if m["name"] == "home")
    assert home["subPath"] == "b-2erossi-40unipd-2eit"
    user.stop()


def test_the_way_in_is_as_safe_as_on_a_docker_host(hub: Hub) -> None:
    session = hub.visitor("nobody").session
    page = session.get(f"{hub.url}/hub/login")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert session.cookies and all(cookie.secure for cookie in session.cookies)
    assert hub.url == f"https://127.0.0.1:{PORT}"  # the address that the service was given
    name = f"{hub.checkout.deployment}-proxy"
    who = f"--as=system:serviceaccount:{hub.checkout.deployment}:{name}"
    allowed = hub.kubectl("auth", "can-i", "list", "secrets", who)
    assert allowed.strip() == "yes"
    with pytest.raises(AssertionError):  # kubectl's exit code says no
        hub.kubectl("auth", "can-i", "list", "secrets", "--all-namespaces", who)


def test_others_stay_out(hub: Hub) -> None:
    answer = hub.visitor("mallory").login("bakery-lemon")
    assert "Invalid username or password" in answer.text
    assert hub.visitor("anna").session.get(f"{hub.url}/hub/api/users").status_code == 403


def test_a_new_hub_ends_no_server_and_ends_its_token_with_it(hub: Hub) -> None:
    user = hub.user("anna")
    started(user)
    token = user.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")
    header = {"Authorization": f"token {token}"}
    me = f"{hub.url}/hub/api/user"
    with user.kernel() as kernel:
        kernel.run("x = 5")
        hub.kubectl("rollout", "restart", "deploy/hub")
        hub.kubectl("rollout", "status", "deploy/hub", "--timeout=300s")
        assert kernel.run("print(x)") == "5"
    assert user.is_open()
    assert hub.visitor("nobody").session.get(me, headers=header).json()["name"] == "anna"
    user.stop()
    assert hub.visitor("nobody").session.get(me, headers=header).status_code == 403


def test_what_no_machine_holds_is_told_in_words(hub: Hub) -> None:
    user = hub.user("anna")
    user.ask_for_server("huge", "profile")

    def told() -> bool:
        page = user.session.get(f"{hub.url}/hub/spawn-pending/anna").text
        return "no machine has enough free memory" in page

    eventually("why there is no server", told, 240)
    eventually("no pod", lambda: not hub.pods(), 120)
