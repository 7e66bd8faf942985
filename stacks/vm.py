"""A hub on a machine behind ssh: a VM that is made in a cloud, or a host that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components import CloudVM, SharedVolume
from components.config import StackConfig
from components.dns.component import DnsName
from components.machine.desired import DATA
from components.machine.existing import ExistingHost
from components.platforms.site import Site
from components.shared_volume.args import KEPT, SharedVolumeArgs, VolumeKind

from . import hub, preflight
from .machines import let_in, worker_machines


def compose(stack: str, config: StackConfig) -> dict[str, Any]:
    """Makes everything and returns the stack's outputs."""
    machine, site, volumes = _machine(f"jupyterhub-{stack}", config)
    name = DnsName("dns", config.dns, machine.address, site)
    host = machine.docker_host.called(name.name)
    kept = {name: SharedVolume(name, _folder(name, config), host) for name in KEPT}
    buckets = {n: v for n, v in volumes.items() if v.args.kind is VolumeKind.bucket}
    machines = worker_machines(config, machine, site)
    told = hub.compose(stack, config, host, kept, buckets, machines)
    return told | {
        "address": machine.address,
        "ssh_command": machine.ssh_command,
        **(_of_cloud(machine) if isinstance(machine, CloudVM) else {}),
    }


def _machine(
    deployment: str, config: StackConfig
) -> tuple[CloudVM | ExistingHost, Site | None, Mapping[str, SharedVolume]]:
    """The machine, the cloud that it is in, and the cloud's volumes by name."""
    key = config.secrets.ssh_key
    if config.host:
        return ExistingHost("host", config.host, deployment, _folders(config), key), None, {}
    assert config.vm
    network = config.vm.network.network
    site = Site.connect(
        config.platform.value,
        deployment,
        config.site,
        network if isinstance(network, str) else None,
    )
    preflight.check(pulumi.get_stack(), config, site)
    volumes = {
        name: SharedVolume(_of(name), args, site) for name, args in _in_cloud(config).items()
    }
    return CloudVM("vm", let_in(config), site, volumes, _folders(config), key), site, volumes


def _of(name: str) -> str:
    """Name of a cloud's volume whose folder on the engine has the same name."""
    return f"{name}-store" if name in KEPT else name


def _in_cloud(config: StackConfig) -> Mapping[str, SharedVolumeArgs]:
    """What the cloud keeps: the data disk, and whatever has a volume of its own."""
    named = {name: getattr(config.volumes, name) for name in ("data", *KEPT)}
    own = {name: args for name, args in named.items() if args.kind is not VolumeKind.folder}
    return own | config.volumes.more


def _folder(name: str, config: StackConfig) -> SharedVolumeArgs:
    """Where the hub finds it on the machine. What protects it is the disk that it is on."""
    args: SharedVolumeArgs = getattr(config.volumes, name)
    own = args.kind is not VolumeKind.folder
    path = f"/srv/{name}" if own else args.path or f"{DATA}/{name}"
    return SharedVolumeArgs(path=path, protect=False)


def _folders(config: StackConfig) -> list[str]:
    """Directories that have to be there before the engine binds them."""
    return [str(_folder(name, config).path) for name in KEPT]


def _of_cloud(vm: CloudVM) -> dict[str, pulumi.Output[str]]:
    return {
        "vm_id": vm.id,
        "zone": vm.zone,
        "machine_type": vm.machine_type,
        "private_address": vm.private_address,
    }
