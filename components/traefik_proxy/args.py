"""Args of TraefikProxy."""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Any, Self

import pulumi
from pydantic import model_validator

from ..args import Args, InputSecret, InputStr, field, matching
from ..images import ImageArgs

TRAEFIK_IMAGE = "traefik:v3.7.15"
_PORT: dict[str, Any] = {"ge": 1, "le": 65535}
_RENEWED = "replaces the proxy container, which asks for a new certificate"
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
_ADDRESS = r"^[^\s:]+:\d{1,5}$"


class TlsKind(str, Enum):
    """Where the certificate comes from."""

    none = "none"
    self_signed = "self_signed"
    provided = "provided"
    acme = "acme"
    cert_manager = "cert_manager"
    elsewhere = "elsewhere"


NODE_PORTS = range(30000, 32768)  # what Kubernetes lends


class ServiceType(str, Enum):
    """How a service of a cluster is reached from outside."""

    load_balancer = "LoadBalancer"
    node_port = "NodePort"


class DnsChallengeArgs(Args):
    """Shows the authority that the names are yours by a DNS record (DNS-01).

    Needed for names like `*.hub.example.org`, and where port 80 can't be reached from outside.
    """

    provider: str = field(
        pattern=r"^[a-z0-9-]+$",
        description=(
            "Who runs your DNS, as Traefik calls it: `route53`, `gcloud`, `designate`, `rfc2136`, "
            "`cloudflare` and many others."
        ),
        change=_RENEWED,
    )
    environment: dict[str, InputSecret] = field(
        {},
        description=(
            "What Traefik's page on the provider asks for; none where the VM's own role may "
            "change the zone."
        ),
        change="replaces the proxy container: a second without new connections",
    )
    resolvers: list[str] = field(
        [],
        description="DNS servers to ask, as `192.0.2.53:53`. Default: the host's.",
        change="replaces the proxy container: a second without new connections",
    )
    check: bool = field(
        True,
        description="Wait until the record is seen. `false`: only wait for `delay`.",
        change="replaces the proxy container: a second without new connections",
    )
    delay: int = field(
        0,
        ge=0,
        unit="seconds",
        description="Wait before looking for the record.",
        change="replaces the proxy container: a second without new connections",
    )


