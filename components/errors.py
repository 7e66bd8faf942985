"""One report for all faults of a configuration, written for the person who has to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]


class ConfigError(Exception):
    """A configuration that can't be used. Its text is the whole report."""


def report(error: ValidationError, model: type[BaseModel], source: str) -> ConfigError:
    """All faults that pydantic found, each with its path, what was found and what is allowed."""
    return mistakes((_fault(each, model) for each in error.errors(include_url=False)), source)


def mistakes(faults: Iterable[str], source: str) -> ConfigError:
    """One report of all faults, a line each."""
    lines = list(dict.fromkeys(faults))
    count = f"{len(lines)} mistake" + ("s" if len(lines) > 1 else "")
    head = f"{source} has {count}. Nothing was changed."
    return ConfigError("\n".join([head, *(f"  {line}" for line in lines)]))


def _fault(detail: ErrorDetails, model: type[BaseModel]) -> str:
    location = detail["loc"]
    path = path_of(location)
    if detail["type"] == "extra_forbidden":
        return f"{path}: unknown key. {_nearest(location, model)}"
    if detail["type"] == "missing":
        return f"{path}: missing. It needs a value: {_description(location, model)}"
    allowed = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{path}: found {_found(detail)}; allowed: {allowed}"


def path_of(location: Sequence[int | str]) -> str:
    """The path as it is written in the stack file: `jupyterhub:hub.images[0].title`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "jupyterhub:" + text.removeprefix(".")


def _found(detail: ErrorDetails) -> str:
    if detail["loc"] and detail["loc"][0] == "secrets":
        return "a secret"
    value = detail["input"]
    return "this section" if isinstance(value, dict | BaseModel) else repr(value)


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
