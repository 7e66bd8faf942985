"""The plan that `pulumi preview --json` prints, as values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..kept import holds_data, names_a_folder


class Unreadable(Exception):
    """What was given is no plan. Its text says what it is instead."""


class Change(Enum):
    """What happens to a resource."""

    create = "create"
    update = "update"
    replace = "replace"
    delete = "delete"
    adopt = "adopt"
    unknown = "unknown"


# Pulumi's names of steps (sdk/go/common/apitype and pkg/resource/deploy: `StepOp`). A replacement
# can come as one step or as three: the halves say nothing new.
_QUIET = {"same", "read", "refresh", "read-discard", "discard-replaced", "create-replacement"}
_QUIET |= {"read-replacement", "remove-pending-replace", "import-replacement"}
_CHANGES = {
    "create": Change.create,
    "update": Change.update,
    "replace": Change.replace,
    "delete": Change.delete,
    "delete-replaced": Change.replace,
    "import": Change.adopt,
}
_COMPONENT = "jupyterhub:index:"
# Pulumi's mark of a secret in JSON (sdk/go/common/resource/sig), and its values not yet known
# (sdk/go/common/resource/plugin/rpc.go: one string for each kind of value).
_SECRET_MARK = "4dabf18193072939515e22adb298388d"
_UNKNOWN = {
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
}
_SECRET_NAMES = re.compile(r"password|secret|token|private|credential|(^|_)key$", re.I)
_NOISE = re.compile(r"from \$PATH at|is expected to have version|^warning: A new version of Pulumi")
_LONGEST = 60  # characters of a value that are shown


@dataclass(frozen=True)
class Property:
    """One property that changes, in words. `forces` when a replacement is because of it."""

    path: str
    before: str
    after: str
    forces: bool

    def __str__(self) -> str:
        if self.before == self.after:
            return f"`{self.path}`: {self.after}, changed"
        return f"`{self.path}`: {self.before} → {self.after}"


@dataclass(frozen=True)
class Step:
    """What happens to one resource.

    Attributes:
        old_urn: what it is called in the state, which differs where an alias is at work.
        reason: why it is replaced, where no property is the reason.
        retained: a delete only forgets it: it stays where it is.
    """

    urn: str
    old_urn: str
    change: Change
    op: str
    component: str
    properties: tuple[Property, ...] = ()
    reason: str = ""
    holds_data: bool = False
    protected: bool = False
    retained: bool = False

    @property
    def type(self) -> str:
        """The short type: `Container`."""
        return _short_type(self.urn)

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def causes(self) -> list[str]:
        """The properties that force a replacement."""
        return [each.path for each in self.properties if each.forces]


@dataclass(frozen=True)
class Plan:
    """All that a preview said.

    Attributes:
        steps: what changes; what stays the same is only counted.
        unchanged: how many resources stay as they are, components among them.
        is_new: there is no state yet.
        errors: why the preview failed, empty when it didn't.
        notes: warnings and remarks of the program.
    """

    stack: str
    steps: tuple[Step, ...]
    unchanged: int
    is_new: bool
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def read(text: str) -> Plan:
    """The plan in what `pulumi preview --json` printed, whatever is before or after it."""
    document = _document(text)
    steps = document.get("steps")
    if not isinstance(steps, list):
        if not document.get("diagnostics"):
            raise Unreadable(
                "It has no `steps`, so it is not what `pulumi preview --json` prints. This report "
                "knows Pulumi 3.100 to 3.276; a newer one may print something else."
            )
        steps = []
    states = [s[k] for s in steps for k in ("oldState", "newState") if isinstance(s.get(k), dict)]
    old = [s["oldState"] for s in steps if isinstance(s.get("oldState"), dict)]
    of_component = _components(states)
    changes = [_step(s, of_component) for s in steps if s.get("op") not in _QUIET]
    return Plan(
        stack=_stack(steps),
        steps=tuple(_once(changes)),
        unchanged=int((document.get("changeSummary") or {}).get("same") or 0),
        is_new=bool(steps) and not old,
        errors=tuple(_errors(document)),
        notes=tuple(_notes(document)),
    )


def _document(text: str) -> Mapping[str, Any]:
    for start in re.finditer(r"^\{", text, re.M):
        try:
            found, _ = json.JSONDecoder().raw_decode(text, start.start())
        except ValueError:
            continue
        if isinstance(found, dict) and {"steps", "diagnostics", "changeSummary"} & set(found):
            return found
        if "sequence" in found or "resourcePreEvent" in found:
            raise Unreadable(
                "It is a stream of events, one a line. Unset "
                "PULUMI_ENABLE_STREAMING_JSON_PREVIEW and run pulumi preview --json again."
            )
    shown = text.strip()[-300:] or "nothing"
    raise Unreadable(f"There is no JSON of a preview in it, only: {shown}")


def _stack(steps: list[Mapping[str, Any]]) -> str:
    urns = (str(step.get("urn", "")) for step in steps)
    return next((urn.split("::")[0].split(":")[-1] for urn in urns if "::" in urn), "")


def _components(states: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The nearest component of ours above each resource, in words: `JupyterHubHost hub`."""
    parents = {str(state["urn"]): str(state.get("parent") or "") for state in states}
    found = {}
    for urn in parents:
        above = urn
        while above and _COMPONENT not in _type(above):
            above = parents.get(above, "")
        found[urn] = _label(above) if above else ""
    return found


