"""Quotas of the data disk: who has which number, what is marked, what is refused.

The kernel here is a stand-in, a table by inode: limits that hold are tested on a real disk, by
`make test-vm`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hubkit import quota

GIB = 1024**3
INHERITED = 0x200


class Disk:
    """Marks and limits as XFS keeps them."""

    def __init__(self) -> None:
        self.marks: dict[int, tuple[int, ...]] = {}
        self.limits: dict[int, int] = {}

    def number(self, path: Path) -> int:
        return self.marks.get(path.lstat().st_ino, (0,) * 5)[3]

    def inherits(self, path: Path) -> bool:
        return bool(self.marks[path.lstat().st_ino][0] & INHERITED)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()

    def read(opened: int) -> tuple[int, ...]:
        return made.marks.get(os.fstat(opened).st_ino, (0,) * 5)

    def write(opened: int, mark: Sequence[int]) -> None:
        made.marks[os.fstat(opened).st_ino] = tuple(mark)

    monkeypatch.setattr(quota, "_read_mark", read)
    monkeypatch.setattr(quota, "_write_mark", write)
    monkeypatch.setattr(quota, "_is_taken", lambda _, number: number in made.limits)
    monkeypatch.setattr(quota, "_set_limit", lambda _, n, limit: made.limits.update({n: limit}))
    return made


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Path]:
    for name in ("anna", "ben", "shared"):
        (tmp_path / name / "deep/er").mkdir(parents=True)
        (tmp_path / name / "deep/er/file").write_text("x")
    yield tmp_path


def hold(table: Path, limit: int | None, who: str, *folders: Path) -> None:
    quotas = quota.Quotas(limit, table)
    quotas.hold(who, folders)
    quotas._counting.shutdown()


def test_a_home_and_what_is_shared_have_one_number_and_limit(disk: Disk, homes: Path) -> None:
    hold(homes / "table", GIB, "anna", homes / "anna", homes / "shared")
    hold(homes / "table", 2 * GIB, "ben", homes / "ben")
    anna, ben = disk.number(homes / "anna"), disk.number(homes / "ben")
    assert (anna, ben) == (quota.FIRST, quota.FIRST + 1)
    assert disk.number(homes / "shared") == anna
    assert disk.limits == {anna: GIB, ben: 2 * GIB}


def test_what_was_there_before_is_counted_and_what_comes_inherits(disk: Disk, homes: Path) -> None:
    os.mkfifo(homes / "anna/pipe")
    hold(homes / "table", GIB, "anna", homes / "anna")
    for part in ("", "deep", "deep/er", "deep/er/file"):
        assert disk.number(homes / "anna" / part) == quota.FIRST, part
    assert disk.inherits(homes / "anna/deep/er")
    assert not disk.inherits(homes / "anna/deep/er/file")


def test_no_symlink_is_followed(disk: Disk, homes: Path) -> None:
    (homes / "anna/link").symlink_to(homes / "ben")
    (homes / "anna/file").symlink_to(homes / "ben/deep/er/file")
    hold(homes / "table", GIB, "anna", homes / "anna")
    assert disk.number(homes / "ben") == disk.number(homes / "ben/deep/er/file") == 0
    (homes / "carla").symlink_to(homes / "ben")
    with pytest.raises(quota.NoQuota, match="can't be set"):
        hold(homes / "table", GIB, "carla", homes / "carla")
    assert disk.number(homes / "ben") == 0


def test_numbers_outlive_the_hub_and_are_nobody_elses(disk: Disk, homes: Path) -> None:
    disk.limits[quota.FIRST] = GIB  # another hub's on the same disk
    hold(homes / "table", GIB, "anna", homes / "anna")
    disk.marks.clear()  # copied back from a backup, which knows no marks
    hold(homes / "table", GIB, "ben", homes / "ben")
    hold(homes / "table", GIB, "anna", homes / "anna")
    assert disk.number(homes / "anna/deep/er/file") == quota.FIRST + 1
    assert disk.number(homes / "ben") == quota.FIRST + 2


def test_whose_files_were_taken_out_of_the_count_are_counted_again(
    disk: Disk, homes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quotas = quota.Quotas(GIB, homes / "table")
    quotas.hold("anna", [homes / "anna"])
    quotas._counting.submit(lambda: None).result()
    disk.marks.pop((homes / "anna/deep/er/file").stat().st_ino)
    quotas.hold("anna", [homes / "anna"])  # soon after: all files aren't looked at again
    quotas._counting.submit(lambda: None).result()
    assert disk.number(homes / "anna/deep/er/file") == 0
    monkeypatch.setattr(quota, "AGAIN", 0)
    quotas.hold("anna", [homes / "anna"])
    quotas._counting.shutdown()
    assert disk.number(homes / "anna/deep/er/file") == quota.FIRST


def test_a_quota_that_is_taken_away_counts_nothing_any_more(disk: Disk, homes: Path) -> None:
    hold(homes / "table", GIB, "anna", homes / "anna")
    hold(homes / "table", None, "anna", homes / "anna")
    assert disk.number(homes / "anna") == disk.number(homes / "anna/deep/er/file") == 0
    assert not disk.inherits(homes / "anna")
    hold(homes / "table", None, "ben", homes / "ben")  # who never had one
    assert (homes / "ben").stat().st_ino not in disk.marks


def test_a_file_system_without_quotas_is_refused_by_name(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    here = f"{os.major(device)}:{os.minor(device)}"
    mounts = tmp_path / "mountinfo"

    def refused(kind: str, options: str) -> str:
        mounts.write_text(f"1 0 {here} / /srv rw,nodev shared:1 - {kind} /dev/vdb {options}\n")
        try:
            quota.require([tmp_path], mounts)
        except quota.NoQuota as error:
            return str(error)
        return ""

    assert refused("xfs", "rw,attr2,inode64,prjquota") == ""
    assert "without project quotas (ext4); allowed: XFS" in refused("ext4", "rw")
    assert "(xfs without prjquota)" in refused("xfs", "rw,noquota")
    assert tmp_path.name in refused("nfs4", "rw")
    mounts.write_text("")
    with pytest.raises(quota.NoQuota, match="unknown"):
        quota.require([tmp_path], mounts)
