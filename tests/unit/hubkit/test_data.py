"""What guards users' data: sentinels, the database's copies, folders without tricks."""

import io
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import jupyterhub
import pytest
from hubkit import database, homes, kept, volumes
from sqlalchemy import create_engine


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, dict[str, Path]]:
    state, folders = tmp_path / "state", {n: tmp_path / n for n in ("homes", "shared")}
    for folder in (state, *folders.values()):
        folder.mkdir()
    return state, folders


def test_the_same_volumes_pass_again(data: tuple[Path, dict[str, Path]]) -> None:
    volumes.check(*data)
    volumes.check(*data)


def test_an_emptied_volume_is_reported_every_time(data: tuple[Path, dict[str, Path]]) -> None:
    state, folders = data
    volumes.check(state, folders)
    (folders["homes"] / volumes.SENTINEL).unlink()
    for _ in range(2):
        with pytest.raises(volumes.VolumeLost, match=r"`homes`.*ACCEPT_EMPTY=homes"):
            volumes.check(state, folders)
    assert list(folders["homes"].iterdir()) == []


def test_another_volume_is_reported(data: tuple[Path, dict[str, Path]]) -> None:
    state, folders = data
    volumes.check(state, folders)
    (folders["homes"] / volumes.SENTINEL).write_text('{"id": "another"}')
    with pytest.raises(volumes.VolumeLost):
        volumes.check(state, folders)


def test_an_empty_one_is_accepted_once(data: tuple[Path, dict[str, Path]]) -> None:
    state, folders = data
    volumes.check(state, folders)
    (folders["homes"] / volumes.SENTINEL).unlink()
    (state / volumes.ACCEPT).write_text("homes\n")
    volumes.check(state, folders)
    (folders["homes"] / volumes.SENTINEL).unlink()
    with pytest.raises(volumes.VolumeLost):
        volumes.check(state, folders)


