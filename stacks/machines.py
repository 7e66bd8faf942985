"""Machines of their own for Dask's workers: further VMs of the cloud, or machines that exist."""

from __future__ import annotations

from components import (
    CloudVM,
    CloudVMArgs,
    DockerHost,
    ExistingHost,
    IngressArgs,
    Site,
    WorkerMachines,
)
from components.cloud_vm.beside import beside
from components.config import StackConfig
from components.dask_cluster.args import FIRST_WORKER_PORT, SCHEDULER_PORT, DaskMachinesArgs


def worker_machines(
    config: StackConfig, machine: CloudVM | ExistingHost, site: Site | None
) -> WorkerMachines | None:
    """The machines, each with an engine; None where the workers are on the hub's host."""
    if not (config.dask and config.dask.machines and config.secrets.dask_key):
        return None
    key = config.secrets.dask_key
    if isinstance(machine, ExistingHost):
        hosts = {
            name: ExistingHost(
                f"dask-{name}",
                args,
                f"{machine.docker_host.deployment}-dask-{name}",
                key=config.secrets.ssh_key,
            ).docker_host
            for name, args in config.dask.machines.hosts.items()
        }
        return WorkerMachines(hosts, machine.address, key)
    assert site
    hosts = {
        f"vm{number}": _vm(f"dask-vm{number}", config, config.dask.machines, machine, site)
        for number in range(config.dask.machines.count)
    }
    return WorkerMachines(hosts, machine.private_address, key)


def let_in(config: StackConfig) -> CloudVMArgs:
    """The hub's VM, which the workers reach at the scheduler's port."""
    assert config.vm
    if not (config.dask and config.dask.machines):
        return config.vm
    rule = IngressArgs(
        ports=SCHEDULER_PORT, source=_cidr(config, config.dask.machines), description="dask"
    )
    return config.vm.model_copy(update={"ingress": [*config.vm.ingress, rule]})


def workers_at(config: StackConfig) -> list[str]:
    """Where workers on machines of their own listen, for `hub.reach`."""
    machines = config.dask and config.dask.machines
    if not machines or not config.dask:
        return []
    known = [str(host.address) for host in machines.hosts.values()] or [_cidr(config, machines)]
    ports = range(FIRST_WORKER_PORT, FIRST_WORKER_PORT + config.dask.workers)
    return [f"{where}:{port}" for where in known for port in ports]


def _vm(
    name: str, config: StackConfig, args: DaskMachinesArgs, hub: CloudVM, site: Site
) -> DockerHost:
    """A VM on the hub's network, reached by ssh as the hub's is, and by nobody else."""
    assert config.vm and config.dask
    last = FIRST_WORKER_PORT + config.dask.workers - 1
    workers = IngressArgs(
        ports=f"{FIRST_WORKER_PORT}-{last}", source=_cidr(config, args), description="dask"
    )
    size = {"machine_type": args.machine_type} if args.machine_type else {"size": args.size}
    as_the_hub = ("os", "image", "ssh", "software", "metadata", "mtu", "ready_within", "rebuild")
    wanted = CloudVMArgs(
        **size,
        **{name: getattr(config.vm, name) for name in as_the_hub},
        spot=args.spot,
        ingress=[workers],
        network=beside(hub, config.vm.network, site),
    )
    made = CloudVM(
        name,
        wanted,
        site,
        key=config.secrets.ssh_key,
        web=False,
        engine=f"{site.deployment}-{name}",
    )
    return made.docker_host.called(made.private_address)


def _cidr(config: StackConfig, args: DaskMachinesArgs) -> str:
    assert config.vm
    return args.cidr or config.vm.network.cidr
