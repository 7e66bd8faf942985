"""Writes docs/reference.md from the args models: `python docs/make_reference.py`."""

from __future__ import annotations

import enum
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from components.config import StackConfig  # noqa: E402
from components.errors import model_in  # noqa: E402

HEAD = """# Reference: the stack file

Every key of `stacks/Pulumi.<stack>.yaml`, made from the code by `python docs/make_reference.py`.
A key that isn't here is refused. *A change* says what a new value does to a running system.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_sections("jupyterhub", StackConfig, ":")])


def _sections(path: str, model: type[BaseModel], separator: str) -> Iterator[str]:
    yield f"## `{path}`\n"
    yield inspect.cleandoc(model.__doc__ or "") + "\n"
    yield "| key | what it is | allowed | default | a change |"
    yield "|---|---|---|---|---|"
    inner: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        yield _row(name, field)
        if found := model_in(field.annotation):
            mark = "[]" if "list[" in str(field.annotation) else ""
            inner.append((f"{path}{separator}{name}{mark}", found))
    yield ""
    for inner_path, inner_model in inner:
        yield from _sections(inner_path, inner_model, ".")


def _row(name: str, field: FieldInfo) -> str:
    extra: dict[str, Any] = field.json_schema_extra  # type: ignore[assignment]
    description = (field.description or "").rstrip(".")
    cells = [f"`{name}`", description, _allowed(field, extra), _default(field), extra["change"]]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _allowed(field: FieldInfo, extra: dict[str, Any]) -> str:
    rules = [_type_name(field.annotation), *map(_rule, field.metadata)]
    return ", ".join(rule for rule in [*rules, extra.get("unit", "")] if rule)


def _type_name(annotation: Any) -> str:
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    names |= {"Path": "path", "ByteSize": "size", "SecretStr": "secret", "dict": "names to texts"}
    if model_in(annotation):
        return "section" if "list[" not in str(annotation) else "list of sections"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    if str(annotation).startswith("list["):
        return "list of numbers" if "int" in str(annotation) else "list of texts"
    own = [a for a in get_args(annotation) if a is not type(None)]
    if own and not str(annotation).startswith("dict["):
        return _type_name(own[0])
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name.split("[")[0], name)


def _rule(rule: Any) -> str:
    signs = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    signs |= {"min_length": "at least", "max_length": "at most"}
    for attribute, word in signs.items():
        if (value := getattr(rule, attribute, None)) is not None:
            what = " long" if "length" in attribute else ""
            return f"{word} {value}{what}"
    pattern = getattr(rule, "pattern", None)
    return f"like `{pattern}`" if pattern else ""


def _default(field: FieldInfo) -> str:
    if model_in(field.annotation) and field.default is not None and not field.is_required():
        return "see there"
    if field.default_factory:
        return "the environment's"
    if field.default is PydanticUndefined:
        return "needed"
    value = field.default.value if isinstance(field.default, enum.Enum) else field.default
    return f"`{json.dumps(value, default=str)}`"


if __name__ == "__main__":
    (HERE / "reference.md").write_text(reference())