def test_the_database_is_copied_before_another_version_opens_it(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jupyterhub.sqlite") as made:
        made.execute("create table users (name)")
        made.execute("insert into users values ('anna')")
    (tmp_path / "version").write_text("5.4.0 0.0.9")
    database.prepare(tmp_path)
    (copy,) = (tmp_path / "backups").iterdir()
    assert "5.4.0" in copy.name
    assert sqlite3.connect(copy).execute("select name from users").fetchall() == [("anna",)]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    database.prepare(tmp_path)
    assert len(list((tmp_path / "backups").iterdir())) == 1  # the same version: no further one


WRITES = """
import os, sys
from hubkit import database
from sqlalchemy import create_engine, text
database.tune()
with create_engine("sqlite:///" + sys.argv[1]).connect() as connection:
    connection.execute(text("create table users (name)"))
    connection.execute(text("insert into users values ('anna')"))
    connection.commit()
    os._exit(9)  # killed, nothing closed
"""


def test_a_hub_that_is_killed_loses_nothing_and_its_copy_has_all(tmp_path: Path) -> None:
    """What was written ahead is in a file of its own until much later."""
    file = tmp_path / "jupyterhub.sqlite"
    subprocess.run([sys.executable, "-c", WRITES, str(file)], check=False)
    assert file.with_name("jupyterhub.sqlite-wal").stat().st_size > 0
    (tmp_path / "version").write_text("5.4.0 0.0.9")
    database.prepare(tmp_path)
    (copy,) = (tmp_path / "backups").iterdir()
    for path in (copy, file):
        assert sqlite3.connect(path).execute("select name from users").fetchall() == [("anna",)]


def pragmas(file: Path) -> list[Any]:
    database.tune()
    with create_engine(f"sqlite:///{file}").connect() as connection:
        asked = ("journal_mode", "synchronous", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]


def test_the_database_waits_for_the_disk_only_at_times(tmp_path: Path) -> None:
    assert pragmas(tmp_path / "a.sqlite") == ["wal", 1, database.PATIENCE]  # 1: NORMAL


def test_another_machine_s_disk_is_written_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_is_remote", lambda folder: True)
    assert pragmas(tmp_path / "a.sqlite") == ["delete", 2, database.PATIENCE]  # 2: FULL


@pytest.mark.parametrize(("kind", "remote"), [("nfs4", True), ("ceph", True), ("ext4", False)])
def test_a_disk_of_another_machine_is_known_as_such(
    tmp_path: Path, kind: str, remote: bool
) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts.write_text(f"1 0 0:1 / / rw - tmpfs none rw\n2 1 {number} / /x rw - {kind} a rw\n")
    assert database._is_remote(tmp_path, mounts) is remote


def test_a_database_from_the_future_is_refused(tmp_path: Path) -> None:
    major = int(jupyterhub.__version__.split(".")[0])
    (tmp_path / "version").write_text(f"{major + 1}.0.0 1.0")
    with pytest.raises(database.DatabaseTooNew, match="Go back to the newer hub image"):
        database.prepare(tmp_path)


def test_tables_of_a_newer_minor_release_are_refused(tmp_path: Path) -> None:
    (tmp_path / "version").write_text(f"{jupyterhub.__version__} 0.1.0")
    with sqlite3.connect(tmp_path / "jupyterhub.sqlite") as made:
        made.execute("create table alembic_version (version_num)")
        made.execute("insert into alembic_version values ('ffffffffffff')")
    with pytest.raises(database.DatabaseTooNew, match="revision ffffffffffff"):
        database.prepare(tmp_path)
    with sqlite3.connect(tmp_path / "jupyterhub.sqlite") as made:
        made.execute("update alembic_version set version_num = '4621fec11365'")  # JupyterHub 5's
    database.prepare(tmp_path)


def test_a_file_that_the_power_tore_is_what_it_was_before(tmp_path: Path) -> None:
    file = tmp_path / "roster.json"
    kept.replace(file, {"anna": 1})
    kept.replace(file, {"anna": 2})
    file.write_text("")
    assert kept.read(file, {}) == {"anna": 1}
    kept.replace(file, {"anna": 3})  # what is torn is nothing to go back to
    assert kept.read(file, {}) == {"anna": 3}
    file.write_text('{"anna":')
    assert kept.read(file, {}) == {"anna": 1}


def test_what_is_kept_is_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def fsync(opened: int) -> None:
        done.append(str(Path(f"/proc/self/fd/{opened}").readlink()))

    monkeypatch.setattr(os, "fsync", fsync)
    kept.replace(tmp_path / "roster.json", {})
    assert done == [str(tmp_path / "roster.json.new"), str(tmp_path)]


def test_a_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    owner = (os.getuid(), os.getgid())
    homes.ensure(tmp_path, "anna", owner, 0o700)
    assert stat.S_IMODE((tmp_path / "anna").stat().st_mode) == 0o700
    (tmp_path / "anna").chmod(0o777)
    homes.ensure(tmp_path, "anna", owner, 0o700)
    assert stat.S_IMODE((tmp_path / "anna").stat().st_mode) == 0o700


def test_a_symlink_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "etc"
    target.mkdir(mode=0o755)
    (tmp_path / "anna").symlink_to(target)
    with pytest.raises(homes.UnsafeFolder, match="is not a folder"):
        homes.ensure(tmp_path, "anna", (os.getuid(), os.getgid()), 0o700)
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_a_new_home_gets_an_images_files_and_no_tricks(tmp_path: Path) -> None:
    home, me = tmp_path / "home", (os.getuid(), os.getgid())
    home.mkdir()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, kind, link in (
            ("./.bashrc", tarfile.REGTYPE, ""),
            ("./notes/deep", tarfile.REGTYPE, ""),
            ("./inside", tarfile.SYMTYPE, "notes/deep"),
            ("./out", tarfile.SYMTYPE, "../../etc"),
            ("./root", tarfile.SYMTYPE, "/etc"),
            ("../beside", tarfile.REGTYPE, ""),
            ("/absolute-of-a-test", tarfile.REGTYPE, ""),
            ("./device", tarfile.CHRTYPE, ""),
            ("./hard", tarfile.LNKTYPE, ".bashrc"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = kind, link, 0o6755
            archive.addfile(member)
    homes.fill(home, packed.getvalue(), me)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert found == {"home", *(f"home/{n}" for n in (".bashrc", "notes", "notes/deep", "inside"))}
    assert stat.S_IMODE((home / ".bashrc").stat().st_mode) == 0o755
    assert not Path("/absolute-of-a-test").exists()


def test_a_file_in_the_way_of_a_mount_is_renamed(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to("/etc")
    homes.make_way(tmp_path, "examples")
    assert not (tmp_path / "examples").exists()
    assert (tmp_path / "examples-1").readlink() == Path("/etc")
    (tmp_path / "examples").mkdir()
    homes.make_way(tmp_path, "examples")
    assert (tmp_path / "examples").is_dir()
