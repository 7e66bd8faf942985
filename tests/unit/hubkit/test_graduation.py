"""Moving to another hub: homes as streams, accounts."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hubkit import chart, claims, graduation, settings
from hubkit.login.roster import Roster
from hubkit.login.subjects import Subjects
from hubkit.login.taken import Taken
from hubkit.settings import LoginKind
from hubkit.volumes import SENTINEL

from tests.unit.test_settings_document import document
from toolchain.commands.graduate import Home, move
from toolchain.stacks.doors import Door
from toolchain.stacks.homes import OnDocker, Place, Side

OWNER = ("--owner", f"{os.getuid()}:{os.getgid()}")


@pytest.fixture(autouse=True)
def _loop_of_other_tests() -> Iterator[None]:
    """asyncio.run, with which claims are told, ends it."""
    loop = asyncio.get_event_loop_policy().get_event_loop()
    yield
    asyncio.set_event_loop(loop)


def test_a_home_is_called_the_same_in_a_cluster() -> None:
    """kubespawner's `{escaped_username}`, see the hub's chart values."""
    slugs = pytest.importorskip("kubespawner.slugs", reason="kubespawner is not installed here")
    people = ["anna.rossi@unipd.it", "anna", "2026", "a--b", "a-b", "a.b", "a_b", "a+b", "b-"]
    found = graduation.folders(people)
    assert found == {name: slugs.escape_slug(name) for name in people}
    assert len(set(found.values())) == len(people)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "old" / "anna"
    (made / "sub" / "empty").mkdir(parents=True)
    (made / "a.txt").write_text("hello")
    (made / "sub" / "large.bin").write_bytes(os.urandom(3_000_000))
    (made / "sub" / "ünïcode ☃").write_text("snow")
    (made / ("long" * 40)).write_text("name")
    (made / "run.sh").write_text("#!/bin/sh\n")
    (made / "run.sh").chmod(0o750)
    (made / "link").symlink_to("../../outside")
    (made / "inside").symlink_to("a.txt")
    (made / "sub").chmod(0o555)
    return made


def command(homes: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "hubkit.graduation", "--homes", str(homes), *words]


def copied(old: Path, new: Path, folder: str) -> subprocess.CompletedProcess[bytes]:
    with subprocess.Popen(command(old, "pack", "anna"), stdout=subprocess.PIPE) as packing:
        return subprocess.run(
            command(new, "unpack", folder, *OWNER),
            stdin=packing.stdout,
            capture_output=True,
            check=False,
        )


def test_a_home_arrives_as_it_was_also_after_a_kill(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("not the user's")
    new = tmp_path / "new"
    new.mkdir()
    (new / SENTINEL).touch()
    packed = subprocess.run(command(home.parent, "pack", "anna"), capture_output=True, check=True)
    half = packed.stdout[: len(packed.stdout) // 2]
    cut = command(new, "unpack", "anna", *OWNER)
    broken = subprocess.run(cut, input=half, capture_output=True)
    assert broken.returncode != 0
    assert not (new / "anna").exists()  # whole or not at all
    assert copied(home.parent, new, "anna").returncode == 0
    assert graduation.inventory(new / "anna") == graduation.inventory(home)
    assert graduation.inventory(home)["files"] == 5
    assert (new / "anna/link").is_symlink()
    assert (new / "anna/sub").stat().st_mode & 0o777 == 0o555
    assert {path.name for path in new.iterdir()} == {"anna", SENTINEL}
    assert outside.read_text() == "not the user's"


def test_a_home_that_is_there_is_not_touched(home: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    (new / "anna").mkdir(parents=True)
    (new / "anna" / "mine").write_text("new work")
    (new / SENTINEL).touch()
    done = copied(home.parent, new, "anna")
    assert done.returncode == 1
    assert b"anna is on the new hub already, with other files: it was not touched" in done.stderr
    assert (new / "anna" / "mine").read_text() == "new work"


def test_a_folder_of_the_container_itself_takes_no_home(home: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    done = copied(home.parent, new, "anna")
    assert done.returncode == 1
    assert b"is not the volume of homes" in done.stderr
    assert not list(new.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        lambda home: (home / "a.txt").write_text("hallo"),
        lambda home: (home / "a.txt").rename(home / "b.txt"),
        lambda home: (home / "run.sh").chmod(0o755),
        lambda home: (home / "new").mkdir(),
    ],
)
def test_any_difference_is_seen(home: Path, change: object) -> None:
    before = graduation.inventory(home)
    change(home)  # type: ignore[operator]
    assert graduation.inventory(home)["checksum"] != before["checksum"]


def test_sockets_and_pipes_are_left(home: Path) -> None:
    before = graduation.inventory(home)
    os.mkfifo(home / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(home / "socket"))
        assert graduation.inventory(home) == before


@pytest.fixture
def hubs(tmp_path: Path) -> tuple[Any, Any]:
    """The databases of two."""
    from jupyterhub import orm, roles
    from nativeauthenticator.orm import Base
    from sqlalchemy.orm import sessionmaker

    def hub(name: str) -> Any:
        made = orm.new_session_factory(f"sqlite:///{tmp_path}/{name}.sqlite")()
        Base.metadata.create_all(made.get_bind())
        for role in roles.get_default_roles():
            roles.create_role(made, role)
        return sessionmaker(bind=made.get_bind())()

    return hub("old"), hub("new")


def roster(folder: Path, *listed: str) -> Roster:
    folder.mkdir(exist_ok=True)
    return Roster(listed, ["teacher"], folder)


def test_accounts_arrive_and_what_is_there_stays(hubs: tuple[Any, Any], tmp_path: Path) -> None:
    from hubkit.login.passwords import UserInfo
    from jupyterhub import orm

    old, new = hubs
    anna, ben = orm.User(name="anna", admin=True), orm.User(name="ben")
    muons = orm.Group(name="muons", users=[anna, ben])
    old.add_all([anna, ben, muons])
    for name, rounds in (("anna", 12), ("ben", 10), ("out", 12)):  # ben's is a first password
        info = UserInfo(username=name, password=b"$2b$%02d$hash" % rounds)
        info.is_authorized = name != "out"
        old.add(info)
    old.commit()
    new.add(orm.User(name="ben"))
    new.commit()
    told = graduation.export(old, roster(tmp_path / "o", "anna", "ben"), None, {})
    assert set(told["passwords"]) == {"anna", "out"}
    for _ in range(2):  # again changes nothing
        graduation.take(new, told, roster(tmp_path / "n"))
    # Who is an admin there the new stack file says.
    assert {user.name: user.admin for user in new.query(orm.User)} == {"anna": False, "ben": False}
    # The running hub would give it at a login only.
    assert {role.name for role in orm.User.find(new, "anna").roles} == {"user"}
    assert sorted(user.name for user in orm.Group.find(new, "muons").users) == ["anna", "ben"]
    assert UserInfo.find(new, "anna").password == b"$2b$12$hash"
    assert UserInfo.find(new, "anna").is_authorized
    assert not UserInfo.find(new, "out").is_authorized  # waits, or was kept out
    assert UserInfo.find(new, "ben") is None


def test_who_was_taken_off_the_roster_is_off_the_new_one(
    hubs: tuple[Any, Any], tmp_path: Path
) -> None:
    from jupyterhub import orm

    old, new = hubs
    old.add_all([orm.User(name=name) for name in ("anna", "ben", "carla")])
    old.commit()
    before = roster(tmp_path / "o", "anna", "ben")
    before.remove("ben")
    before.add("carla")
    told = graduation.export(old, before, None, {})
    after = roster(tmp_path / "n", "anna", "ben")
    graduation.take(new, told, after)
    assert after.names() == ["anna", "carla", "teacher"]
    after.add("ben")  # what the teacher does there is not undone by the same command
    after.remove("anna")
    graduation.take(new, told, after)
    assert after.names() == ["ben", "carla", "teacher"]


@pytest.mark.parametrize("same", [True, False])
def test_a_name_stays_its_account_s_at_the_same_provider(tmp_path: Path, same: bool) -> None:
    for folder in ("old", "homes/anna", "homes/ben"):
        (tmp_path / folder).mkdir(parents=True)
    taken = Taken(tmp_path, tmp_path / "homes")
    subjects = Subjects(LoginKind.oidc, taken, tmp_path)
    told = {"users": ["anna", "ben"], "provider": "https://iam/", "subjects": {"anna": "1"}}
    graduation.take_subjects(told, "https://iam/" if same else "https://x/", subjects, taken)
    assert subjects.claim("anna", "2", has_account=False) is not same
    # Of whom no id came, the first login has the files, as the teacher has moved them.
    assert subjects.claim("ben", "2", has_account=False)
    assert not subjects.claim("ben", "3", has_account=True)


def test_folders_of_groups_and_shared_arrive_with_their_rights(tmp_path: Path) -> None:
    old, shared, new = (tmp_path / name for name in ("old", "old-shared", "new"))
    for folder, mode in ((old / ".groups/muons", 0o2770), (shared / "data", 0o755)):
        folder.mkdir(parents=True)
        folder.chmod(mode)
        (folder / "a.txt").write_text("theirs")
    (old / "anna").mkdir()
    (shared / "README").write_text("in no folder")
    (shared / ".graduating-data").mkdir()  # of a run that was killed
    new.mkdir()
    (new / SENTINEL).touch()
    found = graduation.beside(old, shared)
    assert {name: place["rights"] for name, place in found.items()} == {
        "group-muons": "2770",
        "shared/data": "755",
    }
    for name, place in found.items():
        packed = subprocess.run(
            command(Path(place["volume"]), "pack", place["folder"]), capture_output=True, check=True
        )
        words = ("unpack", place["folder"], "--owner", place["owner"], "--mode", place["rights"])
        subprocess.run(command(new, *words), input=packed.stdout, check=True)
        arrived = new / place["folder"]
        assert (arrived / "a.txt").read_text() == "theirs", name
        assert oct(arrived.stat().st_mode & 0o7777)[2:] == place["rights"]
    assert (new / ".groups").stat().st_mode & 0o777 == 0o711


def test_who_is_asked_is_this_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from jupyterhub import orm

    file = tmp_path / "settings.json"
    file.write_text(json.dumps(document("local.happy.minimal.yaml")))
    monkeypatch.setattr(settings, "SETTINGS", file)
    monkeypatch.setattr(graduation, "STATE", tmp_path)
    db = orm.new_session_factory(f"sqlite:///{tmp_path}/jupyterhub.sqlite")()
    db.add(orm.User(name="anna-b"))
    db.commit()
    graduation._accounts("folders")
    assert json.loads(capsys.readouterr().out)["anna-b"] == "anna-2db"


@pytest.fixture
def sides(home: Path, tmp_path: Path) -> tuple[Side, Side]:
    """Two hubs whose containers are folders here."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / SENTINEL).touch()
    made = []
    for name in ("old", "new"):
        script = tmp_path / f"into-{name}"
        owner = f'[ "$4" = unpack ] && set -- "$@" {" ".join(OWNER)}'
        run = f'exec {" ".join(command(tmp_path / name))} "$@"'
        script.write_text(f"#!/bin/sh\n{owner}\nshift 3\n{run}\n")  # not: python3 -m hubkit…
        script.chmod(0o755)
        door = Door(name, (str(script),))
        made.append(Side(door, OnDocker(door)))
    return made[0], made[1]


