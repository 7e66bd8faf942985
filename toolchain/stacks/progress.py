"""Reads what `pulumi up` prints and keeps what a person wants to see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .state import IMAGES

# ` +  docker:index:Container hub created (3s) …`, ` -  docker:index:Volume homes deleted[retain]`
_RESOURCE = re.compile(
    r"^ *[-+~]{0,2} +(?P<type>[\w:/.-]+:[\w:/.-]+) (?P<name>\S+) "
    r"(?P<did>\*\*[^*]+\*\*|\w+(?: replacement| original)?)"
    r"(?: \((?P<seconds>[\d.]+m?s?\d*s?)\))?(?P<retained>\[retain\])?(?: (?P<rest>.*))?$"
)
_DONE = ("created", "updated", "deleted", "replaced", "created replacement", "deleted original")
_BUILD = re.compile(r"\bstep (\d+)/(\d+)\b|[Ss]tep (\d+)/(\d+)")
_NOISE = re.compile(r"using pulumi-(language|resource)-\w+ from \$PATH|0\.0\.0-standin")
_LEFT = [re.sub(r"/\w+", "", kind) for kind in IMAGES]  # as Pulumi prints them
_QUIET_TYPES = ("pulumi:providers:", "jupyterhub:index:", "pulumi:pulumi:Stack")


def readable(lines: Iterable[str]) -> Iterator[str]:
    """The lines worth reading: finished changes, stages of builds, errors, and the summary."""
    reporting = False  # after `Diagnostics:` or an error everything counts but our own notices
    last_stage = ""
    for raw in lines:
        line = raw.rstrip()
        if _NOISE.search(line) or not line.strip() or line.startswith("@ "):
            continue
        if line.startswith(("Diagnostics:", "Resources:", "error:", "Duration:")):
            reporting = line.startswith(("Diagnostics:", "error:"))
            if not line.startswith(("Diagnostics:", "Duration:")):
                yield f"  {line}"
            continue
        if reporting or re.match(
            r" {4}([-+~]{1,2} ?)?\d+ (to |un|cha|cre|upd|del|rep|err|imp)", line
        ):
            if not _is_heading(line) and not line.lstrip().startswith("info: "):
                yield f"  {line}"
            continue
        shown = _resource(line)
        if shown and shown != last_stage:
            last_stage = shown
            yield f"  {shown}"


def _is_heading(line: str) -> bool:
    return bool(re.fullmatch(r" +\S+:\S+ \(\S+\):", line))


def _resource(line: str) -> str | None:
    match = _RESOURCE.match(line)
    if not match:
        return None
    kind, name, did = match["type"], match["name"], match["did"].strip()
    short = f"{kind.rsplit(':', 1)[1].rsplit('/', 1)[-1]} {name}"
    if "failed" in did:
        return f"✗ {short}: {did.strip('*')}"
    told = re.search(r"\binfo: (.+)$", match["rest"] or "")
    if told and kind == "pulumi:pulumi:Stack":  # the program's own progress: a machine it waits for
        return f"… {told[1]}"
    if kind.startswith(_QUIET_TYPES):
        return None
    if did.startswith("deleted") and (match["retained"] or kind in _LEFT):
        return f"✓ {short}: left as it is"
    if did in _DONE:
        return f"✓ {short}: {did}" + (f" ({match['seconds']})" if match["seconds"] else "")
    stage = _BUILD.search(match["rest"] or "")
    if stage:
        now, of = (part for part in stage.groups() if part)
        return f"… {short}: step {now} of {of}"
    return None
