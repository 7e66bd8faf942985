"""Asks the cloud, before anything is made, whether what the stack file says will work."""

from __future__ import annotations

import pulumi

from components import preflight
from components.args import plain
from components.cloud_vm.args import PublicAddress
from components.cloud_vm.sizes import MachineType, NoFit, has_table, smallest, table
from components.config import StackConfig
from components.errors import mistakes
from components.platforms.site import Site
from components.shared_volume.args import SharedVolumeArgs, VolumeKind


def check(stack: str, config: StackConfig, site: Site) -> None:
    """Refuses what can't work, in the shape of a mistake in the stack file."""
    if not site.has_credentials:
        pulumi.log.info(f"not asked: {site.platform} has no credentials here, so no quota is known")
        return
    findings = preflight.check(wanted(config, site))
    for note in preflight.notes(findings):
        pulumi.log.info(f"not known beforehand: {note}")
    if refused := preflight.refused(findings):
        raise mistakes(refused, f"stacks/Pulumi.{stack}.yaml")


def wanted(config: StackConfig, site: Site) -> preflight.Wanted:
    """What the stack will need of the cloud."""
    assert config.vm
    vm = config.vm
    kind = _machine_type(config)
    blocks = [args for args in _volumes(config) if args.kind is VolumeKind.block]
    return preflight.Wanted(
        platform=site.platform,
        name=site.named("vm"),
        region=site.region,
        zone=site.zone,
        account=site.account,
        machine_type=kind.name if kind else plain(vm.machine_type),
        cpus=kind.cpus if kind else vm.size.cpus,
        memory=kind.memory if kind else int(vm.size.memory),
        gpus=vm.size.gpus,
        image=plain(vm.image),
        volumes=tuple(args.gigabytes for args in blocks if not args.volume),
        addresses=int(vm.network.address is PublicAddress.fixed),
        address_pool=plain(vm.network.address_pool),
        domain=plain(config.dns.name),
        spot=vm.spot,
    )


def _machine_type(config: StackConfig) -> MachineType | None:
    """The type from the table, where the cloud has one."""
    assert config.vm
    if not has_table(config.platform.value):
        return None
    offered = table(config.platform.value)
    if config.vm.machine_type:
        return next((t for t in offered if t.name == config.vm.machine_type), None)
    try:
        return smallest(config.vm.size, offered)
    except NoFit:
        return None


def _volumes(config: StackConfig) -> list[SharedVolumeArgs]:
    named = ("data", "homes", "shared", "state", "certificates")
    return [*(getattr(config.volumes, name) for name in named), *config.volumes.more.values()]
