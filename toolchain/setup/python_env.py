"""The Python environment of the checkout."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import marshal
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from . import network, paths
from .steps import Failed, Problem, apt_install, run, step

PYTHON = paths.VENV / "bin" / "python"
UV = paths.VENV / "bin" / "uv"
_UV_LOCK = paths.ROOT / "toolchain" / "setup" / "uv.txt"
_UV_STAMP = paths.VENV / ".uv.stamp"
_HUBKIT = paths.ROOT / "images" / "hub"


def ensure(developer: bool = False) -> None:
    """Makes `.venv` with what requirements.lock says, or leaves it when nothing changed."""
    lock = paths.ROOT / ("requirements-dev.lock" if developer else "requirements.lock")
    wanted = _digest(lock.read_text() + _UV_LOCK.read_text())
    stamp = paths.VENV / f".{lock.name}.stamp"
    with step("Python packages") as current:
        if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
            current.result = "already there"
            return
        ensure_uv()
        # What a killed run left half done looks installed: it is laid anew, from uv's cache.
        unfinished = paths.VENV / ".unfinished"
        again = ["--reinstall"] if unfinished.exists() else []
        unfinished.touch()
        _install(*again, "--require-hashes", "-r", lock)
        if developer:  # a folder has no hash; what builds it has
            build: list[str | Path] = [
                "--require-build-hashes",
                "-b",
                _HUBKIT / "requirements-build.lock",
            ]
            _install("--no-deps", *build, "-e", _HUBKIT)
        unfinished.unlink()
        stamp.write_text(wanted)
        current.result = f"installed into {paths.VENV.name}"


def ensure_uv() -> None:
    """Makes `.venv` if there is none, and puts uv into it: by pip, which checks its hash."""
    if not (paths.VENV / "bin" / "pip").exists():  # the last that a new one gets
        _make_venv()
    wanted = _digest(_UV_LOCK.read_text())
    if UV.exists() and _UV_STAMP.exists() and _UV_STAMP.read_text() == wanted:
        return
    command: list[str | Path] = [PYTHON, "-m", "pip", "install", "-q"]
    command += ["--disable-pip-version-check", "--force-reinstall", "--no-deps"]
    _fetch([*command, "--require-hashes", "-r", _UV_LOCK], "pip install uv")
    _UV_STAMP.write_text(wanted)


def uv_environment() -> dict[str, str]:
    """This shell's variables, and for uv what pip is told in its own: uv doesn't read that."""
    command: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check", "config"]
    done = subprocess.run([*command, "list"], capture_output=True, text=True, check=False)
    mine = {
        "UV_CACHE_DIR": str(paths.cache() / "uv"),
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return mine | _from_pip(_pip_settings(done.stdout), os.environ) | os.environ


def _install(*words: str | Path) -> None:
    command: list[str | Path] = [UV, "pip", "install", "--python", PYTHON, *words]
    _fetch(command, "uv pip install", uv_environment())


def _fetch(command: list[str | Path], what: str, env: Mapping[str, str] | None = None) -> None:
    for is_last in (False, True):
        try:
            return run(command, what, cwd=paths.ROOT, env=env, source=network.PYPI)
        except Failed as failed:
            found = _another_file(failed.printed)
            if not found:
                raise
            # Before 25.1 pip takes half of a file that broke off for the whole: once more tells.
            if is_last:
                raise Problem(found) from None


_UVS_WORDS = r"Hash mismatch for `([^`]+)`.*?Expected:\s+(.*?)\s+Computed:\s+(\S+)"
_PIPS_WORDS = r"DO NOT MATCH THE HASHES.*?^ +(\S+) .*?:\s+(Expected .*?)\s+Got +(\S+)"


def _another_file(printed: str) -> str | None:
    """One sentence for a file that is not the locked one."""
    found = re.search(_UVS_WORDS, printed, re.DOTALL) or re.search(
        _PIPS_WORDS, printed, re.DOTALL | re.MULTILINE
    )
    if not found:
        return None
    expected = re.findall(r"\b(?:sha256:)?[0-9a-f]{4,}\b", found[2])
    return (
        f"{found[1]} is not the file that was locked: its hash is {found[3]}, and should be "
        f"{' or '.join(expected)}. Nothing of it was installed; either the package index here "
        "changed the file, or the lock is wrong (make locks)."
    )


def _pip_settings(listed: str) -> dict[str, str]:
    """What pip says of its configuration, later sections win: global, install, environment."""
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for name, value in re.findall(rf"^{section}\.([a-z-]+)=('.*'|\".*\")$", listed, re.M):
            found[name] = str(ast.literal_eval(value))
    return found


def _from_pip(pip: Mapping[str, str], shell: Mapping[str, str]) -> dict[str, str]:
    """pip's settings under uv's names."""
    folders = [place for place in pip.get("find-links", "").split() if _is_there(place)]
    found = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(folders),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "UV_HTTP_TIMEOUT": pip.get("timeout", pip.get("default-timeout", "")),
        "UV_HTTP_RETRIES": pip.get("retries", ""),
        "UV_KEYRING_PROVIDER": "subprocess" if pip.get("keyring-provider") == "subprocess" else "",
        "SSL_CERT_FILE": pip.get("cert", ""),
        "SSL_CLIENT_CERT": pip.get("client-cert", ""),
    }
    if found["UV_INDEX"]:  # as with pip, all indexes count alike; hashes say which file is right
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if pip.get("proxy") and not {"HTTPS_PROXY", "https_proxy", "ALL_PROXY"} & set(shell):
        found["ALL_PROXY"] = pip["proxy"]
    # An institute's authority is among the system's; a system without any has uv's own list.
    if sys.platform != "linux" or ssl.create_default_context().cert_store_stats()["x509_ca"]:
        found["UV_SYSTEM_CERTS"] = "1"
    if "UV_INDEX_URL" in shell:  # the older name of what would win over it
        del found["UV_DEFAULT_INDEX"]
    return {name: value for name, value in found.items() if value}


def _is_there(place: str) -> bool:
    """uv fails where pip passes over a folder that doesn't exist."""
    return "://" in place or Path(place).expanduser().exists()


def forget_half_written() -> int:
    """Removes compiled files that Python left half written on a full disk, and stumbles over."""
    removed = 0
    for file in (*paths.ROOT.glob("*/**/*.pyc"), *paths.VENV.rglob("*.pyc")):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > 86400:
                continue
            try:
                marshal.loads(file.read_bytes()[16:])  # noqa: S302  # what Python reads as well
            except (EOFError, ValueError, TypeError):
                file.unlink()
                removed += 1
    return removed


def _make_venv() -> None:
    try:
        import ensurepip  # noqa: F401  # missing where python3-venv is
    except ImportError:
        apt_install("python3-venv")
    run([sys.executable, "-m", "venv", "--clear", paths.VENV], "python3 -m venv")


def _digest(text: str) -> str:
    place = str(paths.VENV.resolve())  # a checkout that was moved gets its packages anew
    return hashlib.sha256((place + sys.version + text).encode()).hexdigest()
