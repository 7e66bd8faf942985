"""The public surface is exactly what `__all__` says."""

import tomllib
from pathlib import Path
from types import ModuleType

import components


def test_exported_names() -> None:
    public = {
        name
        for name, value in vars(components).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(components.__all__)


def test_every_folder_of_the_library_is_in_its_wheel() -> None:
    root = Path(components.__file__).parent
    project = tomllib.loads((root.parent / "pyproject.toml").read_text())
    folders = {path.parent.name for path in root.glob("*/__init__.py")}
    packages = {name.partition(".")[2] for name in project["tool"]["setuptools"]["packages"]}
    assert packages == folders | {"", "bundled"}
