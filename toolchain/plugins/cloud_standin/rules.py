"""What the stand-in knows of the providers' types: what replaces, what is computed, look-ups."""

from __future__ import annotations

import functools
import os
import uuid
from pathlib import Path
from typing import Any

import yaml

Values = dict[str, Any]
_HERE = Path(__file__).parent
# A test's address for whatever has a public one; with _AWS or another at its end, one cloud's.
ADDRESS = "PULUMI_JUPYTERHUB_STANDIN_ADDRESS"


@functools.cache
def _data(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((_HERE / f"{name}.yaml").read_text()))


def replacing(kind: str, changed: set[str]) -> list[str]:
    """The changed properties that make another resource."""
    rule = _data("replaces").get(kind, {"all": True, "except": []})
    if isinstance(rule, dict):
        return sorted(changed - set(rule["except"]))
    return sorted(path for path in changed if _covered(path, rule))


def _covered(path: str, rule: list[str]) -> bool:
    """Whether the rule names this property, one above it or one inside it."""
    return any(path == r or path.startswith(f"{r}.") or r.startswith(f"{path}.") for r in rule)


def computed(kind: str) -> Values:
    """Outputs that the provider fills in."""
    cloud = kind.split(":")[0].upper()
    address = os.environ.get(f"{ADDRESS}_{cloud}") or os.environ.get(ADDRESS, "192.0.2.80")
    return dict(_filled(_data("computed").get(kind, {}), address))


def _filled(value: Any, address: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, address) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, address) for item in value]
    if value == "UNIQUE":
        return uuid.uuid4().hex
    return address if value == "ADDRESS" else value


def looked_up(token: str) -> Values | None:
    """The answer to a data source; None for one that nobody has written down."""
    found = _data("invokes").get(token)
    return None if found is None else dict(found)


def changed_paths(old: Any, new: Any, path: str = "") -> set[str]:
    """Paths of what differs, objects by their keys, lists as a whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = {key for key in (*old, *new) if not key.startswith("__")}
        inner = (changed_paths(old.get(k), new.get(k), f"{path}.{k}" if path else k) for k in keys)
        return set().union(*inner) if keys else set()
    empty: tuple[Any, ...] = (None, "", False, [], {})
    same = old == new or (old in empty and new in empty)
    return set() if same else {path}
