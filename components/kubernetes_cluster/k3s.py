"""A k3s cluster: on VMs that are made in a cloud, or on machines that exist."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from ..args import secret
from ..cloud_vm.args import CloudVMArgs, SizeArgs
from ..cloud_vm.beside import beside
from ..cloud_vm.component import CloudVM
from ..machine.args import SoftwareArgs
from ..machine.desired import DATA
from ..machine.existing import ExistingHost
from ..machine.gate import LOST, Host, NotReady, host_of
from ..machine.runtime import Files, Runtime
from ..platforms.kubernetes import NO_WAY
from ..platforms.site import Site
from ..shared_volume.component import SharedVolume
from . import k3s_config
from .args import KubernetesClusterArgs
from .k3s_config import ACCOUNT, CONFIG, MANIFEST, NODE, STORAGE_CLASS, TOKEN, Node
from .made import Made, Wanted
from .pools import PoolArgs

_WITHIN = 180  # seconds until the cluster has made our account
_DRAIN = 300  # seconds for what runs on a node to end
_AS_THE_SERVERS = ("os", "image", "ssh", "software", "metadata", "mtu", "ready_within", "rebuild")
Machine = CloudVM | ExistingHost


def create(name: str, wanted: Wanted, site: Site | None, parent: pulumi.Resource) -> Made:
    """Makes the machines, joins them, and fetches the way in."""
    assert wanted.args.token is not None, "what nodes join by: `token`"
    if site:
        machines, disk = _on_vms(name, wanted, site, parent)
    else:
        machines, disk = _on_hosts(name, wanted, parent), None
    first = next(iter(machines.values()))
    access = _access(name, first, disk, parent)
    nodes = _nodes(name, machines, parent)
    return Made(
        kubeconfig=pulumi.Output.secret(_kubeconfig(access, first.address)),
        ready=[*(machine.gate for machine in machines.values()), nodes],
        addresses=pulumi.Output.all(*(machine.address for machine in machines.values())),
        storage_class=STORAGE_CLASS,
    )


# --- machines -----------------------------------------------------------------------------------


def _on_vms(
    name: str, wanted: Wanted, site: Site, parent: pulumi.Resource
) -> tuple[dict[str, Machine], pulumi.Output[str]]:
    """Servers and workers by the names of their nodes, and the first server's disk."""
    first, disk = _server(name, 0, wanted, site, parent, [])
    servers = [first]
    for number in range(1, wanted.args.servers):
        servers.append(_server(name, number, wanted, site, parent, servers)[0])
    machines: dict[str, Machine] = {f"server-{n}": vm for n, vm in enumerate(servers)}
    for node, pool in wanted.args.workers.items():
        machines[node] = _worker(name, node, pool, wanted, site, parent, servers)
    return machines, disk.volume


def _server(
    name: str,
    number: int,
    wanted: Wanted,
    site: Site,
    parent: pulumi.Resource,
    before: Sequence[CloudVM],
) -> tuple[CloudVM, SharedVolume]:
    """A VM that keeps the cluster's state, on a disk that outlives it."""
    opts = pulumi.ResourceOptions(parent=parent)
    volume = f"{name}-data{number}"
    disk = SharedVolume(volume, wanted.args.data, site, opts=opts)
    joins = before[0].private_address if before else None
    node = f"server-{number}"
    vm = CloudVM(
        f"{name}-{node}",
        _vm_args(wanted, None, site, before),
        site,
        {volume: disk},
        key=wanted.key,
        runtime=_runtime(node, True, None, wanted.args, f"/srv/{volume}", joins, before[-1:]),
        opts=opts,
    )
    return vm, disk


