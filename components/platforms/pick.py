"""The file of a component that knows a platform: imported when it is picked, not before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ..errors import ConfigError

_OWN = __package__.split(".")[0]


class MissingExtra(ConfigError, ImportError):
    """A platform's SDK is not installed."""


def pick(package: str, platform: str) -> Any:
    """The module `platform` of a component's package."""
    with needs(platform):
        return import_module(f".{platform}", package)


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Says which extra brings a package that can't be imported."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] == _OWN:
            raise
        raise MissingExtra(
            f"{extra} needs the Python package {error.name}, which is not installed. "
            f"Install it with: pip install 'pulumi-jupyterhub[{extra}]'"
        ) from None
