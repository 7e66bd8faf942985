"""Asks the cloud, before anything is made, whether what the stack file says will work."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pulumi

from components import preflight
from components.args import plain
from components.cloud_vm.args import PublicAddress
from components.cloud_vm.sizes import MachineType, NoFit, has_table, smallest, table
from components.config import Platform, StackConfig
from components.errors import mistakes
from components.jupyterhub_host import sizing
from components.platforms.reach import target
from components.platforms.site import Site
from components.shared_volume.args import KEPT, SharedVolumeArgs, VolumeKind

FIRST_SERVER = "cluster-server-0"  # of a k3s cluster, the one VM that its quota is asked for


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


def warn_of_size(config: StackConfig) -> None:
    """Says beforehand that the class won't fit, where the host's size is known."""
    if host := _host(config):
        for text in sizing.warnings(config.hub, host):
            pulumi.log.warn(text)


def warn_of_files(config: StackConfig) -> None:
    """Says beforehand that the host lacks what homes are to get from it."""
    if not config.hub.files.cvmfs:
        return
    machine = config.vm or config.host
    if machine:
        way_out, lacks = "name its repositories in `software.cvmfs`", not machine.software.cvmfs
    else:
        way_out = "install CVMFS on it"
        lacks = _is_here(config) and not Path("/cvmfs").is_dir()
    if lacks:
        pulumi.log.warn(
            f"hub.files.cvmfs: the host has no /cvmfs, and no server will start; {way_out}"
        )


def warn_of_origin(config: StackConfig) -> None:
    """Says what it means that several people's pages have the hub's own address."""
    places = config.hub.meeting_places
    if places and not config.hub.subdomains:
        pulumi.log.warn(
            f"hub.shared_origin: with {' and '.join(places)}, what one person writes on such a "
            "server can act on the hub for whoever opens it, an admin too; `subdomains` ends that"
        )


def warn_of_names(config: StackConfig) -> None:
    """Says what a cluster's network policies can't: they know addresses only."""
    named = [each for each in config.egress.hosts() if target(each).name]
    if named and not config.hub.reach:
        pulumi.log.warn(
            f"egress: servers are sent to {', '.join(named)}. If its address is a private one, put "
            "it into hub.reach, as a number: a cluster's policies know no names"
        )


def _is_here(config: StackConfig) -> bool:
    """Whether the engine is this machine's."""
    return str(config.docker.host).startswith("unix://")


def _host(config: StackConfig) -> sizing.HostSize | None:
    if config.platform is Platform.local and _is_here(config):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        gpus = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
        return sizing.HostSize(os.cpu_count() or 1, memory, gpus)
    if config.vm is None:
        return None
    kind = _machine_type(config)
    if kind is None and config.vm.machine_type:
        return None
    size = config.vm.size
    cpus, memory = (kind.cpus, kind.memory) if kind else (size.cpus, int(size.memory))
    return sizing.HostSize(cpus, memory, size.gpus)


def wanted(config: StackConfig, site: Site) -> preflight.Wanted:
    """What the stack will need of the cloud."""
    place = preflight.Wanted(
        platform=site.platform, region=site.region, zone=site.zone, account=site.account
    )
    if config.vm is None:
        return place
    vm = config.vm
    kind = _machine_type(config)
    blocks = [args for args in _volumes(config) if args.kind is VolumeKind.block]
    return replace(
        place,
        name=site.named(FIRST_SERVER if config.cluster.makes_vms else "vm"),
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
    if not (config.cloud and has_table(config.cloud)):
        return None
    offered = table(config.cloud)
    if config.vm.machine_type:
        return next((t for t in offered if t.name == config.vm.machine_type), None)
    try:
        return smallest(config.vm.size, offered)
    except NoFit:
        return None


def _volumes(config: StackConfig) -> list[SharedVolumeArgs]:
    if config.cluster.makes_vms:
        return [config.cluster.data] * config.cluster.servers
    named = ("data", *KEPT)
    return [*(getattr(config.volumes, name) for name in named), *config.volumes.more.values()]