def _step(step: Mapping[str, Any], of_component: Mapping[str, str]) -> Step:
    urn = str(step.get("urn", ""))
    old: Mapping[str, Any] = step.get("oldState") or {}
    op = str(step.get("op", ""))
    old_urn = str(old.get("urn") or urn)
    return Step(
        urn=urn,
        old_urn=old_urn,
        change=_CHANGES.get(op, Change.unknown),
        op=op,
        component=of_component.get(urn, ""),
        properties=tuple(_properties(step)),
        reason=_reason(step),
        holds_data=holds_data(old) and not _comes_back(step),
        protected=bool(old.get("protect")),
        retained=bool(old.get("retainOnDelete")),
    )


def _reason(step: Mapping[str, Any]) -> str:
    old: Mapping[str, Any] = step.get("oldState") or {}
    new: Mapping[str, Any] = step.get("newState") or {}
    if old.get("replacementTrigger") != new.get("replacementTrigger") and old and new:
        before, after = old.get("replacementTrigger"), new.get("replacementTrigger")
        return f"its replacement trigger: `{before}` → `{after}`"
    if with_it := _goes_with(step):
        return f"goes with {_label(with_it)}"
    return ""


def _goes_with(step: Mapping[str, Any]) -> str:
    """What it is replaced with, where nothing of its own changes; by Pulumi 3.276, not 3.255."""
    if step.get("op") != "replace" or step.get("replaceReasons"):
        return ""
    return str((step.get("oldState") or {}).get("deletedWith") or "")


def _comes_back(step: Mapping[str, Any]) -> bool:
    """Whether a volume is only made anew on the next machine, with the same folder."""
    old: Mapping[str, Any] = step.get("oldState") or {}
    return bool(_goes_with(step)) and names_a_folder(old) and not old.get("protect")


def _once(steps: Iterable[Step]) -> Iterator[Step]:
    """Each resource once, without what exists in the state only."""
    seen: set[tuple[str, Change]] = set()
    for step in steps:
        if (step.urn, step.change) not in seen and not _is_frame(step.urn):
            seen.add((step.urn, step.change))
            yield step


def _properties(step: Mapping[str, Any]) -> Iterator[Property]:
    old: Mapping[str, Any] = (step.get("oldState") or {}).get("inputs") or {}
    new: Mapping[str, Any] = (step.get("newState") or {}).get("inputs") or {}
    if not (old and new):
        return
    forcing = {str(path).split(".")[0].split("[")[0] for path in step.get("replaceReasons") or ()}
    details: Mapping[str, Any] = step.get("detailedDiff") or {}
    named = {_top(path) for path in (*(step.get("diffReasons") or ()), *details)}
    for path in sorted(named | forcing):
        kinds = (d.get("kind", "") for p, d in details.items() if _top(p) == path)
        forces = path in forcing or any("replace" in kind for kind in kinds)
        for leaf, before, after in _leaves(path, old.get(path), new.get(path)):
            yield Property(leaf, _shown(leaf, before), _shown(leaf, after), forces)


def _top(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _leaves(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """The places inside a property where it differs."""
    if before == after:
        yield path, before, after  # secrets look the same in JSON
    elif isinstance(before, dict) and isinstance(after, dict) and _SECRET_MARK not in before:
        for key in sorted({*before, *after}):
            if before.get(key) != after.get(key):
                yield from _leaves(f"{path}.{key}", before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            if one != other:
                yield from _leaves(f"{path}[{index}]", one, other)
    else:
        yield path, before, after


def _shown(path: str, value: Any) -> str:
    """A value in a table's cell: secrets masked, what isn't known yet named so."""
    if value is None:
        return "(none)"
    if isinstance(value, str) and value in _UNKNOWN:
        return "(known after the update)"
    text = value if isinstance(value, str) else json.dumps(value)
    name = re.split(r"[.\[]", path)[-1]
    if "[secret]" in text or _SECRET_MARK in text or _SECRET_NAMES.search(name):
        return "(secret)"
    if any(unknown in text for unknown in _UNKNOWN):
        return "(partly known after the update)"
    if len(text) > _LONGEST or "\n" in text:
        return f"(text of {len(text):,} characters)"
    safe = text.replace("`", "'").replace("|", "\\|")
    return f"`{safe}`" if safe else "(empty)"


def _errors(document: Mapping[str, Any]) -> Iterator[str]:
    found = [
        str(each.get("message", "")).strip()
        for each in document.get("diagnostics") or ()
        if each.get("severity") == "error"
    ]
    plain = [message.removeprefix("error: ").strip() for message in found]
    specific = [message for message in plain if message != "preview failed"]
    yield from dict.fromkeys(specific or plain)


def _notes(document: Mapping[str, Any]) -> Iterator[str]:
    messages = (
        str(each.get("message", "")).strip()
        for each in document.get("diagnostics") or ()
        if each.get("severity") != "error"
    )
    told = (re.fullmatch(r"(?:info|warning): (.+)", m, re.S) for m in messages)
    yield from dict.fromkeys(m[1] for m in told if m and not _NOISE.search(m[0]))


def _type(urn: str) -> str:
    parts = urn.split("::")
    return parts[2].rsplit("$", 1)[-1] if len(parts) > 2 else ""


def _short_type(urn: str) -> str:
    return _type(urn).rsplit(":", 1)[-1]


def _label(urn: str) -> str:
    return f"{_short_type(urn)} {urn.rsplit('::', 1)[-1]}"


def _is_frame(urn: str) -> bool:
    """Whether it exists in the state only: the stack, a component, a provider."""
    kind = _type(urn)
    return kind.startswith((_COMPONENT, "pulumi:providers:", "pulumi:pulumi:"))
