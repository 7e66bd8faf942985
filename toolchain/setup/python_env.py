"""The Python environment of the checkout."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from . import paths
from .steps import Problem, apt_install, run, step

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
        if sys.version_info < (3, 11):
            raise Problem("Python 3.11 or newer is needed (Debian 12 and Ubuntu 24.04 have it).")
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
    run([*command, "--require-hashes", "-r", _UV_LOCK], "pip install uv", cwd=paths.ROOT)
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
    try:
        run(command, "uv pip install", cwd=paths.ROOT, env=uv_environment())
    except Problem as problem:
        raise Problem(_explained(str(problem))) from None


def _explained(text: str) -> str:
    """One sentence for a file that is not the locked one; other failures as they are."""
    found = re.search(
        r"Hash mismatch for `([^`]+)`.*?Expected:\s+(.*?)\s+Computed:\s+(\S+)", text, re.DOTALL
    )
    if not found:
        return text
    return (
        f"{found[1]} is not the file that was locked: its hash is {found[3]}, and should be "
        f"{' or '.join(found[2].split())}. Nothing was installed; either the package index here "
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


def _make_venv() -> None:
    try:
        import ensurepip  # noqa: F401  # missing where python3-venv is
    except ImportError:
        apt_install("python3-venv")
    run([sys.executable, "-m", "venv", "--clear", paths.VENV], "python3 -m venv")


def _digest(text: str) -> str:
    place = str(paths.VENV.resolve())  # a checkout that was moved gets its packages anew
    return hashlib.sha256((place + sys.version + text).encode()).hexdigest()