def test_a_home_moves_once_and_goes_on_where_it_stopped(
    home: Path, sides: tuple[Side, Side], capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place("anna")
    known = Home("anna", place, place, graduation.inventory(home))
    assert move(*sides, known)
    assert "5 files, same checksum" in capsys.readouterr().out
    assert move(*sides, known)
    assert "is there already" in capsys.readouterr().out
    (home / "a.txt").write_text("worked on")
    assert not move(*sides, Home("anna", place, place, graduation.inventory(home)))
    assert "it was not touched" in capsys.readouterr().out


@pytest.fixture
def packed(home: Path) -> bytes:
    done = subprocess.run(command(home.parent, "pack", "anna"), capture_output=True, check=True)
    return done.stdout


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    """A new disk of a user's own."""
    made = tmp_path / "claim"
    (made / "lost+found").mkdir(parents=True)
    return made


def unpacked(claim: Path, content: bytes) -> None:
    graduation.unpack_claim(claim, io.BytesIO(content), (os.getuid(), os.getgid()))


def test_a_home_arrives_on_a_claim_of_its_own_also_after_a_kill(
    home: Path, packed: bytes, claim: Path
) -> None:
    assert not graduation.there_is(claim, is_claim=True)
    with pytest.raises(tarfile.ReadError):
        unpacked(claim, packed[: len(packed) // 2])
    assert not graduation.there_is(claim, is_claim=True)  # whole or not at all
    unpacked(claim, packed)
    assert graduation.inventory(claim, is_claim=True) == graduation.inventory(home)
    assert not (claim / ".graduated").exists() and not (claim / ".graduating").exists()
    with pytest.raises(graduation.Refused, match="on the new hub already"):
        unpacked(claim, packed)


def test_a_copy_that_was_killed_while_it_was_moved_up_goes_on(
    home: Path, packed: bytes, claim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[Path] = []
    real = os.rename

    def rename(old: Path, new: Path) -> None:
        moved.append(new)
        if len(moved) == 4:
            raise KeyboardInterrupt
        real(old, new)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "rename", rename)
        unpacked(claim, packed)
    assert 0 < graduation.inventory(claim, is_claim=True)["files"] < 5
    given = io.BytesIO(packed)
    graduation.unpack_claim(claim, given, (os.getuid(), os.getgid()))
    assert graduation.inventory(claim, is_claim=True) == graduation.inventory(home)
    assert not given.read()  # or who sends it would break


def test_what_came_meanwhile_is_not_written_over(packed: bytes, claim: Path) -> None:
    (claim / ".graduated").mkdir()
    (claim / ".graduated" / "a.txt").write_text("old")
    (claim / "a.txt").write_text("new")
    with pytest.raises(graduation.Refused, match=r"a.txt came to be on the new hub meanwhile"):
        unpacked(claim, packed)
    assert (claim / "a.txt").read_text() == "new"


def test_a_claim_that_nothing_is_mounted_from_takes_no_home(packed: bytes, claim: Path) -> None:
    for folder in ("anna", "."):
        words = command(claim, "--claim", "unpack", folder, *OWNER)
        done = subprocess.run(words, input=packed, capture_output=True, check=False)
        assert done.returncode == 1 and b"is not the volume of homes" in done.stderr
    assert [path.name for path in claim.iterdir()] == ["lost+found"]


CONFIG = """
import os
c = get_config()
print("Loading extra config")
c.JupyterHub.db_url = "sqlite:///{state}/other.sqlite"
c.KubeSpawner.namespace = "class"
c.KubeSpawner.uid, c.KubeSpawner.fs_gid = 1000, 100
shared = dict(name="shared", persistentVolumeClaim=dict(claimName="shared"))
home = dict(name="home", persistentVolumeClaim=dict(claimName="{claim}"))
c.KubeSpawner.volumes = {{"shared": shared, "home": home}}
inside = dict(name="shared", mountPath="/home/jovyan/shared")
c.KubeSpawner.volume_mounts = [inside, dict(name="home", mountPath="/home/jovyan"{folder})]
"""
OWN = """
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.pvc_name_template = "claim-{username}"
c.KubeSpawner.storage_class, c.KubeSpawner.storage_capacity = "fast", "7Gi"
c.KubeSpawner.storage_access_modes = ["ReadWriteOnce"]
"""


@pytest.fixture
def in_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hub's database, in a pod whose configuration is as the chart makes it."""
    pytest.importorskip("kubespawner", reason="kubespawner is not installed here")
    from jupyterhub import orm
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **_: None)
    monkeypatch.setattr("kubespawner.spawner.shared_client", lambda _: None)
    monkeypatch.setattr(chart, "CONFIG", tmp_path / "jupyterhub_config.py")
    orm.new_session_factory(f"sqlite:///{tmp_path}/other.sqlite")

    def configured(text: str, **values: str) -> Any:
        chart.CONFIG.write_text(CONFIG.format(state=tmp_path, **values) + text)
        return sessionmaker(bind=create_engine(chart.database(tmp_path)))()

    return configured


def test_homes_on_one_claim_are_folders_of_it(
    in_pod: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    db = in_pod("", claim="homes", folder=", subPath='{escaped_username}'")
    found = claims.homes(db, ["anna", "b.rossi@unipd.it"])
    assert found["b.rossi@unipd.it"] == {
        "claim": "homes",
        "folder": graduation.folders(["b.rossi@unipd.it"])["b.rossi@unipd.it"],
        "owner": "1000:100",
        "manifest": None,
    }
    assert not capsys.readouterr().out  # what the chart's file prints is no answer


def test_claims_of_users_own_are_what_the_spawner_would_make(in_pod: Any) -> None:
    from jupyterhub import orm

    db = in_pod(OWN, claim="{pvc_name}", folder="")
    kept = orm.User(name="anna")
    db.add(kept)
    db.add(orm.Spawner(name="", user=kept, state={"pvc_name": "claim-of-old"}))
    db.commit()
    found = claims.homes(db, ["anna", "b.rossi@unipd.it"])
    assert found["anna"]["claim"] == "claim-of-old"  # the spawner remembers it
    other = found["b.rossi@unipd.it"]
    assert other["claim"] == other["manifest"]["metadata"]["name"]
    assert other["claim"].startswith("claim-b-rossi-unipd-it---")
    assert other["folder"] == "."
    assert other["manifest"]["kind"] == "PersistentVolumeClaim"
    assert other["manifest"]["spec"]["storageClassName"] == "fast"
    assert other["manifest"]["spec"]["resources"] == {"requests": {"storage": "7Gi"}}
    assert json.loads(json.dumps(found)) == found


def test_a_hub_without_a_claim_of_homes_says_so(in_pod: Any) -> None:
    with pytest.raises(claims.NoClaim, match="on no claim"):
        claims.homes(in_pod("c.KubeSpawner.volumes = []", claim="", folder=""), ["anna"])


def test_the_database_is_the_hubs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart, "CONFIG", tmp_path / "jupyterhub_config.py")
    assert chart.database(tmp_path) == f"sqlite:///{tmp_path}/jupyterhub.sqlite"
    chart.CONFIG.write_text("c = get_config()\nc.JupyterHub.db_url = 'postgresql://db/hub'")
    assert chart.database(tmp_path) == "postgresql://db/hub"
