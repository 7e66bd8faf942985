"""One report for all faults of a configuration, written for the person who has to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]
ROOT = "jupyterhub:"  # what paths in a stack file begin with


class ConfigError(pulumi.RunError, ValueError):
    """A configuration that can't be used. Its text is the whole report.

    Pulumi prints the text of a RunError, and no traceback, before it makes anything.
    """


def report(
    error: ValidationError, model: type[BaseModel], source: str, root: str = ROOT
) -> ConfigError:
    """All faults that pydantic found, each with its path, what was found and what is allowed."""
    found = error.errors(include_url=False)
    return mistakes((_fault(each, model, root) for each in found), source)


def mistakes(faults: Iterable[str], source: str) -> ConfigError:
    """One report of all faults, a line each."""
    lines = list(dict.fromkeys(faults))
    count = f"{len(lines)} mistake" + ("s" if len(lines) > 1 else "")
    head = f"{source} has {count}. Nothing was changed."
    return ConfigError("\n".join([head, *(f"  {line}" for line in lines)]))


def _fault(detail: ErrorDetails, model: type[BaseModel], root: str) -> str:
    location = detail["loc"]
    path = path_of(location, root)
    if detail["type"] == "extra_forbidden":
        return f"{path}: unknown key. {_nearest(location, model)}"
    if detail["type"] == "missing":
        return f"{path}: missing. It needs a value: {_description(location, model)}"
    if isinstance(detail["input"], pulumi.Output):
        return f"{path}: found an Output; allowed: a plain value, known before anything is made"
    allowed = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{path}: found {_found(detail, model)}; allowed: {allowed}"


def path_of(location: Sequence[int | str], root: str = ROOT) -> str:
    """The path as it is written in the stack file: `jupyterhub:hub.images[0].title`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return root + text.removeprefix(".") if location else root.rstrip(".")


def _found(detail: ErrorDetails, model: type[BaseModel]) -> str:
    value = detail["input"]
    if isinstance(value, dict | BaseModel):
        return "this section"
    return "a secret" if _is_secret(detail["loc"], model) else repr(value)


def _is_secret(location: Location, model: type[BaseModel]) -> bool:
    """Whether the path leads to a secret, or to something inside of one."""
    for end in range(1, len(location) + 1):
        parent = model_at(location[: end - 1], model)
        field = parent.model_fields.get(str(location[end - 1])) if parent else None
        if field and _holds_secrets(field.annotation):
            return True
    return False


def _holds_secrets(annotation: Any) -> bool:
    inner = model_in(annotation)
    return "SecretStr" in repr(annotation) or bool(
        inner and any("SecretStr" in repr(f.annotation) for f in inner.model_fields.values())
    )


def _nearest(location: Location, model: type[BaseModel]) -> str:
    parent = model_at(location[:-1], model)
    names = list(parent.model_fields) if parent else []
    close = difflib.get_close_matches(str(location[-1]), names, n=1, cutoff=0.5)
    known = f"Allowed here: {', '.join(names)}."
    return f"Did you mean `{close[0]}`? {known}" if close else known


def _description(location: Location, model: type[BaseModel]) -> str:
    parent = model_at(location[:-1], model)
    field = parent.model_fields.get(str(location[-1])) if parent else None
    return (field.description if field else None) or "see docs/reference.md"


def model_at(location: Location, model: type[BaseModel]) -> type[BaseModel] | None:
    """The args model that a path leads to, or None where it leads to a plain value."""
    found: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int):
            continue
        field = found.model_fields.get(part) if found else None
        found = model_in(field.annotation) if field else None
    return found


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `X`, `X | None`, `list[X]` or `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(model_in, get_args(annotation)) if m), None)
