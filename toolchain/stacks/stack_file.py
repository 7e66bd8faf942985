"""A stack's file: the user's own, made at first use from a template in `stacks/catalogue/`.

Secrets get into the own one only, which git ignores until somebody adds it on purpose.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from ..setup import paths
from ..setup.steps import Problem
from .secret_config import has_secrets, without_secrets


def own(name: str, root: Path = paths.ROOT) -> Path:
    """What Pulumi reads."""
    return root / "stacks" / f"Pulumi.{name}.yaml"


def template(name: str, root: Path = paths.ROOT) -> Path:
    """What comes with the project."""
    return root / "stacks" / "catalogue" / f"{name}.yaml"


def present(name: str, root: Path = paths.ROOT) -> Path:
    """The own file where it is there, else its template, which may be missing, too."""
    file = own(name, root)
    return file if file.exists() else template(name, root)


def names(root: Path = paths.ROOT) -> list[str]:
    """All stacks that can be brought up here: own ones, and those of the catalogue."""
    owned = (root / "stacks").glob("Pulumi.*.yaml")
    catalogue = (root / "stacks" / "catalogue").glob("*.yaml")
    return sorted({f.stem.removeprefix("Pulumi.") for f in owned} | {f.stem for f in catalogue})


def require(name: str, root: Path = paths.ROOT) -> Path:
    """The own file, made from the template of its name where it is missing."""
    file = own(name, root)
    return file if file.exists() else make(name, name, root)


def make(name: str, source: str, root: Path = paths.ROOT) -> Path:
    """Makes an own file from a template; never over one that is there."""
    file, origin = own(name, root), template(source, root)
    if file.exists():
        raise Problem(f"stacks/{file.name} is there already. Another name: make new STACK=…")
    if not origin.exists():
        raise Problem(
            f"There is no stacks/{file.name}, and no {source} in stacks/catalogue. "
            f"Make it from one of the catalogue: make new STACK={name} FROM=local. "
            f"Stacks here: {', '.join(names(root))}."
        )
    text = origin.read_text()
    _appear(file, text)
    if has_secrets(text):  # `git stash pop` carries an old checkout's own secrets into the template
        origin.write_text(without_secrets(text))
        print(f"  stacks/{file.name} has the secrets that were in stacks/catalogue", flush=True)
    return file


def _appear(file: Path, text: str) -> None:
    """Whole or not at all; where another run was faster, its one counts."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.write_text(text)
    with contextlib.suppress(FileExistsError):
        os.link(partial, file)
    partial.unlink()


def platform(name: str, root: Path = paths.ROOT) -> str:
    """A stack's platform, as its file says it; empty where it says none."""
    match = re.search(
        r"^ +jupyterhub:platform: *[\"']?(\w+)", present(name, root).read_text(), re.M
    )
    return match[1] if match else ""
