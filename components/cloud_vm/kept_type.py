"""The machine type for a size, picked once and then kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pulumi

from .args import SizeArgs
from .sizes import MachineType, NoFit, smallest


def kept_type(
    name: str,
    named: pulumi.Input[str] | None,
    size: SizeArgs,
    offered: Callable[[], Iterable[MachineType] | None],
    path: str,
    parent: pulumi.Resource,
) -> pulumi.Output[str]:
    """The type that is named, else the smallest for the size.

    What was once picked stays until the size changes: a newer table, or a flavor that the cloud
    adds, would restart or replace machines otherwise. `path` is where the size is said.
    """
    if named:
        return pulumi.Output.from_input(named)
    kept = pulumi.Stash(
        f"{name}-type",
        input=_pick(size, offered(), path),
        opts=pulumi.ResourceOptions(parent=parent, replacement_trigger=size.model_dump_json()),
    )
    return kept.output.apply(str)


def _pick(size: SizeArgs, offered: Iterable[MachineType] | None, path: str) -> str:
    if offered is None:
        return "<looked up: the smallest flavor that fits>"
    try:
        return smallest(size, offered).name
    except NoFit as error:
        raise pulumi.RunError(f"jupyterhub:{path}: {error}") from None
