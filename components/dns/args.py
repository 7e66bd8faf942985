"""Args of DnsName."""

from __future__ import annotations

from enum import Enum
from typing import Self

from pydantic import model_validator

from ..args import Args, InputStr, field, matching


class DnsKind(str, Enum):
    """Who makes the name point to the address."""

    wildcard = "wildcard"
    managed = "managed"
    none = "none"


class FailoverRole(str, Enum):
    """Which of two hubs the name leads to."""

    primary = "primary"
    secondary = "secondary"


class FailoverArgs(Args):
    """Two hubs of one name: it leads to the primary, and to the secondary while that one is down.

    Each is a stack of its own, with the same `name` and `zone`.
    """

    role: FailoverRole = field(
        description="`primary`: as long as it answers; `secondary`: while the primary doesn't.",
        change="makes the record anew; of two with one role the second is refused",
    )
    port: int = field(
        443,
        ge=1,
        le=65535,
        description="Port that the primary is asked at, by HTTPS and from everywhere.",
        change="makes the health check anew",
    )
    every: int = field(
        30,
        unit="seconds",
        description="How often the primary is asked; three silences count. Allowed: 10, 30.",
        change="makes the health check anew",
    )

    @model_validator(mode="after")
    def _every_is_offered(self) -> Self:
        if self.every not in (10, 30):
            raise ValueError(f"every is 10 or 30 seconds, not {self.every}")
        return self


class DnsArgs(Args):
    """The name that browsers use."""

    kind: DnsKind = field(
        DnsKind.wildcard,
        description=(
            "`wildcard`: a name made from the address, of a public service, with no DNS of yours; "
            "`managed`: a record in the cloud's own DNS; `none`: you made `name` yourself, or the "
            "address is the name."
        ),
        change="changes the URL; replaces the proxy and hub containers",
    )
    name: InputStr | None = field(
        None,
        description="Full name of the hub: `hub.example.org`, with `managed` or `none`.",
        change="changes the URL; replaces the proxy and hub containers",
    )
    zone: InputStr | None = field(
        None,
        description="Id (AWS), name (GCP) or id (OpenStack) of the DNS zone, with `managed`.",
        change="makes the record in the other zone",
    )
    service: str = field(
        "sslip.io",
        pattern=r"^[a-z0-9.-]+$",
        description=(
            "Service of `wildcard` names. Its limits with Let's Encrypt are shared by all its "
            "users: for a class that matters, use a name of your own."
        ),
        change="changes the URL; replaces the proxy and hub containers",
    )
    ttl: int = field(
        300, ge=30, le=86400, unit="seconds", description="Lifetime of a record.", change="in place"
    )
    failover: FailoverArgs | None = field(
        None,
        description="On AWS, with `managed`: another hub takes the name over. Default: none.",
        change="makes the record anew: a moment without the name",
    )

    _name = matching(
        r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}",
        "name",
        form="a full name in small letters, like hub.example.org",
    )
    _zone = matching(r"\S+", "zone", form="the zone's id or name")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind is DnsKind.managed and not (self.name and self.zone):
            raise ValueError("kind `managed` needs name and zone")
        if self.kind is DnsKind.wildcard and self.name:
            raise ValueError("name goes with kind `managed` or `none`")
        if self.kind is not DnsKind.managed and self.zone:
            raise ValueError("zone goes with kind `managed`")
        if self.failover and self.kind is not DnsKind.managed:
            raise ValueError("failover goes with kind `managed`")
        return self
