"""The safety gate: nothing that holds data is replaced or deleted unless somebody says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .plan import Change, Plan, Step

# In the description of a pull request, on a line of its own: `replace-ok: homes`.
_APPROVAL = re.compile(r"^[\s>*-]*`?replace-ok:\s*([^`\s]+)`?\s*$", re.I | re.M)


@dataclass(frozen=True)
class Gate:
    """The verdict.

    Attributes:
        losses: steps that would lose data, and that nobody approved.
        approved: those that somebody approved.
        idle_approvals: names that approve nothing of this plan.
        new_names: names of new resources of the same type, for the question whether a loss is only
            a new name.
    """

    losses: tuple[Step, ...]
    approved: tuple[Step, ...]
    idle_approvals: tuple[str, ...]
    new_names: dict[str, str]

    @property
    def is_open(self) -> bool:
        """Whether no data would be lost against somebody's will."""
        return not self.losses


def approvals_in(description: str) -> list[str]:
    """The names that a pull request's description approves."""
    return list(dict.fromkeys(_APPROVAL.findall(description)))


def judge(plan: Plan, approvals: Sequence[str]) -> Gate:
    """Which steps would lose data, and which of them are approved by name or URN."""
    harmful = [s for s in plan.steps if _loses(s)]
    approved = [s for s in harmful if {s.name, s.urn, s.old_urn} & set(approvals)]
    used = {name for s in approved for name in (s.name, s.urn, s.old_urn)}
    new = {s.type: s.name for s in plan.steps if s.change is Change.create}
    return Gate(
        losses=tuple(s for s in harmful if s not in approved),
        approved=tuple(approved),
        idle_approvals=tuple(name for name in approvals if name not in used),
        new_names={s.urn: new[s.type] for s in harmful if s.type in new},
    )


def _loses(step: Step) -> bool:
    gone = (Change.replace, Change.delete, Change.unknown)
    return step.holds_data and step.change in gone