class TlsArgs(Args):
    """Encryption of what browsers send."""

    kind: TlsKind = field(
        TlsKind.none,
        description=(
            "`none` (own machine only), `self_signed` (browsers warn; a new certificate at each "
            "start of the proxy), `provided` (your files), `acme` (Let's Encrypt or another); in "
            "Kubernetes also `cert_manager` (which the cluster has), `elsewhere` (whatever is "
            "before the cluster's ingress does it)."
        ),
        change="replaces the proxy container: a second without new connections",
    )
    certificate: InputStr | None = field(
        None,
        description="The certificate chain (PEM text), with `provided`.",
        change="replaces the proxy container: a second without new connections",
    )
    key: InputSecret | None = field(
        None,
        description="Its private key (PEM text); set it with `pulumi config set --secret`.",
        change="replaces the proxy container: a second without new connections",
    )
    secret: str | None = field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description="In Kubernetes: a secret with certificate and key, in place of the two.",
        change="in place",
    )
    issuer: str | None = field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description="In Kubernetes: cert-manager's ClusterIssuer, with `cert_manager`.",
        change="in place; a new certificate is asked for",
    )
    domains: list[InputStr] = field(
        [],
        description=(
            "Names that the certificate is for, with `acme`. Default: the hub's name. In "
            "Kubernetes: the hub's names."
        ),
        change="replaces the proxy container, which asks for a new certificate",
    )
    email: InputStr | None = field(
        None,
        description="Where the authority writes before a certificate ends, with `acme`.",
        change="replaces the proxy container: a second without new connections",
    )
    acme_server: str = field(
        LETS_ENCRYPT,
        pattern=r"^https://\S+$",
        description="Directory URL of the certificate authority, with `acme`.",
        change=_RENEWED,
    )
    staging: bool = field(
        False,
        description=(
            "Ask Let's Encrypt's staging authority: browsers warn, but nothing counts against its "
            "limits. To try things out."
        ),
        change=_RENEWED,
    )
    acme_ca: InputStr | None = field(
        None,
        description="Certificate (PEM text) of an authority in your institute, which nobody knows.",
        change="replaces the proxy container: a second without new connections",
    )
    eab_key_id: InputStr | None = field(
        None,
        description="Key id of an account there (Sectigo, HARICA, ZeroSSL): external binding.",
        change=_RENEWED,
    )
    eab_key: InputSecret | None = field(
        None,
        description="Its key; set it with `pulumi config set --secret`.",
        change=_RENEWED,
    )
    lifetime: int = field(
        90,
        ge=1,
        le=400,
        unit="days",
        description="How long the authority's certificates last; they are renewed in time.",
        change="replaces the proxy container: a second without new connections",
    )
    dns: DnsChallengeArgs | None = field(
        None,
        description="Prove the names by DNS. Default: by HTTP, on port 80.",
        change=_RENEWED,
    )

    _email = matching(r"[^@\s]+@[^@\s]+", "email", form="an address like ana@example.org")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        files = () if self.secret else ("certificate", "key")
        needs = {
            TlsKind.provided: files,
            TlsKind.acme: ("email",),
            TlsKind.cert_manager: ("issuer",),
        }
        missing = [name for name in needs.get(self.kind, ()) if not getattr(self, name)]
        if missing:
            raise ValueError(f"kind `{self.kind.value}` also needs: {', '.join(missing)}")
        if (self.eab_key_id is None) != (self.eab_key is None):
            raise ValueError("eab_key_id and eab_key go together")
        if self.staging and self.acme_server != LETS_ENCRYPT:
            raise ValueError("staging is Let's Encrypt's; of another authority give acme_server")
        if not self.dns and any(str(name).startswith("*.") for name in self.domains):
            raise ValueError("a name that begins with `*.` can only be proved by DNS: give `dns`")
        return self

    @property
    def directory(self) -> str:
        """The authority's address."""
        return LETS_ENCRYPT_STAGING if self.staging else self.acme_server

    @property
    def storage(self) -> str:
        """Name of the file that certificates are kept in, one for each authority.

        In a common one, Traefik would keep what a staging authority gave.
        """
        if self.directory == LETS_ENCRYPT:
            return "acme.json"
        return f"acme-{hashlib.sha256(self.directory.encode()).hexdigest()[:8]}.json"


class RouteArgs(Args):
    """Requests that the proxy hands to a container of yours."""

    name: str = field(
        pattern=r"^[a-z][a-z0-9-]*$",
        description="Name of the route, unique on this proxy.",
        change="replaces the proxy container: a second without new connections",
    )
    path: str = field(
        "/",
        pattern=r"^/[A-Za-z0-9._~/-]*$",
        description="Path that the requests start with.",
        change="replaces the proxy container: a second without new connections",
    )
    hostname: str | None = field(
        None,
        pattern=r"^[A-Za-z0-9.-]+$",
        description="Only requests for this name. Default: any.",
        change="replaces the proxy container: a second without new connections",
    )
    url: InputStr = field(
        description="Where they go: `http://127.0.0.1:9000`.",
        change="replaces the proxy container: a second without new connections",
    )
    priority: int = field(
        10_000,
        ge=1,
        description="The higher one wins. The hub's own routes count as long as their text is.",
        change="replaces the proxy container: a second without new connections",
    )


class TcpRouteArgs(Args):
    """A port that is passed on as it is, byte for byte."""

    listen: str = field(
        pattern=_ADDRESS,
        description="Address and port on the host: `10.231.0.1:8786`.",
        change="replaces the proxy container: a second without new connections",
    )
    target: InputStr = field(
        description="Address and port that it leads to.",
        change="replaces the proxy container: a second without new connections",
    )


