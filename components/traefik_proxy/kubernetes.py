"""TraefikProxy in a Kubernetes cluster: Traefik's chart, or an ingress class that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from ..args import secret
from ..images import ImageStore
from ..platforms.charts import CHARTS, release
from ..platforms.kubernetes import KubernetesCluster
from ..shared_volume.component import SharedVolume
from .args import NODE_PORTS, ServiceType, TlsArgs, TlsKind, TraefikProxyArgs
from .made import Made
from .rules import ENCODED, HEADERS, safe_rules

Values = dict[str, Any]
_STORAGE = "/certificates"
_CLASS = "kubernetes.io/ingress.class"  # without an IngressClass, which belongs to the cluster


def create(
    name: str,
    args: TraefikProxyArgs,
    cluster: KubernetesCluster,
    images: ImageStore,
    certificates: SharedVolume | None,
    parent: pulumi.Resource,
) -> Made:
    """Makes the release, where the cluster's own class isn't taken, and what the Ingress needs."""
    own = args.cluster.ingress_class is None
    tls_secret = _tls_secret(name, args.tls, cluster, parent)
    section = ingress(args, cluster.named(name), list(args.tls.domains), tls_secret)
    if not own:
        known = args.cluster.ingress_class
        return Made(pulumi.Output.from_input(str(known)), cluster.deployment, ingress=section)
    environment = _dns_secret(name, args.tls, cluster, parent)
    made = release(
        name,
        cluster,
        parent,
        chart=CHARTS["traefik"],
        values=chart_values(
            args,
            name=cluster.named(name),
            namespace=cluster.namespace,
            claim=certificates.volume if certificates else None,
            dns_secret=environment,
        ),
        own=args.cluster.values,
        depends_on=[certificates] if certificates else [],
    )
    return Made(made.name.apply(str), _address(name, args, cluster, parent, made), ingress=section)


def _address(
    name: str,
    args: TraefikProxyArgs,
    cluster: KubernetesCluster,
    parent: pulumi.Resource,
    made: Any,
) -> pulumi.Input[str]:
    """The load balancer's; it is only looked up where the hub has no name."""
    if args.tls.domains or args.cluster.service is not ServiceType.load_balancer:
        return cluster.deployment
    service = kubernetes.core.v1.Service.get(
        f"{name}-address",
        pulumi.Output.concat(made.status.namespace, "/", made.status.name),
        opts=cluster.options(parent),
    )
    found: pulumi.Output[str] = service.status.apply(_first_address)
    return found


def _first_address(status: Any) -> str:
    found = status and status.load_balancer and status.load_balancer.ingress
    return str(found[0].ip or found[0].hostname) if found else "address-not-there-yet"


def chart_values(
    args: TraefikProxyArgs,
    *,
    name: str,
    namespace: str,
    claim: Any = None,
    dns_secret: str | None = None,
) -> Values:
    """The chart's values: for an Ingress that says `name`, in the stack's own namespace only.

    It has no rights outside of that. To look IngressClasses up, the chart would let it read every
    Secret of the cluster, and what faces the world is what gets broken into.
    """
    acme = args.tls.kind is TlsKind.acme
    return {
        "fullnameOverride": name,  # of the service, too, whose address is looked up
        "ingressClass": {"enabled": False},
        "ingressRoute": {"dashboard": {"enabled": False}},
        "api": {"dashboard": False},
        "providers": {
            "kubernetesCRD": {"enabled": False},
            "kubernetesIngress": {
                "enabled": True,
                "ingressClass": name,
                "namespaces": [namespace],
            },
            "file": {"enabled": True, "content": safe_rules(args.tls)},
        },
        "rbac": {"enabled": True, "namespaced": True},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "accessLog": {"enabled": True},
        "ports": _ports(args),
        "service": {
            "annotations": dict(args.cluster.service_annotations),
            "spec": {
                "type": args.cluster.service.value,
                # Who came is who the hub's log names.
                "externalTrafficPolicy": "Local",
            },
        },
        "podDisruptionBudget": {"enabled": False},
        **(_acme(args.tls, claim, dns_secret) if acme else {}),
    }


def _ports(args: TraefikProxyArgs) -> Values:
    secure = args.tls.kind not in (TlsKind.none, TlsKind.elsewhere)
    safe: Values = {"middlewares": [f"{HEADERS}@file"], "encodedCharacters": dict(ENCODED)}
    web = dict(safe)
    if secure:
        to = {"to": "websecure", "scheme": "https", "permanent": True}
        web["redirections"] = {"entryPoint": to}
    tls: Values = {"enabled": secure}
    if args.tls.kind is TlsKind.acme:
        main, *others = args.tls.domains
        tls |= {"certResolver": "acme", "domains": [{"main": main, "sans": others}]}
    return {
        "web": {**_port(args, args.http_port or 80), "http": web},
        "websecure": {**_port(args, args.https_port), "http": {**safe, "tls": tls}},
    }


