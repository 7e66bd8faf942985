"""What outlives the hubs of many terms: the engine, and the volume with everybody's files."""

import pulumi
from pulumi_jupyterhub import DockerHost, DockerHostArgs, SharedVolume, SharedVolumeArgs

ENGINE = "unix:///var/run/docker.sock"

host = DockerHost.connect(f"platform-{pulumi.get_stack()}", DockerHostArgs(host=ENGINE))
homes = SharedVolume("homes", SharedVolumeArgs(), host)

pulumi.export("engine", ENGINE)
pulumi.export("homes", homes.volume)
pulumi.export("title", "Physics")
