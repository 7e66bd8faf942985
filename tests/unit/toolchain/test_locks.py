"""Locks say what the pins say, with hashes, and nothing of where they were made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toolchain.commands import locks
from toolchain.setup import paths

ALL = locks.all_locks()
IMAGES = paths.ROOT / "images"


def _pins(path: str) -> dict[str, set[str]]:
    """What a list pins, with the lists that it includes."""
    text = (paths.ROOT / path).read_text()
    found = locks.versions(text)
    for included in re.findall(r"^-r (\S+)$", text, re.M):
        found |= _pins(included)
    return found


@pytest.mark.parametrize("lock", ALL, ids=lambda lock: lock.pins)
def test_a_lock_is_what_its_list_asks_for(lock: locks.Lock) -> None:
    locked = locks.versions((paths.ROOT / lock.path).read_text())
    wanted = _pins(lock.pins)
    assert wanted
    assert {name: locked.get(name) for name in wanted} == wanted, "run: make locks"


@pytest.mark.parametrize("path", [*(lock.path for lock in ALL), locks.UV_COPIES[0]])
def test_everything_has_a_hash_and_no_address(path: str) -> None:
    text = (paths.ROOT / path).read_text()
    assert "://" not in text and str(paths.ROOT) not in text
    packages = re.split(r"\n(?=[a-z0-9])", "\n" + re.sub(r"^#.*\n", "", text, flags=re.M))[1:]
    assert packages
    assert [p.splitlines()[0] for p in packages if "--hash=sha256:" not in p] == []


def test_tests_run_with_the_versions_that_users_have() -> None:
    users = locks.versions((paths.ROOT / "requirements.lock").read_text())
    developers = locks.versions((paths.ROOT / "requirements-dev.lock").read_text())
    assert {name: developers.get(name) for name in users} == users


def test_an_image_leaves_the_packages_of_its_base_alone() -> None:
    base = locks.versions((IMAGES / "notebook" / "requirements.lock").read_text())
    derived = [lock for lock in ALL if lock.adds]
    assert len(derived) == 5
    for lock in derived:
        assert not set(locks.versions((paths.ROOT / lock.path).read_text())) & set(base), lock


def test_uv_is_the_same_everywhere() -> None:
    first, *others = (paths.ROOT / path for path in locks.UV_COPIES)
    assert all(path.read_bytes() == first.read_bytes() for path in others)


def test_hub_and_notebook_begin_alike() -> None:
    """What is built second takes these layers from the first."""
    heads = []
    for name in ("hub", "notebook"):
        text = (IMAGES / name / "Dockerfile").read_text()
        heads.append(
            text[
                text.index("\nARG BASE_IMAGE") : text.index("\nRUN install-packages jq")
                if name == "hub"
                else text.index("\nRUN install-packages git")
            ]
        )
    assert heads[0] == heads[1]
    for script in ("install-packages", "install-python"):
        copies = {(IMAGES / name / script).read_bytes() for name in ("hub", "notebook")}
        assert len(copies) == 1, script


def test_names_are_compared_as_indexes_do() -> None:
    text = "# a\nJinja2==3.1.6\nruamel.yaml==0.19.1 \\\n    --hash=sha256:0\ndask[array]==2; x"
    assert locks.versions(text) == {"jinja2": {"3.1.6"}, "ruamel-yaml": {"0.19.1"}, "dask": {"2"}}


def test_a_lock_has_its_lists_name() -> None:
    assert (
        locks.Lock("images/ml/requirements/torch.txt").path == "images/ml/requirements/torch.lock"
    )
    assert all((paths.ROOT / lock.path).is_file() for lock in ALL)
    made = {str(Path(lock.path)) for lock in ALL}
    found = {str(p.relative_to(paths.ROOT)) for p in IMAGES.rglob("*.lock")}
    assert found <= made
