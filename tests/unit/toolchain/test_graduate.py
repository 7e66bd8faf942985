"""A class moves into a cluster and out of it, behind a `kubectl` that is a script."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hubkit.volumes import SENTINEL

from toolchain.commands import graduate as command
from toolchain.commands.graduate import graduate
from toolchain.setup.steps import Problem
from toolchain.stacks import doors
from toolchain.stacks.doors import Door
from toolchain.stacks.stack import Stack

from . import cluster as fake
from .cluster import FakeCluster, stack

OWNER = f"{os.getuid()}:{os.getgid()}"
FOLDERS = {"anna": "anna", "b.rossi": "b-2erossi", "cleo": "cleo"}
TOLD = {"users": {}, "groups": {}, "roster": list(FOLDERS), "passwords": {}}
_DOOR = """\
#!/bin/sh
shift 3  # python3 -m hubkit.graduation
[ "$1" = --homes ] && shift 2  # a container's path
case $1 in
  folders | beside | export) cat {root}/$1.json ;;
  import) cat >{root}/imported.json ;;
  unpack) exec {python} -m hubkit.graduation --homes {root}/homes "$@" --owner {owner} ;;
  *) exec {python} -m hubkit.graduation --homes {root}/homes "$@" ;;
esac
"""


class Docker:
    """A hub whose container is a folder here."""

    def __init__(self, root: Path) -> None:
        self.root, self.homes = root, root / "homes"
        self.homes.mkdir(parents=True)
        (self.homes / SENTINEL).touch()
        (root / "folders.json").write_text(json.dumps(FOLDERS))
        (root / "beside.json").write_text("{}")
        (root / "export.json").write_text(json.dumps(TOLD))
        script = root / "into"
        script.write_text(_DOOR.format(root=root, python=sys.executable, owner=OWNER))
        script.chmod(0o755)
        self.door = Door("class", (str(script),))


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    found = Docker(tmp_path / "docker")
    monkeypatch.setattr(doors, "on_docker", lambda _: found.door)
    return found


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    def existing(name: str) -> tuple[Stack, dict[str, Any]]:
        return stack(name, "local" if name == "class" else "kubernetes"), {}

    monkeypatch.setattr(command, "existing", existing)
    found = fake.made(tmp_path / "cluster", monkeypatch)
    found.says("folders", json.dumps(FOLDERS))
    found.says("export", json.dumps(TOLD))
    found.says("import", "")
    return found


def fill(home: Path, text: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "notes.txt").write_text(text)
    (home / "link").symlink_to("notes.txt")


def one_for_all(cluster: FakeCluster) -> Path:
    place = {"claim": "homes", "owner": OWNER, "manifest": None}
    told = {name: place | {"folder": folder} for name, folder in FOLDERS.items()}
    cluster.says("claims", json.dumps(told))
    cluster.claim("homes").mkdir()
    return cluster.claim("homes")


def one_each(cluster: FakeCluster) -> None:
    def claim(name: str) -> dict[str, Any]:
        return {"kind": "PersistentVolumeClaim", "metadata": {"name": f"claim-{name}"}}

    told = {
        name: {
            "claim": f"claim-{name}",
            "folder": ".",
            "owner": OWNER,
            "manifest": claim(name),
        }
        for name in FOLDERS
    }
    cluster.says("claims", json.dumps(told))


def test_homes_move_onto_a_claim_for_all(
    docker: Docker, cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    homes = one_for_all(cluster)
    fill(docker.homes / "anna", "hers")
    fill(docker.homes / "b-2erossi", "his")
    graduate("class", "facility", go=False)
    printed = capsys.readouterr().out
    assert "b.rossi: 1 files" in printed and "cleo: has no home" in printed
    assert "Nothing was changed" in printed
    assert not list(homes.iterdir()) and cluster.imported() is None
    (looking,) = cluster.pods
    assert looking["spec"]["containers"][0]["volumeMounts"][0]["readOnly"]
    graduate("class", "facility", go=True)
    printed = capsys.readouterr().out
    assert "Accounts and homes are on facility" in printed
    assert "Not moved: shared/ and folders of groups" in printed
    assert cluster.imported() == TOLD
    assert (homes / "b-2erossi" / "notes.txt").read_text() == "his"
    assert (homes / "anna" / "link").is_symlink()
    assert len(cluster.pods) == 2 and not cluster.has_pod()
    graduate("class", "facility", go=True)
    assert "b.rossi: is there already" in capsys.readouterr().out


def test_the_pod_may_write_homes_and_nothing_else(docker: Docker, cluster: FakeCluster) -> None:
    one_for_all(cluster)
    fill(docker.homes / "anna", "hers")
    graduate("class", "facility", go=True)
    (pod,) = cluster.pods
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert pod["metadata"]["name"] == "jupyterhub-facility-graduation"
    assert spec["automountServiceAccountToken"] is False
    assert spec["activeDeadlineSeconds"] == int(container["command"][1]) == 24 * 3600
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert container["image"] == "ghcr.io/you/hub@sha256:1"
    assert container["securityContext"] == {
        "runAsUser": 0,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]},
    }
    assert container["volumeMounts"] == [
        {"name": "homes", "mountPath": "/srv/homes", "readOnly": False}
    ]
    assert spec["volumes"] == [{"name": "homes", "persistentVolumeClaim": {"claimName": "homes"}}]


def test_homes_move_onto_claims_of_users_own(
    docker: Docker, cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    one_each(cluster)
    fill(docker.homes / "anna", "hers")
    fill(docker.homes / "b-2erossi", "his")
    graduate("class", "facility", go=False)
    assert not list((cluster.root / "claims").iterdir()) and not cluster.pods
    graduate("class", "facility", go=True)
    assert (cluster.claim("claim-b.rossi") / "notes.txt").read_text() == "his"
    assert (cluster.claim("claim-anna") / "notes.txt").read_text() == "hers"
    assert not cluster.claim("claim-cleo").exists()  # who has no home gets no claim
    assert len(cluster.pods) == 2 and not cluster.has_pod()
    graduate("class", "facility", go=False)
    assert "anna: is there already" in capsys.readouterr().out


def test_homes_move_out_of_a_cluster(
    docker: Docker, cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    one_each(cluster)
    fill(cluster.claim("claim-b.rossi"), "his")
    (cluster.claim("claim-b.rossi") / "lost+found").mkdir()  # the disk's own
    graduate("facility", "class", go=True)
    assert (docker.homes / "b-2erossi" / "notes.txt").read_text() == "his"
    assert not (docker.homes / "b-2erossi" / "lost+found").exists()
    assert json.loads((docker.root / "imported.json").read_text()) == TOLD
    (container,) = cluster.pods[0]["spec"]["containers"]
    assert container["volumeMounts"][0]["readOnly"]
    assert container["securityContext"]["capabilities"]["add"] == ["DAC_OVERRIDE"]
    assert not cluster.has_pod()
    assert not cluster.claim("claim-anna").exists()


def test_two_users_with_one_home_are_refused_before_anything_is_touched(
    docker: Docker, cluster: FakeCluster
) -> None:
    one_each(cluster)
    told = json.loads((cluster.root / "says" / "claims").read_text())
    told["cleo"]["claim"] = told["anna"]["claim"]
    cluster.says("claims", json.dumps(told))
    fill(docker.homes / "anna", "hers")
    with pytest.raises(Problem, match="anna and cleo would have the same home on facility"):
        graduate("class", "facility", go=True)
    assert cluster.imported() is None
    assert not cluster.pods and not list((cluster.root / "claims").iterdir())


def test_a_pod_that_a_killed_run_left_is_replaced(docker: Docker, cluster: FakeCluster) -> None:
    one_for_all(cluster)
    fill(docker.homes / "anna", "hers")
    (cluster.root / "pod.json").write_text("{}")
    graduate("class", "facility", go=True)
    assert (cluster.claim("homes") / "anna" / "notes.txt").read_text() == "hers"
    assert not cluster.has_pod()


def test_a_pod_that_does_not_start_is_told_and_taken_away(
    docker: Docker, cluster: FakeCluster
) -> None:
    one_for_all(cluster)
    fill(docker.homes / "anna", "hers")
    (cluster.root / "stuck").touch()
    with pytest.raises(Problem, match="The cluster says: 0/3 nodes are available: volume is on"):
        graduate("class", "facility", go=True)
    assert len(cluster.pods) == 1 and not cluster.has_pod()


def test_a_home_with_other_files_is_left_and_the_rest_moves(
    docker: Docker, cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    one_each(cluster)
    fill(docker.homes / "anna", "hers")
    fill(docker.homes / "cleo", "old")
    fill(cluster.claim("claim-cleo"), "new")
    with pytest.raises(Problem, match=r"Not moved: cleo, see above"):
        graduate("class", "facility", go=True)
    assert "is on the new hub already, with other files" in capsys.readouterr().out
    assert (cluster.claim("claim-cleo") / "notes.txt").read_text() == "new"
    assert (cluster.claim("claim-anna") / "notes.txt").read_text() == "hers"


def test_a_hub_that_is_older_is_told(docker: Docker, cluster: FakeCluster) -> None:
    (cluster.root / "refuses").write_text("error: argument command: invalid choice: 'claims'")
    with pytest.raises(Problem, match="facility is older than this command: make up STACK=facil"):
        graduate("class", "facility", go=False)


def test_folders_of_groups_move_between_docker_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = {name: Docker(tmp_path / name) for name in ("class", "facility")}
    monkeypatch.setattr(doors, "on_docker", lambda found: sides[found.name].door)
    monkeypatch.setattr(command, "existing", lambda name: (stack(name, "local"), {}))
    fill(sides["class"].homes / "anna", "hers")
    fill(sides["class"].homes / ".groups/muons", "theirs")
    place = {"folder": ".groups/muons", "volume": "/srv/homes", "owner": OWNER, "rights": "770"}
    (sides["class"].root / "beside.json").write_text(json.dumps({"group-muons": place}))
    graduate("class", "facility", go=False)
    assert "group-muons: 1 files" in capsys.readouterr().out
    graduate("class", "facility", go=True)
    printed = capsys.readouterr().out
    assert "Accounts and homes, folders of groups and of shared/ are on facility" in printed
    assert "tokens that people made" in printed and "Everything" not in printed
    moved = sides["facility"].homes / ".groups/muons"
    assert (moved / "notes.txt").read_text() == "theirs"
    assert moved.stat().st_mode & 0o777 == 0o770
