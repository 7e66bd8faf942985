"""Two hubs on one Docker engine that share one folder: a course, and its teaching assistants."""

import pulumi
from pulumi_jupyterhub import (
    DockerHost,
    DockerHostArgs,
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
stack = pulumi.get_stack()
secrets = HubSecretsArgs(**config.require_object("secrets"))
first_port = config.get_int("first_port") or 8000

course = DockerHost.connect(f"course-{stack}", DockerHostArgs())
assistants = DockerHost.connect(f"assistants-{stack}", DockerHostArgs())
shared = SharedVolume("shared", SharedVolumeArgs(), course)


def hub(name: str, host: DockerHost, number: int) -> JupyterHubHost:
    """A hub with homes of its own; ports and network differ, for both are on one engine."""
    images = ImageStore(host)
    own = {kind: SharedVolume(f"{name}-{kind}", SharedVolumeArgs(), host) for kind in OWN}
    ports = TraefikProxyArgs(http_port=first_port + number, api_port=first_port + 100 + number)
    return JupyterHubHost(
        name,
        JupyterHubHostArgs(
            title=name.capitalize(),
            network=UsersNetworkArgs(
                subnet=f"10.232.{16 * number}.0/20", hub_port=first_port + 200 + number
            ),
        ),
        secrets,
        host,
        images,
        TraefikProxy(f"{name}-proxy", ports, host, images),
        {**own, "shared": shared},
    )


OWN = ("homes", "state")
pulumi.export("course", hub("course", course, 0).url)
pulumi.export("assistants", hub("assistants", assistants, 1).url)
