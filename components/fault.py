"""What is wrong with a valid value on its platform."""

from __future__ import annotations


class Fault(tuple[str, str, str]):
    """A path, what was found there, and what is allowed."""

    __slots__ = ()
