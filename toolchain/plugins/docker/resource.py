"""What all resource types have in common: checking inputs, naming, comparing."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from threading import Event
from typing import Any, ClassVar

from ..provider.values import UNKNOWN, Values, has_unknown
from . import OFFICIAL
from .engine import Engine
from .values import DEFAULTED, canonical, covers


def names(text: str) -> frozenset[str]:
    """The words of a text, for tables of property names."""
    return frozenset(text.split())


class Change(Enum):
    """What a changed property does to the thing that is there."""

    UPDATE = "update"
    REPLACE = "replace"


@dataclass(frozen=True)
class Call:
    """What a call has besides its values: the engine, and ways to tell the user something."""

    engine: Engine
    progress: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None
    cancelled: Event = field(default_factory=Event)


@dataclass(frozen=True)
class Made:
    """A thing that was made."""

    id: str
    outputs: Values


@dataclass(frozen=True)
class Found:
    """A thing as it is on the engine, in the words of the inputs that the user gave."""

    id: str
    inputs: Values
    outputs: Values


class ResourceType(ABC):
    """A resource type. Its tables follow the official provider's schema."""

    token: ClassVar[str]
    required: ClassVar[frozenset[str]] = frozenset()
    replacing: ClassVar[frozenset[str]]
    in_place: ClassVar[frozenset[str]] = frozenset()
    refused: ClassVar[frozenset[str]] = frozenset()
    ordered: ClassVar[frozenset[str]] = frozenset()  # lists whose order counts
    defaults: ClassVar[Mapping[str, Any]] = {}
    computed: ClassVar[frozenset[str]] = frozenset()  # outputs known once it is made
    autonamed: ClassVar[bool] = True

    @abstractmethod
    def create(self, call: Call, inputs: Values) -> Made:
        """Makes it."""

    @abstractmethod
    def read(self, call: Call, id: str, inputs: Values, outputs: Values) -> Found | None:
        """What is there now; None if it is gone. Without inputs it is being imported."""

    @abstractmethod
    def delete(self, call: Call, id: str, inputs: Values) -> None:
        """Removes it; fine if it is gone already."""

    def update(self, call: Call, id: str, olds: Values, news: Values, outputs: Values) -> Values:
        """Changes it in place and returns its outputs; the given ones are without old inputs."""
        return outputs | news

    def prepare(self, inputs: Values) -> tuple[Values, dict[str, str]]:
        """Completes the inputs; also what is wrong with them, by property."""
        return inputs, {}

    def check(
        self, news: Values, olds: Values, logical_name: str, seed: bytes
    ) -> tuple[Values, dict[str, str]]:
        """The inputs to use, and what is wrong with them, by property."""
        inputs = {k: v for k, v in news.items() if v is not None and k != DEFAULTED}
        faults = self._faults(inputs)
        if self.autonamed and "name" not in inputs:
            kept = olds.get("name") if "name" in olds.get(DEFAULTED, []) else None
            inputs["name"] = kept or _autoname(logical_name, seed)
            inputs[DEFAULTED] = ["name"]
        if faults:
            return inputs, faults
        return self.prepare(inputs)

    def _faults(self, inputs: Values) -> dict[str, str]:
        known = self.replacing | self.in_place
        faults = {
            key: f"{key} is not covered by the docker stand-in; {OFFICIAL}"
            if key in self.refused
            else f"{key} is no property of {self.token}"
            for key, value in inputs.items()
            if key not in known and canonical(value) is not None and not key.startswith("__")
        }
        missing = {key: f"{key} is missing" for key in self.required if key not in inputs}
        return faults | missing

    def diff(self, olds: Values, news: Values) -> dict[str, Change]:
        """What differs between old and new inputs, and what each difference does."""
        keys = {key for key in (*olds, *news) if not key.startswith("__")}
        return {
            key: self.effect(key, news)
            for key in sorted(keys)
            if has_unknown(news.get(key)) or self._form(key, olds) != self._form(key, news)
        }

    def effect(self, key: str, news: Values) -> Change:
        """What a changed property does."""
        return Change.REPLACE if key in self.replacing else Change.UPDATE

    def _form(self, key: str, values: Values) -> Any:
        value = values.get(key)
        default = self.defaults.get(key)
        if default is not None and (value is None or value == default):
            return default
        # A value that says the opposite of a true default counts, also if it is false or empty.
        return value if default is not None else canonical(value, key in self.ordered)

    def keeps_name(self, olds: Values, news: Values) -> bool:
        """Whether old and new need the same name, so that they can't both be there."""
        own_choice = not self.autonamed or "name" in news.get(DEFAULTED, [])
        return not own_choice and olds.get("name") == news.get("name") != UNKNOWN

    def planned(self, inputs: Values, outputs: Values | None = None) -> Values:
        """Outputs as far as they are known before something is made or updated."""
        unknown = {key: UNKNOWN for key in self.computed if key not in inputs}
        return unknown | (outputs or {}) | inputs


def as_found(inputs: Values, observed: Values) -> Values:
    """The inputs with what differs on the engine.

    Only what the user named is compared: the engine fills in much more. Where nothing was named,
    at an import, everything observed is taken.
    """
    if not inputs:
        return {key: value for key, value in observed.items() if canonical(value) is not None}
    differing = {
        key: observed[key]
        for key in inputs
        if key in observed and not _same(observed[key], inputs[key])
    }
    return inputs | differing


def _same(actual: Any, wanted: Any) -> bool:
    if not isinstance(wanted, list | dict):
        return bool(canonical(actual) == canonical(wanted))
    return covers(actual, wanted)


def _autoname(logical_name: str, seed: bytes) -> str:
    digest = hashlib.sha256(seed or os.urandom(16)).hexdigest()
    return f"{logical_name}-{digest[:7]}"
