"""Packages come by uv, from the lock, the way that pip's configuration says."""

from __future__ import annotations

import ast
import os
import py_compile
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import toolchain
from toolchain.setup import paths, python_env
from toolchain.setup.steps import Failed, Problem

_RUN = "exec(open(sys.argv[1]).read())"
Commands = list[list[str]]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    for name in ("python", "pip"):
        (venv / "bin" / name).touch()
    (tmp_path / "toolchain/setup").mkdir(parents=True)
    for name in ("requirements.lock", "requirements-dev.lock", "toolchain/setup/uv.txt"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(python_env.paths, "ROOT", tmp_path)
    monkeypatch.setattr(python_env.paths, "VENV", venv)
    monkeypatch.setattr(python_env, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(python_env, "UV", venv / "bin" / "uv")
    monkeypatch.setattr(python_env, "_UV_LOCK", tmp_path / "toolchain/setup/uv.txt")
    monkeypatch.setattr(python_env, "_UV_STAMP", venv / ".uv.stamp")
    monkeypatch.setattr(python_env, "uv_environment", dict)
    return tmp_path


@pytest.fixture
def commands(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    found: Commands = []

    def run(command: list[str | Path], what: str, **_: Any) -> None:
        found.append([what, *map(str, command)])
        if what == "pip install uv":
            python_env.UV.touch()

    monkeypatch.setattr(python_env, "run", run)
    return found


def test_uv_comes_first_and_hashes_are_asked_for(commands: Commands) -> None:
    python_env.ensure()
    assert [command[0] for command in commands] == ["pip install uv", "uv pip install"]
    assert all("--require-hashes" in command for command in commands)
    assert "--reinstall" not in commands[1]
    commands.clear()
    python_env.ensure()
    assert commands == []


def test_a_changed_lock_is_installed_with_the_uv_that_is_there(
    checkout: Path, commands: Commands
) -> None:
    python_env.ensure()
    commands.clear()
    (checkout / "requirements.lock").write_text("other")
    python_env.ensure()
    assert [command[0] for command in commands] == ["uv pip install"]


def test_developers_get_the_hubs_package_from_its_folder(commands: Commands) -> None:
    python_env.ensure(developer=True)
    assert commands[1][-1].endswith("requirements-dev.lock")
    assert commands[2][-2:] == ["-e", str(python_env._HUBKIT)]
    assert {"--no-deps", "--require-build-hashes"} <= set(commands[2])


@pytest.mark.parametrize("at", ["pip install uv", "uv pip install"])
def test_a_killed_set_up_is_done_again(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """What looks installed may be half a package."""
    real = python_env.run

    def killed(command: Any, what: str, **_: Any) -> None:
        real(command, what)
        if what == at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(python_env, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            python_env.ensure()
    commands.clear()
    python_env.ensure()
    assert ("--force-reinstall" in commands[0]) == (at == "pip install uv")
    assert ("--reinstall" in commands[-1]) == (at == "uv pip install")


MISMATCH = """
error: Failed to download `boto3==1.44.5`
  cause: Hash mismatch for `boto3==1.44.5`

Expected:
  sha256:aaaa
  sha256:bbbb

Computed:
  sha256:cccc
"""


def test_another_file_than_the_locked_one_is_named(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: Any, what: str, **_: Any) -> None:
        if what == "uv pip install":
            raise Failed("uv pip install failed", MISMATCH)

    monkeypatch.setattr(python_env, "run", run)
    with pytest.raises(Problem) as caught:
        python_env.ensure()
    text = str(caught.value)
    assert text.startswith("boto3==1.44.5 is not the file that was locked: its hash is sha256:cccc")
    assert "sha256:aaaa or sha256:bbbb" in text


def test_an_old_python_gets_one_sentence() -> None:
    """Whatever it can't read or lacks: the first file that it comes to is plain enough."""
    file = Path(toolchain.__file__)
    ast.parse(file.read_text(), feature_version=(3, 4))
    old = f"import sys; sys.version_info, sys.version = (3, 10, 12), '3.10.12 (main)'; {_RUN}"
    done = subprocess.run(
        [sys.executable, "-c", old, file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("✗ Python 3.11 or newer is needed") and line.endswith(" 3.10.12")


def test_a_file_that_a_full_disk_left_half_written_is_removed(checkout: Path) -> None:
    """Python stumbles over it for good: EOFError, marshal data too short."""
    packages = checkout / ".venv/lib/python3/site-packages/a/__pycache__"
    packages.mkdir(parents=True)
    whole, half = packages / "whole.cpython-311.pyc", packages / "half.cpython-311.pyc"
    (packages / "source.py").write_text("answer = [42, 'words']\n")
    py_compile.compile(str(packages / "source.py"), str(whole))
    half.write_bytes(whole.read_bytes()[:-20])
    assert python_env.forget_half_written() == 1
    assert whole.exists() and not half.exists()


LISTED = """\
:env:.cert='/etc/ours.pem'
:env:.timeout='99'
global.cert='/etc/other.pem'
global.extra-index-url='\\nhttps://a/simple\\nhttps://b/simple'
global.index-url='https://mirror/simple'
global.trusted-host='mirror'
install.find-links='/nowhere https://c/wheels'
"""


def test_uv_is_told_what_pip_is_told() -> None:
    found = python_env._from_pip(python_env._pip_settings(LISTED), {})
    found.pop("UV_SYSTEM_CERTS", None)
    assert found == {
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "UV_INDEX": "https://a/simple https://b/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "https://c/wheels",
        "UV_INSECURE_HOST": "mirror",
        "UV_HTTP_TIMEOUT": "99",
        "SSL_CERT_FILE": "/etc/ours.pem",
    }


def test_a_proxy_of_pips_is_not_put_over_the_shells() -> None:
    pip = {"proxy": "http://proxy:3128"}
    assert python_env._from_pip(pip, {})["ALL_PROXY"] == "http://proxy:3128"
    assert "ALL_PROXY" not in python_env._from_pip(pip, {"https_proxy": "http://other:3128"})


def test_what_the_shell_tells_uv_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_env, "PYTHON", Path(sys.executable))
    monkeypatch.setenv("UV_CACHE_DIR", "/elsewhere")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uvs/simple")
    monkeypatch.setenv("PIP_INDEX_URL", "https://pips/simple")
    found = python_env.uv_environment()
    assert found["UV_CACHE_DIR"] == "/elsewhere"
    assert found["UV_DEFAULT_INDEX"] == "https://uvs/simple"


def test_pips_own_variable_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_env, "PYTHON", Path(sys.executable))
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://pips/simple")
    assert python_env.uv_environment()["UV_DEFAULT_INDEX"] == "https://pips/simple"


def test_what_python_compiles_is_kept() -> None:
    """A machine may have it switched off; Pulumi's SDKs are compiled at each start then."""
    told = "told: ; @echo [$$PYTHONDONTWRITEBYTECODE]"
    shown = subprocess.run(
        ["make", "--eval", told, "told"],
        cwd=paths.ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "[]\n"
