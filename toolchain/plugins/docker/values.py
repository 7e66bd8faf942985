"""Property values of Docker's resources, compared with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Lists the inputs that the provider chose itself; the official plugin uses the same key.
DEFAULTED = "__defaults"


def canonical(value: Any, ordered: bool = False) -> Any:
    """A form in which values that mean the same are equal.

    What is empty or false counts as not given; lists are sorted unless their order counts.
    """
    if isinstance(value, Mapping):
        inner = {k: canonical(v) for k, v in value.items() if not k.startswith("__")}
        # By key: messages have their keys in any order, and lists of objects are sorted by text.
        return {k: v for k, v in sorted(inner.items()) if v is not None} or None
    if isinstance(value, list):
        items = [canonical(item, ordered) for item in value]
        return (items if ordered else sorted(items, key=repr)) or None
    return None if value is False or value == "" or value == 0 else value


def covers(actual: Any, wanted: Any) -> bool:
    """Whether the engine's value has all that was wanted; it may have filled in more."""
    wanted = canonical(wanted)
    if wanted is None:
        return True
    if isinstance(wanted, Mapping):
        found = actual if isinstance(actual, Mapping) else {}
        return all(covers(found.get(key), item) for key, item in wanted.items())
    if isinstance(wanted, list):
        others = actual if isinstance(actual, list) else []
        return all(any(covers(other, item) for other in others) for item in wanted)
    return bool(actual == wanted)


def labels_to_engine(labels: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Labels as the engine takes them, from the provider's list."""
    return {item["label"]: item.get("value", "") for item in labels or []}


def labels_from_engine(labels: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Labels as the provider lists them."""
    return [{"label": key, "value": value} for key, value in sorted((labels or {}).items())]


def given(values: Mapping[str, Any], key: str, convert: Callable[[Any], Any] = lambda x: x) -> Any:
    """The converted value of a property, None where it is not given."""
    value = values.get(key)
    return None if value is None else convert(value)
