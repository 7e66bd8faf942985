"""TraefikProxy on a Docker engine: one container on the host's network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_docker as docker

from ..args import secret
from ..images import ImageStore
from ..platforms import containers
from ..platforms.docker_host import DockerHost
from ..shared_volume.component import SharedVolume
from .args import RouteArgs, TcpRouteArgs, TlsArgs, TlsKind, TraefikProxyArgs
from .made import Made
from .rules import ENCODED, HEADERS, safe_rules

ROUTES = "/routes"  # Traefik's directory of rules; the hub writes one file of it
CERTIFICATES = "/certificates"
_AUTHORITY = "/run/tls/authority.pem"
_CERTIFICATE, _KEY = "/run/tls/tls.crt", "/run/tls/tls.key"


def create(
    name: str,
    args: TraefikProxyArgs,
    host: DockerHost,
    images: ImageStore,
    certificates: SharedVolume | None,
    parent: pulumi.Resource,
) -> Made:
    """Makes the container and the volume that a hub writes its routes to."""
    image = images.get(args.image)
    routes = docker.Volume(
        f"{name}-routes", name=host.named(f"{name}-routes"), opts=host.options(parent)
    )
    volumes = [containers.mount(routes.name, ROUTES)]
    if certificates:
        volumes.append(containers.mount(certificates.volume, CERTIFICATES))
    made = containers.container(
        name,
        host,
        parent,
        role="proxy",
        labels=host.labels("proxy", keep_running="true"),
        container_name=host.named(name),
        image=image.reference,
        depends_on=image.resources,
        network_mode="host",
        command=_command(args, host),
        envs=_environment(args.tls),
        volumes=volumes,
        uploads=_files(args),
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=["CAP_NET_BIND_SERVICE"]),
        security_opts=["no-new-privileges"],
    )
    return Made(made.name, host.address, routes.name)


def _command(args: TraefikProxyArgs, host: DockerHost) -> pulumi.Output[list[str]]:
    tls = args.tls
    account = [tls.email, tls.eab_key_id, secret(tls.eab_key) if tls.eab_key else None]
    return pulumi.Output.all(args.names(host.address), *account).apply(
        lambda known: static_flags(args, *known)
    )


def _environment(tls: TlsArgs) -> list[pulumi.Output[str]] | None:
    """What Traefik needs to change DNS records."""
    if not (tls.kind is TlsKind.acme and tls.dns):
        return None
    return [
        pulumi.Output.concat(name, "=", secret(value))
        for name, value in sorted(tls.dns.environment.items())
    ]


def static_flags(
    args: TraefikProxyArgs,
    names: Sequence[str],
    email: str | None = None,
    eab_key_id: str | None = None,
    eab_key: str | None = None,
) -> list[str]:
    """Traefik's static configuration as flags. `names` are those that browsers know it by."""
    flags = [
        # The hub's proxy class writes a router for the API on this entry point.
        f"--entrypoints.auth_api.address=127.0.0.1:{args.api_port}",
        "--ping=true",
        "--ping.entrypoint=auth_api",
        "--api.dashboard=false",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        f"--providers.file.directory={ROUTES}",
        "--providers.file.watch=true",
        "--providers.providersthrottleduration=0s",  # a new notebook's route counts at once
        "--log.level=INFO",
        "--log.nocolor=true",
        "--accesslog=true",
        f"--entrypoints.{args.entry_point}.http.middlewares={HEADERS}@file",
        *_path_flags(args.entry_point),
    ]
    if args.http_port is not None:
        flags += _http_flags(args, args.http_port)
        if args.tls.kind is TlsKind.acme:
            flags += _acme_flags(args.tls, names, email)
            if eab_key_id:
                account = "--certificatesresolvers.acme.acme.eab"
                flags += [f"{account}.kid={eab_key_id}", f"{account}.hmacencoded={eab_key}"]
    for index, route in enumerate(args.tcp_routes):
        flags.append(f"--entrypoints.tcp{index}.address={route.listen}")
    return flags


def _path_flags(entry_point: str) -> list[str]:
    paths = f"--entrypoints.{entry_point}.http.encodedcharacters"
    return [f"{paths}.{name.lower()}={str(may).lower()}" for name, may in ENCODED.items()]


