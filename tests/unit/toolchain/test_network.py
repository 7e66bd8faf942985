"""What can't be fetched is tried again where it broke off, and then told: what, from where."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.package_index import LOCK, SHA256, WHEEL, Index, package_index
from toolchain.setup import network, python_env, steps
from toolchain.setup.network import GO, PYPI, trouble
from toolchain.setup.steps import Failed, NotReached, Problem, run

# What the programs printed in a network namespace with nothing but loopback, and of a server on
# loopback that closes its connection.
PIP = """\
WARNING: Retrying (Retry(total=1, connect=None)) after connection broken by 'NewConnectionError('\
<HTTPSConnection object>: Failed to establish a new connection: [Errno -3] Temporary failure in \
name resolution')': /simple/uv/
WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError('\
<HTTPSConnection object>: Failed to establish a new connection: [Errno -3] Temporary failure in \
name resolution')': /simple/uv/
ERROR: No matching distribution found for uv==0.13.9
"""
UV = """\
error: Request failed after 3 retries in 11.6s
  cause: Failed to fetch: https://an.index/simple/six/
  cause: client error (Connect)
  cause: dns error
  cause: failed to lookup address information: Temporary failure in name resolution
"""
GOS = (
    '\t"Error": "a.module@v1: Get \\"https://a.proxy/@v/v1.info\\": dial tcp: lookup a.proxy on '
    '192.0.2.53:53: dial udp 192.0.2.53:53: connect: network is unreachable"'
)
DEBOOTSTRAP = "E: Failed getting release file http://an.archive/dists/bookworm/Release"
APT = "  Temporary failure resolving 'an.archive'\nE: Some files failed to download"
CUT = "ReadTimeoutError: HTTPConnectionPool(host='127.0.0.1', port=8711): Read timed out."
ONCE = "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError'"


@pytest.mark.parametrize("printed", [PIP, UV, GOS, DEBOOTSTRAP, APT])
def test_a_network_that_is_away_is_seen(printed: str) -> None:
    found = trouble(printed)
    assert found and not found.passing


def test_what_broke_off_is_worth_a_second_try() -> None:
    found = trouble(CUT)
    assert found and found.passing


@pytest.mark.parametrize(
    "printed", ["undefined: x", "", f"{ONCE}\nERROR: No matching distribution found for x==1"]
)
def test_another_failure_is_not_the_networks(printed: str) -> None:
    assert trouble(printed) is None


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(steps, "PAUSE", 0)


Fetch = Callable[[Index], None]


@pytest.fixture(params=["pip", "uv"])
def fetch(request: pytest.FixtureRequest, tmp_path: Path) -> Fetch:
    """Installs the index's package by its lock, as the set-up does."""
    lock = tmp_path / "a.lock"
    lock.write_text(LOCK)

    def fetched(index: Index) -> None:
        own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        own |= {"PIP_CONFIG_FILE": os.devnull, "PIP_TIMEOUT": "1", "PIP_NO_CACHE_DIR": "1"}
        own |= {"PIP_RETRIES": "1", "PIP_RESUME_RETRIES": "0"}  # newer ones do it themselves, too
        own |= {"UV_HTTP_TIMEOUT": "1", "UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": f"{tmp_path}/uv"}
        pip: list[str | Path] = [sys.executable, "-m", "pip", "install", "-i", index.url]
        uv: list[str | Path] = [python_env.UV, "--no-config", "pip", "install"]
        uv += ["--default-index", index.url]
        command = pip if request.param == "pip" else uv
        words = ["--target", tmp_path / "there", "--require-hashes", "-r", lock]
        python_env._fetch([*command, *words], "install", own)

    return fetched


def test_what_breaks_off_once_is_fetched_again(fetch: Fetch, tmp_path: Path) -> None:
    with package_index(bad=1) as index:
        fetch(index)
        assert index.downloads >= 2
    assert (tmp_path / "there" / "chalk_and_talk.py").exists()


def test_a_second_try_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tried = tmp_path / "tried"
    script = f"test -e {tried} || {{ touch {tried}; echo unexpected EOF; exit 1; }}"
    run(["sh", "-c", script], "building Pulumi", source=GO)
    said = capsys.readouterr().out
    assert said.strip() == "building Pulumi broke off, and is tried again: unexpected EOF"


def test_what_stalls_for_good_is_named(fetch: Fetch) -> None:
    with package_index(bad=99, stalls=True) as index, pytest.raises(NotReached) as told:
        fetch(index)
    assert index.downloads >= steps.TRIES
    text = str(told.value)
    assert text.startswith(
        f"install needs {PYPI.name}, which can't be reached from here, or breaks"
    )
    assert PYPI.setting in text and "HTTPS_PROXY" in text and "Traceback" not in text


def test_a_place_that_is_not_there_is_named_at_once(
    fetch: Fetch, capsys: pytest.CaptureFixture[str]
) -> None:
    with package_index() as index:
        pass
    with pytest.raises(NotReached, match=r"(?i)refused"):
        fetch(index)
    assert "tried again" not in capsys.readouterr().out


def test_a_file_with_another_hash_is_named(fetch: Fetch, tmp_path: Path) -> None:
    with package_index(wheel=WHEEL + b"\0") as index, pytest.raises(Problem) as told:
        fetch(index)
    text = str(told.value)
    assert "chalk-and-talk==1.0" in text and "is not the file that was locked" in text
    assert f"should be {SHA256}" in text.replace("sha256:", "")
    assert not (tmp_path / "there" / "chalk_and_talk.py").exists()


def test_a_failure_of_another_kind_is_shown_as_it_is() -> None:
    with pytest.raises(Failed, match="a build failed") as told:
        run([sys.executable, "-c", "exit('undefined: x')"], "a build", source=GO)
    assert "undefined: x" in str(told.value) and not isinstance(told.value, NotReached)


def test_each_source_has_a_setting() -> None:
    for source in (network.PYPI, network.GO, network.DEBIAN):
        assert source.setting in network.explained("a step", source, "no route to host")
