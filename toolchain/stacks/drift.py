"""What somebody changed by hand: a comparison of the state with what is really there."""

from __future__ import annotations

from ..setup.steps import Problem
from . import preview, vm
from . import state as states
from .machine import Machine
from .stack import existing

_OUTSIDE_ONLY = (
    "The machine could not be reached from here, so only what is in the cloud was compared, not "
    "the containers."
)


def show(name: str, out: str) -> bool:
    """Prints the report; says whether something differs. Changes nothing, not even the state."""
    stack, state = existing(name)
    words, remarks = [], []
    known = Machine.of(state)
    if known:
        vm.bring_key(stack, known)
        if not known.has_docker():
            remarks.append(_OUTSIDE_ONLY)
            inside = ("docker:", "pulumi:")
            urns = [r["urn"] for r in states.resources(state) if not r["type"].startswith(inside)]
            words = [word for urn in urns for word in ("--target", urn)]
    answer = stack.pulumi("refresh", "--preview-only", "--json", *words)
    verdict = preview.report(stack, answer, remarks, preview.Wishes(out=out), "--drift")
    if verdict == preview.INCOMPLETE:
        raise Problem("The comparison is not whole, see above.")
    return verdict != 0
