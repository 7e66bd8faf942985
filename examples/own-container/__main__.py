"""TraefikProxy in front of a container of your own, without any hub."""

import pulumi
import pulumi_docker as docker
from pulumi_jupyterhub import (
    DockerHost,
    DockerHostArgs,
    ImageStore,
    RouteArgs,
    TraefikProxy,
    TraefikProxyArgs,
)

config = pulumi.Config()
host = DockerHost.connect(f"own-{pulumi.get_stack()}", DockerHostArgs())

web = docker.Container(
    "web",
    image=config.get("image") or "traefik/whoami:v1.11.0",
    command=config.get_object("command"),
    ports=[docker.ContainerPortArgs(internal=80, external=9080, ip="127.0.0.1")],
    opts=host.options(None),
)
port = web.ports.apply(lambda ports: ports[0].external if ports else 0)
proxy = TraefikProxy(
    "edge",
    TraefikProxyArgs(
        http_port=config.get_int("port") or 8000,
        api_port=config.get_int("api_port") or 8099,
        # An Output: the proxy waits for the container.
        routes=[RouteArgs(name="web", url=pulumi.Output.format("http://127.0.0.1:{0}", port))],
    ),
    host,
    ImageStore(host),
)

pulumi.export("url", proxy.url)
