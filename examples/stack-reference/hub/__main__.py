"""A hub on another stack's engine, with another stack's homes."""

import pulumi
from pulumi_jupyterhub import (
    DockerHost,
    DockerHostArgs,
    EgressArgs,
    HubSecretsArgs,
    ImageStore,
    JupyterHubHost,
    JupyterHubHostArgs,
    SharedVolume,
    SharedVolumeArgs,
    TraefikProxy,
    TraefikProxyArgs,
    UsersNetworkArgs,
)

config = pulumi.Config()
platform = pulumi.StackReference(config.require("platform"))
port = config.get_int("port") or 8000

host = DockerHost.connect(
    f"reference-{pulumi.get_stack()}", DockerHostArgs(host=platform.require_output("engine"))
)
# Builds go the way that this machine goes: its proxy, its certificates.
images = ImageStore(host, EgressArgs.of_environment())
volumes = {
    # Its owner is the other stack, which protects it.
    "homes": SharedVolume(
        "homes", SharedVolumeArgs(volume=platform.require_output("homes"), protect=False), host
    ),
    "shared": SharedVolume("shared", SharedVolumeArgs(), host),
    "state": SharedVolume("state", SharedVolumeArgs(), host),
}
proxy = TraefikProxy("proxy", TraefikProxyArgs(http_port=port, api_port=port + 100), host, images)
hub = JupyterHubHost(
    "hub",
    JupyterHubHostArgs(
        title=platform.require_output("title"),
        network=UsersNetworkArgs(subnet="10.233.0.0/20", hub_port=port + 200),
    ),
    HubSecretsArgs(**config.require_object("secrets")),
    host,
    images,
    proxy,
    volumes,
)

pulumi.export("url", hub.url)
