"""A hub on a VM in a network that exists already (AWS)."""

import pulumi
from pulumi_jupyterhub import (
    CloudSshArgs,
    CloudVM,
    CloudVMArgs,
    DnsArgs,
    DnsName,
    HubSecretsArgs,
    ImageStore,
    JupyterHubHost,
    JupyterHubHostArgs,
    NetworkArgs,
    NetworkKind,
    SharedVolume,
    SharedVolumeArgs,
    Site,
    SiteArgs,
    SizeArgs,
    TlsArgs,
    TlsKind,
    TraefikProxy,
    TraefikProxyArgs,
    VolumeKind,
)

config = pulumi.Config()
deployment = f"{pulumi.get_project()}-{pulumi.get_stack()}"
folders = {name: f"/srv/data/{name}" for name in ("homes", "shared", "state", "certificates")}

site = Site.connect("aws", deployment, SiteArgs(zone=config.require("zone")))
data = SharedVolume("data", SharedVolumeArgs(kind=VolumeKind.block, size=100), site)
vm = CloudVM(
    "vm",
    CloudVMArgs(
        size=SizeArgs(cpus=4, memory="16G"),
        network=NetworkArgs(
            kind=NetworkKind.existing,
            network=config.require("vpc"),
            subnet=config.require("subnet"),
        ),
        ssh=CloudSshArgs(**config.require_object("ssh")),
    ),
    site,
    volumes={"data": data},  # mounted at /srv/data
    folders=list(folders.values()),
)

address = DnsName("name", DnsArgs(), vm.address)
host = vm.docker_host.called(address.name)
images = ImageStore(host)
volumes = {
    # What protects them is the disk that they are on.
    name: SharedVolume(name, SharedVolumeArgs(path=path, protect=False), host)
    for name, path in folders.items()
}
proxy = TraefikProxy(
    "proxy",
    TraefikProxyArgs(
        bind_address="0.0.0.0",
        http_port=80,
        https_port=443,
        tls=TlsArgs(kind=TlsKind.acme, email=config.require("email")),
    ),
    host,
    images,
    volumes["certificates"],
)
hub = JupyterHubHost(
    "hub",
    JupyterHubHostArgs(**config.require_object("hub")),
    HubSecretsArgs(**config.require_object("secrets")),
    host,
    images,
    proxy,
    volumes,
)

pulumi.export("url", hub.url)
pulumi.export("ssh_command", vm.ssh_command)
