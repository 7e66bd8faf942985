"""What every args model is made of: the base class, `field`, and the types that take Outputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, dataclass_transform

import pulumi
from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    WrapValidator,
    field_validator,
)
from pydantic._internal._model_construction import ModelMetaclass
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from .errors import report


# For type checkers: they take every field for one with a default; what is required is told at once
# when the program runs.
@dataclass_transform(kw_only_default=True, frozen_default=True)
class _ArgsMeta(ModelMetaclass):
    """Says what is wrong in the form that a stack file's mistakes have, also in a program.

    Only for a model that a program makes itself: inside of one that is being validated, pydantic
    collects the faults, and doesn't come by here.
    """

    if not TYPE_CHECKING:  # there, calling a class gives what its fields say

        def __call__(cls, /, **values):
            try:
                return super().__call__(**values)
            except ValidationError as error:
                raise report(error, cls, cls.__name__, f"{cls.__name__}.") from None


class Args(BaseModel, metaclass=_ArgsMeta):
    """Base of all args models: unknown keys are refused, values can't change after validation."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, validate_default=True
    )


def field(
    default: Any = ..., *, description: str, change: str, unit: str | None = None, **rules: Any
) -> Any:
    """A field of an args model. `change` says what a new value does to a running system."""
    extra: dict[str, Any] = {"change": change} | ({"unit": unit} if unit else {})
    return Field(default, description=description, json_schema_extra=extra, **rules)


def _outputs_pass(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """An Output is only known while the engine runs: it passes, anything else is checked."""
    return value if isinstance(value, pulumi.Output) else check(value)


if TYPE_CHECKING:
    InputStr = pulumi.Input[str]
    InputSecret = str | SecretStr | pulumi.Output[str]
    Bytes = ByteSize | int | str
else:
    Bytes = ByteSize
    InputStr = Annotated[str, WrapValidator(_outputs_pass)]
    InputSecret = Annotated[SecretStr, WrapValidator(_outputs_pass)]


def matching(pattern: str, *names: str, form: str | None = None) -> Any:
    """A rule for fields that take Outputs: what is known already has to look like this."""

    def check(value: Any) -> Any:
        for each in value if isinstance(value, list) else [value]:
            text = each.get_secret_value() if isinstance(each, SecretStr) else each
            if isinstance(text, str) and not re.fullmatch(pattern, text):
                raise ValueError(form or f"text that matches {pattern}")
        return value

    return field_validator(*names)(check)


def plain(value: pulumi.Input[str] | None) -> str | None:
    """The text that is known without the engine; a stack file has nothing else."""
    return value if isinstance(value, str) else None


def outputs_in(values: Mapping[str, Any]) -> list[str]:
    """Names of the values that are only known while the engine runs."""
    return [name for name, value in values.items() if isinstance(value, pulumi.Output)]


def secret(value: InputSecret) -> pulumi.Output[str]:
    """The value as a secret Output, so that it never reaches state or logs in plain text."""
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    return pulumi.Output.secret(plain)
