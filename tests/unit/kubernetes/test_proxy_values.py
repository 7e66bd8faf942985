"""TraefikProxy in a cluster: Traefik's values, and the Ingress that the hub's chart makes."""

from __future__ import annotations

from typing import Any

from components.traefik_proxy.args import TraefikProxyArgs
from components.traefik_proxy.kubernetes import chart_values, ingress
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


def test_it_serves_its_own_namespace_and_has_no_rights_outside_of_it() -> None:
    """With a class of the cluster, the chart would let it read every Secret there is."""
    values = proxy_values(read("minimal"))
    assert values["rbac"] == {"enabled": True, "namespaced": True}
    assert values["ingressClass"] == {"enabled": False}
    watched = values["providers"]["kubernetesIngress"]
    assert watched["ingressClass"] == "jupyterhub-test-proxy"
    assert watched["namespaces"] == ["jupyterhub-test"]
    assert not values["providers"]["kubernetesCRD"]["enabled"]
    assert not values["api"]["dashboard"]
    assert _ingress()["annotations"] == {"kubernetes.io/ingress.class": "own"}
    assert "ingressClassName" not in _ingress()


def test_its_service_is_called_as_the_address_is_looked_up() -> None:
    """By the release's name; the chart would put its own behind."""
    assert proxy_values(read("minimal"))["fullnameOverride"] == "jupyterhub-test-proxy"


def test_answers_are_as_safe_as_on_a_docker_host() -> None:
    values = proxy_values(read("minimal"))
    rules = values["providers"]["file"]["content"]
    headers = rules["http"]["middlewares"]["secure-headers"]["headers"]
    assert headers == {"contentTypeNosniff": True, "stsSeconds": 31536000}
    assert rules["tls"]["options"]["default"]["minVersion"] == "VersionTLS12"
    for port in ("web", "websecure"):
        assert values["ports"][port]["http"]["middlewares"] == ["secure-headers@file"]
        allowed = values["ports"][port]["http"]["encodedCharacters"]
        assert [name for name, may in allowed.items() if not may] == ["allowEncodedNullCharacter"]


def test_ports_of_the_nodes_are_the_stacks_where_they_can_be() -> None:
    def ports(service: str, port: int) -> dict[str, Any]:
        edge = {"tls": {"kind": "self_signed"}, "cluster": {"service": service}}
        args = TraefikProxyArgs(http_port=80, https_port=port, **edge)
        found = chart_values(args, name="own", namespace="x")["ports"]
        return {name: found[name].get("nodePort") for name in ("web", "websecure")}

    assert ports("NodePort", 30443) == {"web": None, "websecure": 30443}
    assert ports("NodePort", 443) == {"web": None, "websecure": None}
    assert ports("LoadBalancer", 30443) == {"web": None, "websecure": None}


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
