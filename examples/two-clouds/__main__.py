"""Two hubs in one program on two clouds: the same args, another platform."""

import pulumi
from pulumi_jupyterhub import (
    CloudSshArgs,
    CloudVM,
    CloudVMArgs,
    DnsArgs,
    DnsName,
    Encryption,
    HubSecretsArgs,
    ImageStore,
    JupyterHubHost,
    JupyterHubHostArgs,
    NetworkArgs,
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
FOLDERS = {name: f"/srv/data/{name}" for name in ("homes", "shared", "state", "certificates")}


def hub(cloud: str, place: SiteArgs, network: NetworkArgs, encryption: Encryption) -> CloudVM:
    """A VM with a data disk in a cloud, and a hub on it."""
    site = Site.connect(cloud, f"{pulumi.get_project()}-{pulumi.get_stack()}-{cloud}", place)
    disk = SharedVolumeArgs(kind=VolumeKind.block, size=50, encryption=encryption)
    vm = CloudVM(
        f"{cloud}-vm",
        CloudVMArgs(
            size=SizeArgs(cpus=2, memory="8G"),
            network=network,
            ssh=CloudSshArgs(**config.require_object("ssh")),
        ),
        site,
        volumes={"data": SharedVolume(f"{cloud}-data", disk, site)},
        folders=list(FOLDERS.values()),
    )
    address = DnsName(f"{cloud}-name", DnsArgs(), vm.address)
    host = vm.docker_host.called(address.name)
    images = ImageStore(host)
    volumes = {
        role: SharedVolume(f"{cloud}-{role}", SharedVolumeArgs(path=path, protect=False), host)
        for role, path in FOLDERS.items()
    }
    edge = TraefikProxyArgs(
        bind_address="0.0.0.0",
        http_port=80,
        https_port=443,
        tls=TlsArgs(kind=TlsKind.acme, email=config.require("email")),
    )
    proxy = TraefikProxy(f"{cloud}-proxy", edge, host, images, volumes["certificates"])
    made = JupyterHubHost(
        f"{cloud}-hub",
        JupyterHubHostArgs(**config.require_object("hub")),
        HubSecretsArgs(**config.require_object("secrets")),
        host,
        images,
        proxy,
        volumes,
    )
    pulumi.export(f"{cloud}_url", made.url)
    return vm


hub("aws", SiteArgs(zone=config.require("aws_zone")), NetworkArgs(), Encryption.provider)
hub(
    "openstack",
    SiteArgs(account=config.get("openstack_cloud")),
    NetworkArgs(address_pool=config.require("openstack_address_pool")),
    Encryption.none,  # or name an encrypted volume type in `type`
)
