"""The hub's own code on Kubernetes, without a cluster; tests/kubernetes runs it on one."""

from __future__ import annotations

import asyncio
import json
import random
import string
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from escapism import unescape
from hubkit import events, kubernetes, names, on_docker, settings
from hubkit.pods import PodSpawner
from jupyterhub.app import JupyterHub
from kubernetes_asyncio.client.rest import ApiException
from tornado import web
from traitlets.config import Config

from tests.unit.test_settings_document import document

SECRETS = {
    "cookie_secret": "ab" * 32,
    "crypt_key": "cd" * 32,
    "class_password": "bakery-lemon",
    "admin_password": "x" * 32,
}
NO_MEMORY = "0/3 nodes are available: 1 Too many pods, 2 Insufficient memory. preemption: no."


def chart() -> Config:
    """What the chart's own configuration has set when ours begins."""
    c = Config()
    c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
    c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
    c.JupyterHub.hub_bind_url = "http://:8081"
    c.JupyterHub.services = [{"name": "dask-gateway"}]
    c.JupyterHub.load_roles = [{"name": "of-the-chart"}]
    c.JupyterHub.template_paths = ["/own/templates"]
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    c.KubeSpawner.environment = {"OWN": "1"}
    return c


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The documents where the hub finds them; the folder is its state."""
    for name, content in (
        ("SETTINGS", document("local.happy.minimal.yaml", on_docker=False)),
        ("SECRETS", SECRETS),
    ):
        file = tmp_path / f"{name.lower()}.json"
        file.write_text(json.dumps(content))
        monkeypatch.setattr(settings, name, file)
    monkeypatch.setattr(kubernetes, "STATE", tmp_path)
    return tmp_path


def test_what_the_chart_has_set_stays(told: Path) -> None:
    c = chart()
    kubernetes.configure(c)
    found = {service["name"] for service in c.JupyterHub.services}
    assert found == {"dask-gateway", "idle-culler"}
    assert "of-the-chart" in {role["name"] for role in c.JupyterHub.load_roles}
    assert c.JupyterHub.template_paths[0] == "/own/templates"
    cookies = {"cookie_options": {"samesite": "Lax"}}
    assert c.JupyterHub.tornado_settings == {"slow_spawn_timeout": 0} | cookies
    assert c.KubeSpawner.environment["OWN"] == "1"
    assert c.KubeSpawner.environment["CULLING_TIMEOUT"] == "3600"
    assert c.JupyterHub.hub_bind_url == "http://:8081"
    assert c.JupyterHub.spawner_class is PodSpawner


def test_services_reach_the_hub_where_the_network_policy_lets_them(told: Path) -> None:
    c = chart()
    c.JupyterHub.base_url = "/class/"
    kubernetes.configure(c)
    (culler,) = c.JupyterHub.services[1:]
    assert "--url=http://localhost:8081/class/hub/api" in culler["command"]


def test_the_database_is_with_the_kept_files_and_copied_before_an_upgrade(told: Path) -> None:
    c = chart()
    kubernetes.configure(c)
    assert c.JupyterHub.db_url == f"sqlite:///{told}/jupyterhub.sqlite"
    assert (told / "version").exists()
    (told / "version").write_text("9.0.0 1")
    with pytest.raises(SystemExit, match="hub not started"):
        kubernetes.configure(chart())


def test_a_database_elsewhere_is_left_alone(told: Path) -> None:
    c = chart()
    c.JupyterHub.db_url = "postgresql://db/hub"
    kubernetes.configure(c)
    assert c.JupyterHub.db_url == "postgresql://db/hub"


def test_both_places_have_the_same_logins_pages_and_culling(told: Path) -> None:
    """Apart from what is named here, no setting of the hub differs."""
    here, there = Config(), chart()
    made = settings.Settings.model_validate(document("local.happy.minimal.yaml"))
    on_docker.configure(here, made, settings.load_secrets())
    kubernetes.configure(there)
    differing = {"db_url", "bind_url", "hub_bind_url", "hub_connect_ip", "concurrent_spawn_limit"}
    differing |= {"proxy_class", "spawner_class", "services", "load_roles", "template_paths"}
    differing |= {"tornado_settings", "extra_handlers", "authenticator_class"}
    here.JupyterHub.template_vars.pop("work_together")  # groups' folders need a host
    logins = [c.JupyterHub.authenticator_class.__bases__ for c in (here, there)]
    assert logins[0] == logins[1]
    for name in ("JupyterHub", "Authenticator", "CryptKeeper", "ClassPasswordAuthenticator"):
        common_part = {k: v for k, v in here[name].items() if k not in differing}
        assert {k: there[name].get(k) for k in common_part} == common_part


def test_a_pod_may_ask_for_its_users_login_token(told: Path) -> None:
    settings.SETTINGS.write_text(json.dumps(document("local.happy.provider.yaml", on_docker=False)))
    settings.SECRETS.write_text(json.dumps(SECRETS | {"oidc_client_secret": "x"}))
    c = chart()
    kubernetes.configure(c)
    spawner = PodSpawner(_mock=True, config=c)
    own = "custom:login-token!user"
    assert own in spawner.server_token_scopes
    (user,) = (role for role in c.JupyterHub.load_roles if role["name"] == "user")
    assert own in user["scopes"]


def test_settings_of_one_place_are_refused_by_the_other(told: Path) -> None:
    with pytest.raises(ValueError, match="for Kubernetes"):
        on_docker.configure(Config(), settings.load_settings(), settings.load_secrets())


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spawner looks for its cluster when it is made."""
    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **_: None)
    monkeypatch.setattr("kubespawner.spawner.shared_client", lambda _: None)


