"""Day-2 commands for the hub in the cluster, and a class that moves there from a Docker engine."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
import yaml
from docker.models.containers import Container
from hubkit import names
from hubkit.volumes import SENTINEL

from components import JupyterHubHostArgs
from components.jupyterhub_host.settings import settings_document
from tests.checkout import ENGINE, Checkout
from tests.kubernetes.stack import HUB, Hub
from tests.servers.kubernetes import build
from tests.unit.hubkit.test_kubernetes import SECRETS
from toolchain.commands.graduate import Home, move
from toolchain.setup.steps import Problem
from toolchain.stacks.cluster import HUB as HUB_POD
from toolchain.stacks.cluster import Cluster as Way
from toolchain.stacks.doors import Door
from toolchain.stacks.homes import InCluster, OnDocker, Place, Side
from toolchain.stacks.homes_pod import HomesPod

pytestmark = pytest.mark.timeout(3000)  # the first one may build Kubernetes
NAME = "maria-c.rossi@unipd.it"  # on the old hub's roster only
PASSWORD = "chosen-by-herself"
HOME = f"/srv/homes/{names.escaped(NAME)}"
OLD = "tmoved"  # no name of another test: lanes run side by side
SETTINGS = settings_document(
    JupyterHubHostArgs(login={"kind": "roster", "users": [NAME]}, admins=["teacher"]),
    deployment=f"jupyterhub-{OLD}",
    public_url="http://127.0.0.1",
    references=["any"],
    environment={},
    engine=None,
)
ACCOUNTS = f"""
import bcrypt
from jupyterhub import orm
from nativeauthenticator.orm import Base, UserInfo

db = orm.new_session_factory("sqlite:////srv/state/jupyterhub.sqlite")()
Base.metadata.create_all(db.get_bind())
maria = orm.User(name={NAME!r})
chosen = bcrypt.hashpw({PASSWORD.encode()!r}, bcrypt.gensalt(12))
db.add_all([maria, orm.Group(name="muons", users=[maria])])
db.add(UserInfo(username={NAME!r}, password=chosen, is_authorized=True))
db.commit()
"""
FILES = f"""
mkdir -p /srv/state {HOME}/data && cd {HOME} && touch /srv/homes/{SENTINEL}
echo 'a year of work' >data/notes.txt && ln -s data/notes.txt link && chmod 0600 data/notes.txt
mkdir group && chmod 2775 group && chmod 0500 data
chown -R 1000:100 . && chmod 2775 group && chmod 0700 .
"""


@pytest.fixture(scope="module")
def old(hub: Hub) -> Iterator[str]:
    """A hub on this machine's Docker, as a stack beside the one in the cluster."""
    checkout = hub.checkout
    login = {"kind": "roster", "users": [NAME]}
    config = {"jupyterhub:platform": "local", "jupyterhub:hub": {"login": login}}
    file = checkout.file.with_name(f"Pulumi.{OLD}.yaml")
    file.write_text(yaml.safe_dump({"config": config}))
    checkout.make("setup", f"STACK={OLD}")
    name = f"jupyterhub-{OLD}-hub"
    for left in ENGINE.containers.list(all=True, filters={"name": f"^{name}$"}):
        left.remove(force=True)  # of a run that was killed
    container = ENGINE.containers.run(HUB, ["sleep", "3600"], name=name, detach=True, init=True)
    try:
        write = "mkdir -p /etc/jupyterhub && cd /etc/jupyterhub"
        for file, told in (("settings.json", SETTINGS), ("secrets.json", SECRETS)):
            write += f" && echo {shlex.quote(json.dumps(told))} >{file}"
        for command in (["sh", "-c", write], ["sh", "-ec", FILES], ["python3", "-c", ACCOUNTS]):
            done(container, command)
        yield OLD
    finally:
        container.remove(force=True)


def done(container: Container, command: list[str]) -> str:
    code, said = container.exec_run(command)
    assert code == 0, said.decode()
    return str(said.decode())


