"""TraefikProxy in a cluster: Traefik's values, and the Ingress that the hub's chart makes."""

from __future__ import annotations

from typing import Any

from components.traefik_proxy.args import TraefikProxyArgs
from components.traefik_proxy.kubernetes import ingress
from tests.unit.kubernetes.values import proxy_values, read


def test_acme_keeps_its_certificates_on_the_volume() -> None:
    values = proxy_values(read("minimal"))
    assert values["persistence"] == {
        "enabled": True,
        "existingClaim": "jupyterhub-test-certificates",
        "path": "/certificates",
    }
    assert values["certificatesResolvers"]["acme"]["acme"] == {
        "email": "a@example.org",
        "caServer": "https://acme-v02.api.letsencrypt.org/directory",
        "storage": "/certificates/acme.json",
        "certificatesDuration": 2160,
        "httpChallenge": {"entryPoint": "web"},
    }
    assert values["ports"]["websecure"]["http"]["tls"] == {
        "enabled": True,
        "certResolver": "acme",
        "domains": [{"main": "hub.example.org", "sans": []}],
    }
    assert values["ports"]["web"]["http"]["redirections"]["entryPoint"]["to"] == "websecure"
    # Two pods can't have one volume.
    assert values["updateStrategy"] == {"type": "Recreate", "rollingUpdate": None}


def test_it_serves_its_own_class_in_its_own_namespace_only() -> None:
    values = proxy_values(read("minimal"))
    name = "jupyterhub-test-proxy"
    assert values["ingressClass"] == {"enabled": True, "isDefaultClass": False, "name": name}
    assert values["providers"]["kubernetesIngress"]["ingressClass"] == name
    assert values["providers"]["kubernetesIngress"]["namespaces"] == ["jupyterhub-test"]
    assert not values["providers"]["kubernetesCRD"]["enabled"]
    assert not values["api"]["dashboard"]


def _ingress(**args: Any) -> dict[str, Any]:
    made = TraefikProxyArgs(http_port=80, https_port=443, **args)
    return ingress(made, "own", list(made.tls.domains), "certificate")


def test_cert_manager_makes_the_certificate() -> None:
    tls = {"kind": "cert_manager", "issuer": "letsencrypt", "domains": ["a.example"]}
    assert _ingress(tls=tls, cluster={"ingress_class": "nginx"}) == {
        "enabled": True,
        "ingressClassName": "nginx",
        "hosts": ["a.example"],
        "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
        "tls": [{"hosts": ["a.example"], "secretName": "certificate"}],
    }


def test_tls_that_ends_elsewhere_is_not_asked_for_here() -> None:
    made = _ingress(tls={"kind": "elsewhere", "domains": ["a.example"]})
    assert made["tls"] == []


def test_acme_takes_the_certificate_from_traefik() -> None:
    tls = {"kind": "acme", "email": "a@example.org", "domains": ["a.example"]}
    assert _ingress(tls=tls)["tls"] == [{"hosts": ["a.example"]}]
