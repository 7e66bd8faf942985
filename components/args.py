"""What every args model is made of: the base class, `field`, and the types that take Outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pulumi
from pydantic import BaseModel, ConfigDict, Field, SecretStr, WrapValidator
from pydantic_core.core_schema import ValidatorFunctionWrapHandler


class Args(BaseModel):
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
    InputSecret = SecretStr | pulumi.Output[str]
else:
    InputStr = Annotated[str, WrapValidator(_outputs_pass)]
    InputSecret = Annotated[SecretStr, WrapValidator(_outputs_pass)]


def secret(value: InputSecret) -> pulumi.Output[str]:
    """The value as a secret Output, so that it never reaches state or logs in plain text."""
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    return pulumi.Output.secret(plain)
