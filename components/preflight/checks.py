"""Runs the checks of a cloud at the same time, and puts their answers together."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ..platforms.pick import pick
from .findings import Finding, Verdict, Wanted

Check = Callable[[Wanted], Iterable[Finding]]


def check(wanted: Wanted) -> list[Finding]:
    """All that the cloud answers. Never raises: what can't be asked is unknown."""
    try:
        cloud = pick(__package__, wanted.platform)
        questions: Sequence[Check] = cloud.questions(wanted)
    except ImportError as error:
        return [Finding.unknown("site", str(error))]
    except Exception as error:  # no credentials, no such account: the cloud's own words
        return [Finding.unknown("site", _first_line(error))]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda ask: _asked(ask, wanted), [*questions, _domain])
    return [finding for answer in answers for finding in answer]


def left_behind(wanted: Wanted, deployment: str) -> list[str]:
    """Ids of what carries a deployment's label in the cloud; raises what the cloud raises."""
    found: list[str] = pick(__package__, wanted.platform).left_behind(wanted, deployment)
    return found


def _asked(ask: Check, wanted: Wanted) -> list[Finding]:
    try:
        return list(ask(wanted))
    except Exception as error:
        return [Finding.unknown("site", f"{ask.__name__.strip('_')}: {_first_line(error)}")]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _domain(wanted: Wanted) -> list[Finding]:
    if not wanted.domain:
        return []
    try:
        found = socket.gethostbyname(wanted.domain)
    except OSError:
        why = f"{wanted.domain} does not resolve yet: make the record before the certificate"
        return [Finding.unknown("dns.name", why)]
    return [Finding("dns.name", Verdict.ok, f"{wanted.domain} is {found}")]


def refused(findings: Iterable[Finding]) -> list[str]:
    """What won't work, in the words of a mistake in the stack file."""
    return [
        f"jupyterhub:{f.path}: found {f.found}; allowed: {f.allowed}"
        for f in findings
        if f.verdict is Verdict.refused
    ]


def notes(findings: Iterable[Finding]) -> list[str]:
    """What nobody could tell."""
    return [f"{f.path}: unknown ({f.found})" for f in findings if f.verdict is Verdict.unknown]
