"""The public surface is exactly what `__all__` says."""

from types import ModuleType

import components


def test_exported_names() -> None:
    public = {
        name
        for name, value in vars(components).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(components.__all__)