def _worker(
    name: str,
    node: str,
    pool: PoolArgs,
    wanted: Wanted,
    site: Site,
    parent: pulumi.Resource,
    servers: Sequence[CloudVM],
) -> CloudVM:
    """A VM of a pool: it keeps nothing, and browsers don't reach it."""
    return CloudVM(
        f"{name}-{node}",
        _vm_args(wanted, pool, site, servers),
        site,
        key=wanted.key,
        web=False,
        runtime=_runtime(node, False, pool, wanted.args, DATA, servers[0].private_address, servers),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _vm_args(
    wanted: Wanted, pool: PoolArgs | None, site: Site, servers: Sequence[CloudVM]
) -> CloudVMArgs:
    """Servers are as `vm` says, workers as their pool does; all but the first are beside it."""
    assert wanted.vm
    vm, args = wanted.vm, wanted.args
    rules = k3s_config.ingress(
        is_server=pool is None,
        servers=args.servers,
        nodes=args.nodes,
        inside=args.cidr or vm.network.cidr,
        api_from=args.api_from or vm.ssh.allow_from,
    )
    network = beside(servers[0], vm.network, site) if servers else vm.network
    if pool is None:
        return vm.model_copy(update={"network": network, "ingress": [*vm.ingress, *rules]})
    common = {name: getattr(vm, name) for name in _AS_THE_SERVERS}
    if pool.gpus:
        common["software"] = _with_driver(vm.software)
    size: dict[str, Any] = {"machine_type": pool.machine_type}
    if not pool.machine_type:
        size = {"size": SizeArgs(**pool.size.model_dump(exclude={"arch"}), arch=vm.size.arch)}
    return CloudVMArgs(
        **size, **common, root_disk=pool.disk, spot=pool.spot, network=network, ingress=rules
    )


def _with_driver(software: SoftwareArgs) -> SoftwareArgs:
    return software.model_copy(update={"gpu_driver": True})


def _on_hosts(name: str, wanted: Wanted, parent: pulumi.Resource) -> dict[str, Machine]:
    """Machines that exist, the servers first."""
    args = wanted.args
    pools = {pool.name: pool for pool in args.pools}
    ordered = sorted(args.hosts.items(), key=lambda h: (not h[1].server, not h[1].first, h[0]))
    servers: list[ExistingHost] = []
    machines: dict[str, Machine] = {}
    for node, host in ordered:
        after = servers[-1:] if host.server else servers
        joins = servers[0].address if servers else None
        pool = pools[host.pool] if host.pool else None
        if pool and pool.gpus:
            host = host.model_copy(update={"software": _with_driver(host.software)})
        machine = ExistingHost(
            f"{name}-{node}",
            host,
            f"{name}-{node}",
            key=wanted.key,
            runtime=_runtime(node, host.server, pool, args, DATA, joins, after),
            opts=pulumi.ResourceOptions(parent=parent),
        )
        machines[node] = machine
        if host.server:
            servers.append(machine)
    return machines


def _runtime(
    name: str,
    is_server: bool,
    pool: PoolArgs | None,
    args: KubernetesClusterArgs,
    data: str,
    joins: pulumi.Output[str] | None,
    after: Sequence[Machine],
) -> Runtime:
    """k3s as this node runs it. Servers start one after the other, workers after all of them."""

    def files(address: pulumi.Output[str], private: pulumi.Output[str]) -> Files:
        def config(known: list[str]) -> str:
            node = Node(name, is_server, known[2] or None, pool)
            return k3s_config.config(node, known[0], known[1], args.snapshots)

        text = pulumi.Output.all(address, private, joins or "").apply(config)
        return {CONFIG: text} | ({} if joins else {MANIFEST: k3s_config.manifest()})

    assert args.token is not None
    api = " && sudo k3s kubectl get --raw /readyz >/dev/null" if is_server else ""
    return Runtime(
        "k3s",
        f"systemctl is-active --quiet k3s{api}",
        settings=k3s_config.settings(is_server, args.version, data, args.state_keepers),
        files=files,
        sealed={TOKEN: secret(args.token)},
        after=tuple(machine.gate for machine in after),
    )


# --- the way in ---------------------------------------------------------------------------------


def _access(
    name: str, first: Machine, disk: pulumi.Output[str] | None, parent: pulumi.Resource
) -> pulumi.Stash:
    """The account's certificate and token, fetched once and then kept in the state, as a secret.

    Once it is kept, nothing changes it: neither a preview, which may have no way there, nor an `up`
    over a server that is away. Another disk is another cluster.
    """
    fetched: dict[str, str] = {}  # a hook can't look into a secret

    async def ask(gate: Mapping[str, Any]) -> dict[str, str]:
        fetched.update(await asyncio.to_thread(fetch, host_of(gate["ssh"])))
        return fetched

    known: Any = {}
    if not pulumi.runtime.is_dry_run():
        known = first.gate.input.apply(lambda gate: ask(gate))
    hook = pulumi.ResourceHook(f"{name}-has-access", lambda _: _require(fetched))
    return pulumi.Stash(
        f"{name}-access",
        input=pulumi.Output.secret(known),
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=[first.gate],
            ignore_changes=["input"],
            hooks=pulumi.ResourceHookBinding(before_create=[hook]),
            replacement_trigger=disk if disk is not None else first.address,
        ),
    )


