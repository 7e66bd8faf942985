"""What Google Cloud says before a VM is made, by the Compute Engine API."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import google.auth
from google.auth.transport.requests import AuthorizedSession

from .findings import Finding, Verdict, Wanted, quota

_SCOPES = ["https://www.googleapis.com/auth/compute.readonly"]
_RAISE = "a higher quota: Google Cloud console, IAM & Admin, Quotas"


def questions(wanted: Wanted) -> Sequence[Callable[[Wanted], Iterable[Finding]]]:
    """The checks, or an error where there are no credentials."""
    ask = _project(wanted)
    return [ask.machine_type] if ask.has(wanted) else [ask.machine_type, ask.quotas]


def left_behind(wanted: Wanted, deployment: str) -> list[str]:
    """Names of machines, disks and addresses that carry the deployment's label."""
    ask = _project(wanted)
    return [
        name for kind in ("instances", "disks", "addresses") for name in ask.own(kind, deployment)
    ]


def _project(wanted: Wanted) -> _Project:
    # Without this the library looks for a metadata server, for seconds.
    os.environ.setdefault("NO_GCE_CHECK", "true")
    credentials, project = google.auth.default(scopes=_SCOPES)
    session: Any = AuthorizedSession  # without types of its own
    return _Project(session(credentials), wanted.account or project or "")


class _Project:
    def __init__(self, session: Any, project: str) -> None:
        self._session = session
        base = os.environ.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE")
        self._url = f"{base or 'https://compute.googleapis.com/compute/v1'}/projects/{project}"

    def _get(self, path: str) -> Any:
        answer = self._session.get(f"{self._url}/{path}", timeout=10)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()

    def own(self, kind: str, deployment: str) -> Iterable[str]:
        """Names of a kind of thing that carry the deployment's label, in every zone."""
        wanted = f"labels.pulumi-jupyterhub-deployment={deployment}"
        places = (self._get(f"aggregated/{kind}?filter={wanted}") or {}).get("items", {})
        return [thing["name"] for place in places.values() for thing in place.get(kind, [])]

    def has(self, wanted: Wanted) -> bool:
        """Whether the VM is there already."""
        return self._get(f"zones/{wanted.zone}/instances/{wanted.name}") is not None

    def machine_type(self, wanted: Wanted) -> Iterable[Finding]:
        """The zone is there and offers the type."""
        if self._get(f"zones/{wanted.zone}") is None:
            yield Finding("site.zone", Verdict.refused, f"{wanted.zone}", self._zones(wanted))
        elif wanted.machine_type:
            found = self._get(f"zones/{wanted.zone}/machineTypes/{wanted.machine_type}")
            if found is None:
                text = f"{wanted.machine_type}, which {wanted.zone} does not have"
                yield Finding("vm.machine_type", Verdict.refused, text, "a type that the zone has")

    def _zones(self, wanted: Wanted) -> str:
        every = sorted(zone["name"] for zone in (self._get("zones") or {}).get("items", []))
        near = [zone for zone in every if zone.startswith((wanted.zone or "")[:6])]
        return f"a zone: {', '.join((near or every)[:8])}"

    def quotas(self, wanted: Wanted) -> Iterable[Finding]:
        """The region's quotas have room."""
        region = self._get(f"regions/{wanted.region}") or {}
        known = {q["metric"]: (int(q["limit"]), int(q["usage"])) for q in region.get("quotas", [])}
        family = (wanted.machine_type or "").split("-")[0].upper()
        needs = [
            ("vm.size", "vCPUs", _metric(known, family), wanted.cpus or 0),
            ("vm.network.public_address", "addresses", "STATIC_ADDRESSES", wanted.addresses),
            ("volumes.data.size", "GiB of pd-balanced", "SSD_TOTAL_GB", sum(wanted.volumes)),
        ]
        for path, what, metric, needed in needs:
            if metric in known:
                limit, used = known[metric]
                yield quota(path, what, needed, limit, used, _RAISE)
            else:
                yield Finding.unknown(path, f"the region tells no quota {metric}")


def _metric(known: dict[str, Any], family: str) -> str:
    """Newer families have a quota of vCPUs of their own."""
    own = f"{family}_CPUS"
    return own if own in known else "CPUS"
