"""A state that a full disk emptied comes back as it last was."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.stacks import last_good


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    file = tmp_path / ".pulumi/stacks/jupyterhub/class.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"checkpoint": 1}')
    return file


def test_an_empty_state_comes_back(state: Path, tmp_path: Path) -> None:
    backend = f"file://{tmp_path}"
    last_good.keep(backend, "class")
    assert not last_good.bring_back(backend, "class")  # nothing is wrong with it
    state.write_text("")
    last_good.keep(backend, "class")  # nothing to keep: the copy stays
    assert last_good.bring_back(backend, "class")
    assert state.read_text() == '{"checkpoint": 1}'
    (copy,) = (tmp_path / "data").rglob("class.json")
    assert copy.parent.stat().st_mode & 0o077 == 0


def test_the_newest_whole_one_counts(state: Path, tmp_path: Path) -> None:
    backend = f"file://{tmp_path}"
    last_good.keep(backend, "class")
    state.write_text('{"checkpoint": 2}')
    last_good.keep(backend, "class")
    state.write_text('{"checkpoi')
    assert last_good.bring_back(backend, "class")
    assert state.read_text() == '{"checkpoint": 2}'


def test_a_state_elsewhere_is_left_alone(state: Path) -> None:
    last_good.keep("s3://bucket", "class")
    assert not last_good.bring_back("s3://bucket", "class")


def test_without_a_copy_nothing_is_invented(state: Path, tmp_path: Path) -> None:
    state.write_text("")
    assert not last_good.bring_back(f"file://{tmp_path}", "class")
    assert state.read_text() == ""
