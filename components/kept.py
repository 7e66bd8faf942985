"""Which resources hold data: said by the component that makes them, read by the preview report.

What a component says is in its outputs, and so in the state: it is still known when the program
no longer is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

_OUTPUT = "holds_data"


def holding(*holders: pulumi.Resource) -> dict[str, Any]:
    """Outputs of a component that say which of its resources hold data."""
    return {_OUTPUT: [holder.urn for holder in holders]}


def held(states: Iterable[Mapping[str, Any]]) -> set[str]:
    """URNs of what holds data, from states of resources as Pulumi's JSON has them.

    Whatever is protected counts, too: its owner said that losing it would hurt.
    """
    found: set[str] = set()
    for state in states:
        found.update((state.get("outputs") or {}).get(_OUTPUT) or [])
        if state.get("protect"):
            found.add(str(state["urn"]))
    return found
