"""The page that people read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from .gate import Gate
from .plan import Change, Plan, Step

LIMIT = 60_000  # characters; GitHub takes comments of 65,536
DOCS = "docs/changes.md"
_MOST = 4  # properties that a row shows
_WORDS = {
    Change.create: "create",
    Change.update: "update in place",
    Change.replace: "**replace**",
    Change.delete: "**delete**",
    Change.adopt: "adopt",
    Change.unknown: "unknown",
}


_BY_HAND = _WORDS | {Change.update: "changed", Change.delete: "**gone**", Change.create: "new"}


def page(
    plan: Plan,
    gate: Gate,
    *,
    stack: str = "",
    remarks: str = "",
    docs: str = DOCS,
    drift: bool = False,
    limit: int = LIMIT,
) -> str:
    """The report in Markdown, no longer than `limit` characters: details go first, never the gate.

    Args:
        stack: its name, where the plan doesn't say.
        remarks: what else has to be said at the top, as Markdown.
        docs: address of the page on what a change does.
        drift: the plan is what was changed by hand, not what an update would do.
    """
    head = "\n".join(
        _drift(plan, gate, stack, remarks) if drift else _head(plan, gate, stack, remarks)
    )
    words = _BY_HAND if drift else _WORDS
    foot = f"\n[What a change does to a running hub]({docs})\n"
    for most in (_MOST, 1, 0):
        text = f"{head}\n{_tables(plan, most, words)}{foot}"
        if len(text) <= limit:
            return text
    cut = f"{head}\n{_counts(plan)}{foot}"
    return cut if len(cut) <= limit else cut[: limit - 40] + "\n\n… cut: too long for a comment.\n"


def _head(plan: Plan, gate: Gate, stack: str, remarks: str) -> Iterator[str]:
    yield f"### {_mark(plan, gate)} Preview of stack `{plan.stack or stack}`: {_summary(plan)}"
    if remarks:
        yield f"\n{remarks}"
    if plan.errors:
        yield "\n**The preview failed.** What comes after this point is unknown:\n"
        for error in plan.errors:
            yield f"> {_in_words(error)[:1500]}".replace("\n", "\n> ")
    for step in gate.losses:
        yield from _loss(step, gate)
    for step in gate.approved:
        yield f"\n⚠️ Approved by `replace-ok: {step.name}`: {_what_happens(step)}."
        if step.protected:
            yield f"It is protected, so the update will refuse. {_UNPROTECT}"
    for name in gate.idle_approvals:
        yield (
            f"\n⚠️ `replace-ok: {name}` approves nothing: this plan neither replaces nor deletes "
            "anything of this name that holds data."
        )
    for note in plan.notes:
        yield f"\nNote: {' '.join(note.split())[:500]}"


_UNPROTECT = "First set `protect: false` on that volume and run the update once, then this change."


def _drift(plan: Plan, gate: Gate, stack: str, remarks: str) -> Iterator[str]:
    """The head of a comparison with what is really there."""
    found = f"{len(plan.steps)} resources differ" if plan.steps else "as its state says"
    mark = "❌" if plan.errors or gate.losses else "⚠️" if plan.steps else "✅"
    yield f"### {mark} Stack `{plan.stack or stack}`: {found}"
    yield from [f"\n{remarks}"] * bool(remarks)
    yield from (f"\n> {_in_words(error)[:1500]}" for error in plan.errors)
    for step in gate.losses:
        yield f"\n⛔ **{step.type} `{step.name}` is gone**, and everything in it."
    if plan.steps:
        yield (
            "\nSomebody changed this outside of Pulumi. `make up` makes it again what the stack "
            "file says; if the change was right, put it into the stack file."
        )


def _in_words(error: str) -> str:
    """Pulumi's error: of a protected resource its name, of a program's fault its last line."""
    protected = r"\s+(cannot be \w+\s+because it is protected|as it is currently marked for prot)"
    if match := re.search(rf'resource "([^"]+)"{protected}', error):
        return f"`{match[1].rsplit('::', 1)[-1]}` is protected."
    return error.strip().splitlines()[-1] if "Traceback (most recent" in error else error


def _loss(step: Step, gate: Gate) -> Iterator[str]:
    yield f"\n⛔ **Data would be lost.** {_what_happens(step)}."
    new = gate.new_names.get(step.urn)
    old = (step.component or step.name).rsplit(" ", 1)[-1]
    if new:
        yield (
            f"- Was it only renamed, to `{new}`? Tell Pulumi its old name, and nothing happens: "
            f'`opts=ResourceOptions(aliases=[Alias(name="{old}")])` on the component.'
        )
    if step.protected:
        yield f"- It is protected, so the update would refuse. {_UNPROTECT}"
    yield (
        f"- To do it on purpose, put this line into the description: `replace-ok: {step.name}` "
        f"(or run the report with `--approve {step.name}`)."
    )


def _what_happens(step: Step) -> str:
    """The resource, what forces it, what is lost."""
    if step.change is Change.replace:
        cause = " and ".join(f"`{path}`" for path in step.causes) or step.reason
        text = f"{step.type} `{step.name}` is replaced" + (f" because of {cause}" if cause else "")
    elif step.change is Change.delete:
        text = f"{step.type} `{step.name}` is deleted: the program no longer has it"
    else:
        text = f"{step.type} `{step.name}`: `{step.op}`, a step that this report does not know"
    if step.retained:
        return f"{text}. What is in it stays where it is, but the stack no longer knows of it"
    return f"{text}. Lost would be everything in it"


def _mark(plan: Plan, gate: Gate) -> str:
    if plan.errors or gate.losses or _unknown(plan):
        return "❌"
    return "⚠️" if any(s.change in (Change.replace, Change.delete) for s in plan.steps) else "✅"


def _unknown(plan: Plan) -> bool:
    return any(step.change is Change.unknown for step in plan.steps)


def _summary(plan: Plan) -> str:
    counts = Counter(step.change for step in plan.steps)
    parts = [f"{counts[change]} to {change.value}" for change in Change if counts[change]]
    parts = parts or ["nothing to do"]
    parts += [f"{plan.unchanged} unchanged"] if plan.unchanged else []
    new = " (a new stack: there is no state yet)" if plan.is_new else ""
    return ", ".join(parts) + new


def _by_component(plan: Plan) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in plan.steps:
        found.setdefault(step.component or "Outside of the components", []).append(step)
    return found


def _tables(plan: Plan, most: int, words: Mapping[Change, str]) -> str:
    lines = []
    for component, steps in _by_component(plan).items():
        lines += [f"\n**{component}**\n", "| resource | change | because of |", "|---|---|---|"]
        for step in steps:
            lines.append(
                f"| {step.type} `{step.name}` | {words[step.change]} | {_why(step, most)} |"
            )
    return "\n".join(lines) + "\n"


def _why(step: Step, most: int) -> str:
    ordered = sorted(step.properties, key=lambda each: not each.forces)
    shown = "<br>".join([*filter(None, [step.reason]), *map(str, ordered[:most])])
    more = len(ordered) - most
    if step.change is Change.unknown:
        return f"`{step.op}`: unknown to this report"
    return shown + (f"{'<br>' if shown else ''}and {more} more" if more > 0 else "")


def _counts(plan: Plan) -> str:
    lines = ["\n| component | changes |", "|---|---|"]
    for component, steps in _by_component(plan).items():
        counts = Counter(step.change.value for step in steps)
        lines.append(f"| {component} | {', '.join(f'{n} {c}' for c, n in counts.items())} |")
    return "\n".join(lines) + "\n"