def _port(args: TraefikProxyArgs, port: int) -> Values:
    """The service's, and the nodes' where it can be one of theirs."""
    of_nodes = args.cluster.service is ServiceType.node_port and port in NODE_PORTS
    return {"exposedPort": port, **({"nodePort": port} if of_nodes else {})}


def _acme(tls: TlsArgs, claim: Any, dns_secret: str | None) -> Values:
    """Certificates on a volume that is kept; it is on one node, so no second pod beside the old."""
    resolver: Values = {
        "email": tls.email,
        "caServer": tls.directory,
        "storage": f"{_STORAGE}/{tls.storage}",
        "certificatesDuration": tls.lifetime * 24,
    }
    if tls.dns:
        resolver["dnsChallenge"] = _dns_challenge(tls)
    else:
        resolver["httpChallenge"] = {"entryPoint": "web"}
    if tls.eab_key_id and tls.eab_key:
        resolver["eab"] = {"kid": tls.eab_key_id, "hmacEncoded": secret(tls.eab_key)}
    return {
        "certificatesResolvers": {"acme": {"acme": resolver}},
        "persistence": {"enabled": True, "existingClaim": claim, "path": _STORAGE},
        "updateStrategy": {"type": "Recreate", "rollingUpdate": None},
        # Traefik refuses a file that its group may read: the owner is changed once, when new.
        "podSecurityContext": {"fsGroup": 65532, "fsGroupChangePolicy": "OnRootMismatch"},
        **({"envFrom": [{"secretRef": {"name": dns_secret}}]} if dns_secret else {}),
    }


def _dns_challenge(tls: TlsArgs) -> Values:
    assert tls.dns
    found: Values = {"provider": tls.dns.provider}
    if tls.dns.resolvers:
        found["resolvers"] = list(tls.dns.resolvers)
    propagation: Values = {}
    if not tls.dns.check:
        propagation["disableChecks"] = True
    if tls.dns.delay:
        propagation["delayBeforeChecks"] = tls.dns.delay
    return found | ({"propagation": propagation} if propagation else {})


def ingress(
    args: TraefikProxyArgs, class_name: str, names: Sequence[Any], tls_secret: str | None
) -> Values:
    """The section `ingress` of the hub's chart; the stack's own Traefik takes `class_name`."""
    kind = args.tls.kind
    annotations = dict(args.cluster.annotations)
    cluster_has = args.cluster.ingress_class
    if not cluster_has:
        annotations[_CLASS] = class_name
    if kind is TlsKind.cert_manager:
        annotations["cert-manager.io/cluster-issuer"] = str(args.tls.issuer)
    entry: Values = {"hosts": list(names)} if names else {}
    if kind in (TlsKind.provided, TlsKind.cert_manager):
        entry["secretName"] = tls_secret
    plain = (TlsKind.none, TlsKind.elsewhere)
    return {
        "enabled": True,
        **({"ingressClassName": cluster_has} if cluster_has else {}),
        "hosts": list(names),
        "annotations": annotations,
        "tls": [] if kind in plain or not entry else [entry],
    }


def _tls_secret(
    name: str, tls: TlsArgs, cluster: KubernetesCluster, parent: pulumi.Resource
) -> str | None:
    """The secret with the certificate: given, made of what is given, or cert-manager's to make."""
    if tls.kind is TlsKind.provided and not tls.secret and tls.certificate and tls.key:
        _secret(
            f"{name}-tls",
            cluster,
            parent,
            "kubernetes.io/tls",
            {"tls.crt": tls.certificate, "tls.key": secret(tls.key)},
        )
    return tls.secret or cluster.named(f"{name}-tls")


def _dns_secret(
    name: str, tls: TlsArgs, cluster: KubernetesCluster, parent: pulumi.Resource
) -> str | None:
    """What Traefik needs to change DNS records."""
    if not (tls.kind is TlsKind.acme and tls.dns and tls.dns.environment):
        return None
    values = {key: secret(value) for key, value in tls.dns.environment.items()}
    _secret(f"{name}-dns", cluster, parent, "Opaque", values)
    return cluster.named(f"{name}-dns")


def _secret(
    name: str, cluster: KubernetesCluster, parent: pulumi.Resource, kind: str, values: Any
) -> None:
    kubernetes.core.v1.Secret(
        name,
        metadata={
            "name": cluster.named(name),
            "namespace": cluster.namespace,
            "labels": cluster.labels("proxy"),
        },
        type=kind,
        string_data=values,
        opts=cluster.options(parent),
    )
