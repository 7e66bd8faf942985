"""A VM with Docker and a disk of its own, for whatever you run on it (Google Cloud)."""

import pulumi
from pulumi_jupyterhub import (
    CloudSshArgs,
    CloudVM,
    CloudVMArgs,
    IngressArgs,
    SharedVolume,
    SharedVolumeArgs,
    Site,
    SiteArgs,
    SizeArgs,
    VolumeKind,
)

config = pulumi.Config()
deployment = f"{pulumi.get_project()}-{pulumi.get_stack()}"

site = Site.connect(
    "gcp", deployment, SiteArgs(zone=config.require("zone"), account=config.require("project"))
)
data = SharedVolume("data", SharedVolumeArgs(kind=VolumeKind.block, size=50), site)
vm = CloudVM(
    "vm",
    CloudVMArgs(
        size=SizeArgs(cpus=2, memory="8G"),
        ssh=CloudSshArgs(**config.require_object("ssh")),
        ingress=[IngressArgs(ports="8787", description="RStudio")],
    ),
    site,
    volumes={"data": data},  # mounted at /srv/data
)

pulumi.export("address", vm.address)
pulumi.export("ssh_command", vm.ssh_command)