def spawner(name: str, **state: Any) -> PodSpawner:
    user = SimpleNamespace(name=name, id=7, url="/user/x", server=None, admin=False)
    made = PodSpawner(user=user, config=Config(), _mock=True)
    made.load_state(state)
    return made


# Changing one of these makes somebody's home look lost.
HOMES = {
    "anna": "anna",
    "anna.rossi@unipd.it": "anna-2erossi-40unipd-2eit",
    "a-b": "a-2db",
    "42": "42",
    "x" * 63: "x" * 63,
}


@pytest.mark.parametrize(("name", "folder"), HOMES.items())
def test_homes_have_the_same_name_as_on_a_docker_host(name: str, folder: str) -> None:
    made = spawner(name)
    assert made._expand_user_properties("{escaped_username}") == names.escaped(name) == folder


def test_no_two_users_share_a_pod_or_a_home() -> None:
    chance = random.Random(7)
    letters = string.ascii_lowercase + string.digits + "._@+-"
    found = set()
    while len(found) < 1000:
        name = "".join(chance.choices(letters, k=chance.choice([1, 2, 3, 40, 63])))
        if names.is_allowed(name):
            found.add(name)
    made = [spawner(name) for name in sorted(found)]
    assert len({each.pod_name for each in made}) == 1000
    folders = {each._expand_user_properties("{escaped_username}") for each in made}
    assert len(folders) == 1000
    # Who looks after the files can tell whose a folder is.
    assert {unescape(folder, "-") for folder in folders} == found
    assert all(len(each.pod_name) <= 63 for each in made)


def test_a_claim_once_made_is_the_user_s_whatever_the_template_says() -> None:
    assert spawner("anna", pvc_name="claim-of-old").pvc_name == "claim-of-old"


@pytest.mark.parametrize("told", [{}, {"delete_pvc": True}], ids=["stock", "by the values"])
def test_a_user_who_is_deleted_finds_the_home_again(told: dict[str, bool]) -> None:
    config = Config()
    config.KubeSpawner.update({"storage_pvc_ensure": True} | told)
    user = SimpleNamespace(name="anna", id=7, url="/user/x", server=None, admin=False)
    made = PodSpawner(user=user, config=config, _mock=True)
    asked: list[str] = []
    made._make_delete_pvc_request = lambda name, _: asked.append(name) or True
    with closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(made.delete_forever())
    assert asked == []


def event(reason: str, message: str = "") -> dict[str, Any]:
    return {"reason": reason, "message": message, "involvedObject": {"uid": "1"}}


@pytest.mark.parametrize(
    ("said", "seconds", "words"),
    [
        ([event("FailedScheduling", NO_MEMORY)], 61, "enough free memory and a place"),
        ([event("FailedScheduling", NO_MEMORY)], 5, None),
        ([event("FailedScheduling", NO_MEMORY), event("TriggeredScaleUp")], 200, None),
        ([event("FailedScheduling", NO_MEMORY), event("NotTriggerScaleUp")], 2, "no room"),
        ([event("FailedScheduling", "0/1: 1 Insufficient nvidia.com/gpu.")], 61, "a free GPU"),
        (
            [event("FailedScheduling", "0/1: pod has unbound immediate PersistentVolumeClaims")],
            61,
            "disk for your files",
        ),
        ([event("FailedScheduling", "1 node(s) didn't match Pod's node selector")], 61, "fits"),
        ([event("FailedScheduling", NO_MEMORY), event("Scheduled")], 99, None),
        (
            [event("Scheduled"), event("BackOff", 'Back-off pulling image "x/y:1"')],
            3,
            "image x/y:1 can't be had",
        ),
        (
            [event("Scheduled"), event("ErrImageNeverPull", 'Container image "z" is not present')],
            1,
            "image z can't be had",
        ),
        ([event("BackOff", "Back-off restarting failed container")], 9, "ended as soon as"),
        ([event("Scheduled"), event("FailedMount", "timed out")], 200, "could not be attached"),
        ([event("Scheduled"), event("FailedMount", "timed out"), event("Started")], 200, None),
    ],
)
def test_why_a_pod_does_not_start_in_words(
    said: list[dict[str, Any]], seconds: float, words: str | None
) -> None:
    found = events.why_not(said, seconds)
    assert found is None if words is None else words in (found or "")


def test_a_quota_is_told() -> None:
    answer = {"message": 'pods "x" is forbidden: exceeded quota: class, requested: pods=1, used: 2'}
    made = spawner("anna")

    async def start() -> None:
        async def refused() -> str:
            error = ApiException(status=403, reason="Forbidden")
            error.body = json.dumps(answer)
            raise error

        made._start = refused
        await made.start()

    loop = asyncio.new_event_loop()  # asyncio.run would end the one of other tests
    try:
        with pytest.raises(web.HTTPError) as caught:
            loop.run_until_complete(start())
    finally:
        loop.close()
    assert "the quota is used up (pods=1" in caught.value.jupyterhub_message  # type: ignore[attr-defined]


def test_the_hub_takes_the_spawner() -> None:
    app = JupyterHub(config=Config({"JupyterHub": {"spawner_class": PodSpawner}}))
    assert app.spawner_class is PodSpawner


def test_a_server_may_answer_as_late_as_it_may_start() -> None:
    made = spawner("anna")
    made.start_timeout = 480
    assert made.http_timeout == 480