class ClusterEdgeArgs(Args):
    """How requests get into a Kubernetes cluster."""

    ingress_class: str | None = field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description=(
            "Ingress class that the cluster has; `kubectl get ingressclass` lists them. Default: "
            "a Traefik of the stack's own."
        ),
        change="makes or removes the stack's own Traefik; the address changes",
    )
    annotations: dict[str, str] = field(
        {}, description="Annotations of the hub's Ingress.", change="in place"
    )
    service: ServiceType = field(
        ServiceType.load_balancer,
        description=(
            "How the stack's own Traefik is reached: by the cloud's load balancer, or by ports of "
            f"each node: `http_port` and `https_port` where they are {NODE_PORTS.start} to "
            f"{NODE_PORTS[-1]}, otherwise ones that Kubernetes picks, for a load balancer of your "
            "own."
        ),
        change="in place; the address may change",
    )
    service_annotations: dict[str, str] = field(
        {},
        description="Annotations of its service: what the cloud's load balancer shall be like.",
        change="in place, or as the cloud says",
    )
    values: dict[str, Any] = field(
        {},
        description="Values of Traefik's chart that have no key here; they win.",
        change="as the chart's own documentation says",
    )


class TraefikProxyArgs(Args):
    """The edge of a deployment: the one thing that browsers talk to."""

    bind_address: str = field(
        "127.0.0.1",
        description="Address of the host to listen on. `0.0.0.0` opens it to the network.",
        change="replaces the proxy container: a second without new connections",
    )
    http_port: int | None = field(
        8000,
        **_PORT,
        description="Port for HTTP; with TLS it only redirects. `null`: no HTTP at all.",
        change="replaces the proxy container; the URL changes",
    )
    https_port: int = field(
        8443,
        **_PORT,
        description="Port for HTTPS, used with TLS.",
        change="replaces the proxy container; the URL changes",
    )
    api_port: int = field(
        8099,
        **_PORT,
        description="Port of Traefik's API on 127.0.0.1, where the hub sees its routes.",
        change="replaces the proxy and hub containers; running servers go on",
    )
    tls: TlsArgs = field(
        TlsArgs(),
        description="Encryption of what browsers send.",
        change="replaces the proxy container: a second without new connections",
    )
    routes: list[RouteArgs] = field(
        [],
        description="Requests for containers of yours, beside the hub's.",
        change="replaces the proxy container: a second without new connections",
    )
    tcp_routes: list[TcpRouteArgs] = field(
        [],
        description="Ports passed on as they are.",
        change="replaces the proxy container: a second without new connections",
    )
    cluster: ClusterEdgeArgs = field(
        ClusterEdgeArgs(), description="How requests get into a cluster.", change="see its fields"
    )
    image: ImageArgs = field(
        ImageArgs(reference=TRAEFIK_IMAGE),
        description="Traefik's image, 3.6.4 or newer.",
        change="replaces the proxy container: a second without new connections",
    )

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        ports = [self.http_port, self.api_port]
        ports += [self.https_port] if self.tls.kind is not TlsKind.none else []
        if len(set(ports)) < len(ports):
            raise ValueError("http_port, https_port and api_port must differ")
        if self.http_port is None and self.tls.kind is not TlsKind.none:
            raise ValueError("TLS needs http_port too, for the redirect")
        return self

    @property
    def entry_point(self) -> str:
        """The entry point that browsers' requests arrive at."""
        return "web" if self.tls.kind is TlsKind.none else "websecure"

    def names(self, address: pulumi.Input[str]) -> pulumi.Output[list[str]]:
        """The names that it answers to, the first is the one that is shown."""
        return pulumi.Output.all(*(self.tls.domains or [address])).apply(
            lambda known: [str(name) for name in known]
        )

    def url(self, name: str) -> str:
        """The URL of this proxy for a browser."""
        secure = self.tls.kind is not TlsKind.none  # `elsewhere` too, before it gets here
        scheme, port, usual = (
            ("https", self.https_port, 443) if secure else ("http", self.http_port, 80)
        )
        return f"{scheme}://{name}" if port == usual else f"{scheme}://{name}:{port}"