@pytest.fixture
def in_cluster(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> InCluster:
    """Homes behind a pod that may write."""
    monkeypatch.setenv("PATH", f"{build.programs()}:{os.environ['PATH']}")
    namespace = hub.checkout.deployment
    words = ("kubectl", "--kubeconfig", str(hub.cluster.kubeconfig), "--namespace", namespace)
    way = Way(hub.checkout.stack, namespace, words)
    return InCluster(way, Door("", way.into(HUB_POD)), HomesPod(way, writes=True))


@pytest.fixture
def checkout(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """Where commands are run, with the kubectl that was built."""
    path = f"{build.programs()}:{hub.checkout.environment['PATH']}"
    monkeypatch.setitem(hub.checkout.environment, "PATH", path)
    return hub.checkout


def test_logs_and_roster_of_a_hub_in_a_cluster(checkout: Checkout) -> None:
    assert " JupyterHub " in checkout.make("logs", "WHAT=hub")
    way_in = checkout.make("logs", "WHAT=proxy")
    assert f"== deployment.apps/{checkout.deployment}-proxy" in way_in
    assert '"GET /hub/' in way_in  # Traefik's
    assert "== deployment.apps/proxy" in checkout.make("logs")
    assert "b.rossi@unipd.it" in checkout.make("roster")


def test_a_class_moves_from_docker_into_the_cluster(hub: Hub, checkout: Checkout, old: str) -> None:
    graduate = ("graduate", f"FROM={old}", f"TO={checkout.stack}")
    said = checkout.make(*graduate)
    assert f"{NAME}: 1 files" in said and "Nothing was changed" in said
    assert NAME not in checkout.make("roster")
    said = checkout.make(*graduate, "GO=1")
    assert f"Home of {NAME}: 1 files, same checksum" in said
    assert "graduation" not in hub.kubectl("get", "pods", "-o", "name")
    mounts = "jsonpath={.spec.template.spec.containers[*].volumeMounts[*].mountPath}"
    assert "/srv/homes" not in hub.kubectl("get", "deploy", "hub", "-o", mounts)
    user = hub.user(NAME, PASSWORD)
    user.start("python", chosen_as="profile")
    assert user.run("print(open('link').read())") == "a year of work"
    assert user.run("import os; print(os.access('link', os.W_OK), os.readlink('link'))") == (
        "True data/notes.txt"
    )
    user.run("open('group/new', 'w').write('hers')")
    user.stop()
    assert "DIFFERS on the new hub" in checkout.make(*graduate)


def test_a_home_moves_onto_a_claim_of_its_own(hub: Hub, in_cluster: InCluster, old: str) -> None:
    claim = "claim-maria"
    objects = hub.cluster.volumes(hub.checkout.deployment, claim)
    hub.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(objects))
    chosen = {"storageClassName": hub.cluster.storage_class} if hub.cluster.storage_class else {}
    request = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    made = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim},
        "spec": request | chosen,
    }
    there = Place(".", claim, "1000:100", made)
    assert in_cluster.look(there) is None
    door = Door(old, ("docker", "exec", "-i", f"jupyterhub-{old}-hub"))
    before = OnDocker(door).open(Place(names.escaped(NAME)))
    known = before.inventory()
    assert known
    with closing(in_cluster.pod):
        sides = Side(door, OnDocker(door)), Side(in_cluster.hub, in_cluster)
        assert move(*sides, Home(NAME, before.place, there, known))
    with closing(HomesPod(in_cluster.way, writes=False)) as pod:
        found = replace(in_cluster, pod=pod).look(there)
        assert found and found.inventory() == known
        with pytest.raises(Problem, match="Read-only file system"):
            found.door.ask("--claim", "unpack", "another")
    assert "graduation" not in hub.kubectl("get", "pods", "-o", "name")
    hub.kubectl("delete", "persistentvolumeclaim", claim, "--wait=false")
