"""Property values: between the wire and Python, and compared with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

Values = dict[str, Any]

# The engine's mark for a value that will be known only after something is made.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# Lists the inputs that the provider chose itself; the official plugin uses the same key.
DEFAULTED = "__defaults"

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"


def from_struct(struct: Struct) -> Values:
    """The values of a message, whole numbers as int, secrets without their wrapping."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        inner = from_struct(value.struct_value)
        return inner["value"] if inner.get(_SIGNATURE) == _SECRET else inner
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(value, kind)


def to_struct(values: Mapping[str, Any]) -> Struct:
    """The message of some values; None is left out."""
    struct = Struct()
    struct.update(without_none(values))
    return struct


def without_none(value: Any) -> Any:
    """The value without the Nones inside it."""
    if isinstance(value, Mapping):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value if item is not None]
    return value


def has_unknown(value: Any) -> bool:
    """Whether something in the value is not known yet."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return bool(value == UNKNOWN)


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
