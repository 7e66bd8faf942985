"""What an OpenStack cloud says before a VM is made, by openstacksdk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import openstack

from ..cloud_vm.sizes import MachineType
from .findings import Finding, Verdict, Wanted, quota

_RAISE = "a higher quota: ask those who run the cloud"
_MIB, _GIB = 1024**2, 1024**3


def connect(account: str | None, region: str | None) -> Any:
    """A connection for the cloud's name in clouds.yaml, or for the OS_ variables."""
    return openstack.connect(cloud=account, region_name=region, api_timeout=10)


def flavors(account: str | None, region: str | None) -> list[MachineType]:
    """The flavors that the cloud offers; a GPU is told by the flavor's properties."""
    return [_type(flavor) for flavor in connect(account, region).compute.flavors()]


def _type(flavor: Any) -> MachineType:
    extra = dict(flavor.extra_specs or {})
    alias = str(extra.get("pci_passthrough:alias", ""))  # `a100:1`
    name, _, count = alias.split(",")[0].partition(":")
    gpus = int(count or 1) if name else int(extra.get("resources:VGPU", 0))
    arch = "arm64" if "aarch64" in str(extra) else "x86_64"
    memory = int(flavor.ram) * _MIB
    return MachineType(flavor.name, int(flavor.vcpus), memory, arch, gpus, name.upper() or None)


def questions(wanted: Wanted) -> Sequence[Callable[[Wanted], Iterable[Finding]]]:
    """The checks, or an error where there are no credentials."""
    ask = _Cloud(connect(wanted.account, wanted.region))
    asked = [ask.flavor, ask.image, ask.pool]
    if ask.has(wanted.name):
        return asked
    return [*asked, ask.compute, ask.storage, ask.addresses]


def left_behind(wanted: Wanted, deployment: str) -> list[str]:
    """Ids of servers and volumes whose metadata name the deployment."""
    cloud = connect(wanted.account, wanted.region)
    things = [*cloud.compute.servers(), *cloud.block_storage.volumes()]
    label = "pulumi-jupyterhub-deployment"
    return [str(each.id) for each in things if (each.metadata or {}).get(label) == deployment]


class _Cloud:
    def __init__(self, cloud: Any) -> None:
        self._cloud = cloud
        self._project = cloud.current_project_id

    def has(self, name: str) -> bool:
        """Whether the VM is there already."""
        return any(server.name == name for server in self._cloud.compute.servers(details=False))

    def _flavor(self, wanted: Wanted) -> Any:
        named = wanted.machine_type
        return self._cloud.compute.find_flavor(named, ignore_missing=True) if named else None

    def flavor(self, wanted: Wanted) -> Iterable[Finding]:
        """The flavor is there."""
        if wanted.machine_type and self._flavor(wanted) is None:
            names = sorted(flavor.name for flavor in self._cloud.compute.flavors())
            others = ", ".join(names[:12]) + ("…" if len(names) > 12 else "")
            found = f"{wanted.machine_type}, which this cloud does not have"
            yield Finding("vm.machine_type", Verdict.refused, found, others)

    def image(self, wanted: Wanted) -> Iterable[Finding]:
        """The image is there."""
        if wanted.image and not self._cloud.image.find_image(wanted.image, ignore_missing=True):
            names = sorted(image.name for image in self._cloud.image.images() if image.name)
            found = f"{wanted.image}, which this cloud does not have"
            yield Finding("vm.image", Verdict.refused, found, ", ".join(names[:12]))

    def pool(self, wanted: Wanted) -> Iterable[Finding]:
        """The external network is there."""
        if not wanted.address_pool:
            return
        external = list(self._cloud.network.networks(**{"router:external": True}))
        names = sorted(network.name for network in external)
        if wanted.address_pool not in names:
            allowed = ", ".join(names) or "none: vm.network.kind flat"
            path = "vm.network.address_pool"
            yield Finding(path, Verdict.refused, wanted.address_pool, allowed)

    def compute(self, wanted: Wanted) -> Iterable[Finding]:
        """The project's cores, memory and servers have room."""
        limits = self._cloud.compute.get_limits().absolute
        flavor = self._flavor(wanted)
        cpus = int(flavor.vcpus) if flavor else wanted.cpus or 0
        memory = int(flavor.ram) * _MIB if flavor else wanted.memory or 0
        used = limits.total_cores_used
        yield quota("vm.size", "vCPUs", cpus, limits.total_cores, used, _RAISE)
        ram = (limits.total_ram, limits.total_ram_used)
        yield quota("vm.size", "MiB of memory", memory // _MIB, *ram, _RAISE)
        servers = (limits.instances, limits.instances_used)
        yield quota("vm", "servers", 1, *servers, _RAISE)

    def storage(self, wanted: Wanted) -> Iterable[Finding]:
        """The project's volumes have room."""
        limits = self._cloud.block_storage.get_limits().absolute
        size = (limits.max_total_volume_gigabytes, limits.total_gigabytes_used)
        yield quota("volumes.data.size", "GiB of volumes", sum(wanted.volumes), *size, _RAISE)
        count = (limits.max_total_volumes, limits.total_volumes_used)
        yield quota("volumes", "volumes", len(wanted.volumes), *count, _RAISE)

    def addresses(self, wanted: Wanted) -> Iterable[Finding]:
        """The project's floating IPs have room."""
        if wanted.addresses:
            known = self._cloud.network.get_quota(self._project, details=True).floating_ips
            path = "vm.network.public_address"
            limits = (int(known["limit"]), int(known["used"]))
            yield quota(path, "floating IPs", wanted.addresses, *limits, _RAISE)