def _http_flags(args: TraefikProxyArgs, port: int) -> list[str]:
    plain = f"--entrypoints.web.address={args.bind_address}:{port}"
    if args.tls.kind is TlsKind.none:
        return [plain]
    return [
        plain,
        f"--entrypoints.web.http.redirections.entrypoint.to=:{args.https_port}",
        "--entrypoints.web.http.redirections.entrypoint.scheme=https",
        f"--entrypoints.websecure.address={args.bind_address}:{args.https_port}",
        "--entrypoints.websecure.http.tls=true",
    ]


def _acme_flags(tls: TlsArgs, names: Sequence[str], email: str | None) -> list[str]:
    main, *others = names
    resolver = "--certificatesresolvers.acme.acme"
    flags = [
        "--entrypoints.websecure.http.tls.certresolver=acme",
        f"--entrypoints.websecure.http.tls.domains[0].main={main}",
        f"{resolver}.email={email}",
        f"{resolver}.caserver={tls.directory}",
        f"{resolver}.storage={CERTIFICATES}/{tls.storage}",
        f"{resolver}.certificatesduration={tls.lifetime * 24}",
        *_challenge_flags(tls, resolver),
    ]
    if others:
        flags.append(f"--entrypoints.websecure.http.tls.domains[0].sans={','.join(others)}")
    if tls.acme_ca:
        flags += [f"{resolver}.cacertificates={_AUTHORITY}", f"{resolver}.casystemcertpool=true"]
    return flags


def _challenge_flags(tls: TlsArgs, resolver: str) -> list[str]:
    if not tls.dns:
        return [f"{resolver}.httpchallenge.entrypoint=web"]
    challenge = f"{resolver}.dnschallenge"
    flags = [f"{challenge}.provider={tls.dns.provider}"]
    if tls.dns.resolvers:
        flags.append(f"{challenge}.resolvers={','.join(tls.dns.resolvers)}")
    if not tls.dns.check:
        flags.append(f"{challenge}.propagation.disablechecks=true")
    if tls.dns.delay:
        flags.append(f"{challenge}.propagation.delaybeforechecks={tls.dns.delay}s")
    return flags


def _files(args: TraefikProxyArgs) -> list[Any]:
    # JSON is YAML, and json_dumps waits for Outputs.
    text = pulumi.Output.json_dumps(dynamic_rules(args))
    files = [containers.file(f"{ROUTES}/fixed.yml", text)]
    if args.tls.kind is TlsKind.provided and args.tls.certificate and args.tls.key:
        files.append(containers.file(_CERTIFICATE, args.tls.certificate))
        files.append(containers.file(_KEY, secret(args.tls.key), private=True))
    if tls_ca := args.tls.acme_ca:
        files.append(containers.file(_AUTHORITY, tls_ca))
    return files


def dynamic_rules(args: TraefikProxyArgs) -> dict[str, Any]:
    """The rules that don't change while Traefik runs: own routes, TCP ports, a certificate."""
    rules = safe_rules(args.tls)
    if args.routes:
        rules["http"] |= {
            "routers": {route.name: _router(route, args) for route in args.routes},
            "services": {route.name: _service(route) for route in args.routes},
        }
    if args.tcp_routes:
        numbered = list(enumerate(args.tcp_routes))
        rules["tcp"] = {
            "routers": {f"tcp{i}": _tcp_router(i) for i, _ in numbered},
            "services": {f"tcp{i}": _tcp_service(route) for i, route in numbered},
        }
    if args.tls.kind is TlsKind.provided:
        files = {"certFile": _CERTIFICATE, "keyFile": _KEY}
        rules["tls"] |= {
            "certificates": [files],
            "stores": {"default": {"defaultCertificate": files}},
        }
    return rules


def _router(route: RouteArgs, args: TraefikProxyArgs) -> dict[str, Any]:
    rule = f"PathPrefix({json.dumps(route.path)})"
    if route.hostname:
        rule = f"Host({json.dumps(route.hostname)}) && {rule}"
    return {
        "rule": rule,
        "service": route.name,
        "priority": route.priority,
        "entryPoints": [args.entry_point],
    }


def _service(route: RouteArgs) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": route.url}]}}


def _tcp_router(index: int) -> dict[str, Any]:
    return {"entryPoints": [f"tcp{index}"], "rule": "HostSNI(`*`)", "service": f"tcp{index}"}


def _tcp_service(route: TcpRouteArgs) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"address": route.target}]}}