def fetch(host: Host) -> dict[str, str]:
    """The account's certificate and token; nothing where they can't be had.

    The cluster makes them some seconds after it is up. A machine that is away is no cluster now.
    """
    ask = f"sudo k3s kubectl -n kube-system get secret {ACCOUNT} -o json"
    deadline = time.monotonic() + _WITHIN
    while True:
        answer = host.run(ask)
        found = json.loads(answer.stdout).get("data", {}) if answer.returncode == 0 else {}
        if "token" in found and "ca.crt" in found:
            token = base64.b64decode(found["token"]).decode()
            return {"certificate": str(found["ca.crt"]), "token": token}
        if answer.returncode == LOST or time.monotonic() > deadline:
            return {}
        time.sleep(3)


def _require(fetched: Mapping[str, str]) -> None:
    if not fetched:
        raise NotReady(
            "The first server's cluster has made no account for this stack. Look there: sudo k3s "
            f"kubectl -n kube-system get addons, and get secret {ACCOUNT}. Then: make up"
        )


def _kubeconfig(access: pulumi.Stash, address: pulumi.Output[str]) -> pulumi.Output[str]:
    def text(known: Mapping[str, str] | None) -> pulumi.Output[str]:
        if not known:  # only in a preview of what isn't there yet
            return pulumi.Output.from_input(NO_WAY)
        return address.apply(lambda at: k3s_config.kubeconfig(known, at))

    made: pulumi.Output[str] = access.output.apply(text)
    return made


# --- nodes that go ------------------------------------------------------------------------------


def _nodes(name: str, machines: Mapping[str, Machine], parent: pulumi.Resource) -> pulumi.Stash:
    """Who belongs to the cluster. Who no longer does is drained before its VM is deleted."""
    gates = {node: machine.gate for node, machine in machines.items()}
    ids = {node: gate.input.apply(lambda known: known["machine"]) for node, gate in gates.items()}
    first = next(iter(gates.values()))
    hook = pulumi.ResourceHook(f"{name}-leaves", _on_change)
    return pulumi.Stash(
        f"{name}-nodes",
        input={"nodes": ids, "ssh": first.input.apply(lambda known: known["ssh"])},
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=list(gates.values()),
            hooks=pulumi.ResourceHookBinding(before_update=[hook]),
        ),
    )


async def _on_change(args: pulumi.ResourceHookArgs) -> None:
    old, new = (args.old_inputs or {})["input"], (args.new_inputs or {})["input"]
    before, after = old["nodes"], new["nodes"]
    gone = sorted(set(before) - set(after))
    anew = sorted(node for node in after if before.get(node, after[node]) != after[node])
    await asyncio.to_thread(let_go, host_of(new["ssh"]), gone, anew)


def let_go(host: Host, gone: Sequence[str], anew: Sequence[str]) -> None:
    """Ends what runs on nodes that go, and forgets them; of those with a new VM only the old one.

    What doesn't end in time ends with its VM: a full update isn't stopped for it.
    """
    kubectl = "sudo k3s kubectl"
    for node in gone:
        pulumi.log.info(f"draining {node}: what runs there starts anew elsewhere")
        chosen = f"-l {NODE}={node}"
        _try(
            host,
            f"{kubectl} drain {chosen} --ignore-daemonsets --delete-emptydir-data --force "
            f"--timeout={_DRAIN}s",
        )
        _try(host, f"{kubectl} delete node {chosen} --ignore-not-found")
    for node in anew:
        by_age = f"get node -l {NODE}={node} --sort-by=.metadata.creationTimestamp -o name"
        _try(host, f"{kubectl} {by_age} | head -n -1 | xargs -r {kubectl} delete")


def _try(host: Host, command: str) -> None:
    done = host.run(command, timeout=_DRAIN + 60)
    if done.returncode:
        pulumi.log.warn(f"going on without: {command}: {done.stderr.strip()}")
