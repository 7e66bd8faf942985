"""What a platform lacks, and why: refused at validation, never ignored. The docs' table too."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from .cluster_support import in_cluster, too_large
from .fault import Fault
from .machine.cloud_init import user_data
from .shared_volume.args import KEPT

_HOSTS = "machines that exist go with platform `host`; here give dask.machines.count"
# platform → path in the stack file (`path=value` for one value only) → why, and what to do.
_CLUSTERS_OWN = "the cluster has a network of its own"
_NO_FAILOVER = "its DNS asks no hub whether it answers; point the record elsewhere by hand"
_NO_CLUSTER = "goes with platform `kubernetes`"
_OF_CLUSTERS = dict.fromkeys(
    (
        "cluster",
        "dask.gateway",
        "monitoring",
        "spark",
        "hub.pods",
        "hub.values",
        "proxy.cluster",
        "proxy.tls.secret",
        "proxy.tls.kind=cert_manager",
        "proxy.tls.kind=elsewhere",
    ),
    _NO_CLUSTER,
)
LACKS: Mapping[str, Mapping[str, str]] = {
    "local": {
        **_OF_CLUSTERS,
        "vm": "there is no VM: the hub runs on this machine's Docker",
        "host": "goes with platform `host`",
        "site": "there is no cloud: the hub runs on this machine's Docker",
        "dns": "there is no address of its own; use proxy.tls.domains",
        "volumes.data": "there is no disk apart; give homes and the others a `path`",
        "volumes.more": "mounted folders come with a VM",
        "dask.machines": "workers are on this machine; others come with a cloud or `host`",
    },
    "host": {
        **_OF_CLUSTERS,
        "vm": "the machine exists; say how it is reached under `host`",
        "site": "the machine exists; say how it is reached under `host`",
        "dns.kind=managed": "there is no cloud DNS; make the record yourself and use kind `none`",
        "volumes.data": "give the disk as host.data_disk",
        "volumes.more": "mounted folders come with a cloud's VM",
        "docker": "the engine is the one on `host`",
        "dask.machines.count": "VMs come with a cloud; name yours in dask.machines.hosts",
    },
    "aws": {
        **_OF_CLUSTERS,
        "host": "goes with platform `host`",
        "dask.machines.hosts": _HOSTS,
        "docker": "the engine is the one on the VM",
        "site.account": "credentials name the account: AWS_PROFILE",
        "vm.network.kind=flat": "every VM is in a VPC: `own` or `existing`",
        "vm.network.address_pool": "Elastic IPs come from no pool",
        "vm.metadata": "EC2 has no free metadata; use site.labels",
    },
    "gcp": {
        **_OF_CLUSTERS,
        "host": "goes with platform `host`",
        "dask.machines.hosts": _HOSTS,
        "docker": "the engine is the one on the VM",
        "dns.failover": _NO_FAILOVER,
        "vm.network.kind=flat": "every VM is in a VPC network: `own` or `existing`",
        "vm.network.address_pool": "addresses come from no pool",
        "vm.network.security_groups": "firewall rules go by the VM's tag, which is its name",
    },
    "openstack": {
        **_OF_CLUSTERS,
        "host": "goes with platform `host`",
        "dask.machines.hosts": _HOSTS,
        "docker": "the engine is the one on the VM",
        "dns.failover": _NO_FAILOVER,
        "vm.spot": "there is no common way to ask for it; use a flavor that is preemptible",
        "vm.network.public_address=ephemeral": "a floating IP is `fixed`, or there is `none`",
        "vm.deletion_protection": "Nova's lock is not in the provider; disks are protected",
    },
    "kubernetes": {
        "dask.machines": "workers are pods on the cluster's nodes",
        "dask.subnet": _CLUSTERS_OWN,
        "dask.proxy_api_port": _CLUSTERS_OWN,
        "vm": "servers run as pods on the cluster's nodes; it goes with cluster.cloud",
        "host": "goes with platform `host`; cluster.hosts are the machines of a k3s cluster",
        "docker": "servers run as pods on the cluster's nodes",
        "dns": "make the record yourself and name the hub in proxy.tls.domains",
        "volumes.data": "each of homes, shared, state and certificates has a claim of its own",
        "volumes.more": "mounted folders come with a cloud's VM",
        "proxy.image": "Traefik's image goes with its chart; proxy.cluster.values can change it",
        "proxy.routes": "make an Ingress of your own",
        "proxy.tcp_routes": "make a Service of your own",
        "hub.network": "pods are on the cluster's network, closed by its network policies",
        "hub.open_ports": "what servers may reach is hub.reach",
        "hub.memory_reserve": "the cluster's scheduler knows its nodes",
        "hub.start_timeout": "a node may have to come first: hub.pods.start_timeout",
        "hub.files.groups": "folders of groups need a host; hub.values can mount a claim",
        "hub.files.examples": "use links that put a repository into the home: make link",
        "hub.files.buckets": "not there yet",
        "hub.files.disk_quota": "a home's claim has a size of its own: volumes.homes.size",
        "volumes.uploads": "goes with buckets",
        "hub.files.collect": "the hub doesn't see homes that are claims of their own",
        "hub.files.scratch": "hub.values can mount an emptyDir",
        "hub.files.cvmfs": "hub.values can mount what the nodes have",
    },
}
_NO_CLASS_PASSWORD = (
    "`roster`, or another: with one password for everybody, anybody is everybody, and this machine "
    "is on a network"
)
_NO_NFS = ("state", "certificates", "uploads")
_NEEDS_ZONE = {"aws": "eu-central-1a", "gcp": "europe-west1-b"}


def faults(config: Any) -> Iterator[Fault]:
    """Everything in a valid stack file that its platform can't do."""
    platform = config.platform.value
    for where, entry, why in _lacking(config):
        path, _, value = entry.partition("=")
        found = _given(config, path)
        if found is not None and (not value or value == getattr(found, "value", found)):
            shown = "this section" if isinstance(found, BaseModel | dict | list) else repr(found)
            yield Fault((path, getattr(found, "value", None) or shown, f"not on {where}: {why}"))
    yield from _login_and_tls(config)
    yield from _volumes(config)
    yield from _size(config)
    yield from _user_data(config)
    yield from _gpus(config)
    yield from _subdomains(config)
    yield from _failover(config)
    yield from _buckets(config)
    yield from _quota(config)
    if platform == "kubernetes":
        yield from in_cluster(config)
    yield from _machines(config)
    if config.vm and config.cloud in _NEEDS_ZONE and not config.site.zone:
        example = _NEEDS_ZONE[config.cloud]
        yield Fault(("site.zone", "nothing", f"the zone for VM and disks, like {example}"))
    if platform == "host" and config.host is None:
        yield Fault(("host", "nothing", "a section that says how the machine is reached: address"))
    if config.vm and config.cloud == "openstack" and _needs_pool(config):
        why = "name of the external network; `openstack network list --external` shows it"
        yield Fault(("vm.network.address_pool", "nothing", why))


def _lacking(config: Any) -> Iterator[tuple[str, str, str]]:
    """Where something is lacking, its path and why. VMs of a cluster are as their cloud's are."""
    platform, cluster = config.platform.value, config.cluster
    makes_vms = platform == "kubernetes" and cluster.makes_vms
    for entry, why in LACKS[platform].items():
        if not (makes_vms and entry == "vm"):
            yield platform, entry, why
    for entry, why in LACKS[config.cloud].items() if makes_vms else ():
        if entry.startswith(("vm.", "site.")):
            yield config.cloud, entry, why


def _size(config: Any) -> Iterator[Fault]:
    if config.vm and not config.vm.machine_type and config.cloud:
        yield from too_large("vm.size", config.vm.size, config.cloud)


def _subdomains(config: Any) -> Iterator[Fault]:
    """Names of their own for users need a certificate that is good for all of them."""
    tls = config.proxy.tls
    if not config.hub.subdomains or tls.kind.value == "provided":
        return
    names = [str(name) for name in tls.domains]
    wanted = f"`*.{names[0]}` as well" if names else "the hub's name, and `*.` before the same name"
    if tls.kind.value != "acme":
        why = "`acme` with `dns`, or `provided`: with `subdomains` each user has a name"
        yield Fault(("proxy.tls.kind", tls.kind.value, why))
    elif not names or f"*.{names[0]}" not in names:
        yield Fault(("proxy.tls.domains", ", ".join(names) or "nothing", wanted))


def _failover(config: Any) -> Iterator[Fault]:
    """The name leads to the other hub: nothing can be proved by it."""
    tls = config.proxy.tls
    if config.dns.failover and tls.kind.value == "acme" and not tls.dns:
        why = "a DNS provider: by HTTP only the hub that the name leads to gets a certificate"
        yield Fault(("proxy.tls.dns", "nothing", why))


def _buckets(config: Any) -> Iterator[Fault]:
    """A bucket of the stack's own is made under volumes.more, and has one name."""
    made = {n for n, args in config.volumes.more.items() if args.kind.value == "bucket"}
    for name, bucket in config.hub.files.buckets.items():
        path, kind = f"hub.files.buckets.{name}.kind", bucket.kind.value
        if kind == "volume" and not config.platform.is_cloud:
            why = "`s3`, `gcs` or `swift`: only in a cloud does the stack make buckets"
            yield Fault((path, kind, why))
        elif kind == "volume" and name not in made:
            yield Fault((path, kind, f"a bucket that is made: volumes.more.{name}.kind: bucket"))
        elif kind != "volume" and name in made:
            why = f"`volume`, or another name: volumes.more.{name} is a bucket as well"
            yield Fault((path, kind, why))
        for entry in bucket.entries(name)[1:]:
            if entry in made and entry not in config.hub.files.buckets:
                taken = f"another access, or another name for volumes.more.{entry}"
                yield Fault((f"hub.files.buckets.{name}.access", bucket.access.value, taken))


def _quota(config: Any) -> Iterator[Fault]:
    """Only a disk of its own can count a folder's files."""
    quota = config.hub.files.disk_quota
    for name in ("homes", "shared") if quota else ():
        if getattr(config.volumes, name).kind.value == "filesystem":
            why = f"nothing, while volumes.{name}.kind is `filesystem`: NFS limits no folders"
            yield Fault(("hub.files.disk_quota", str(int(quota)), why))


def _gpus(config: Any) -> Iterator[Fault]:
    """A VM without a GPU starts no server that needs one."""
    if config.vm is None or config.vm.machine_type or not config.platform.is_cloud:
        return
    for kind in ("images", "sizes"):
        for number, offered in enumerate(getattr(config.hub, kind)):
            if offered.gpus > config.vm.size.gpus:
                has = f"at most {config.vm.size.gpus}, as vm.size.gpus says"
                yield Fault((f"hub.{kind}.{number}.gpus", str(offered.gpus), has))


def _machines(config: Any) -> Iterator[Fault]:
    """Further VMs for Dask: of a type that exists, let in by the range of their network."""
    machines = config.dask and config.dask.machines
    if not machines or not machines.count or not config.vm:
        return
    platform = config.platform.value
    if machines.spot and platform == "openstack":
        yield Fault(("dask.machines.spot", "True", LACKS["openstack"]["vm.spot"]))
    if not machines.cidr and config.vm.network.kind.value != "own":
        why = "the range of the network that hub and machines are on, like 10.0.0.0/24"
        yield Fault(("dask.machines.cidr", "nothing", why))
    if not machines.machine_type:
        yield from too_large("dask.machines.size", machines.size, platform)


def _user_data(config: Any) -> Iterator[Fault]:
    if config.vm:
        try:  # with room for what is known later: keys, disks
            user_data(config.vm.ssh, "", "x" * 200, config.vm.cloud_init)
        except ValueError as error:
            yield Fault(("vm.cloud_init", *str(error).split("; allowed: ", 1)))


def _given(config: Any, path: str) -> Any:
    """The value at a path where the stack file has one."""
    value = config
    for name in path.split("."):
        if value is None or name not in value.model_fields_set:
            return None
        value = getattr(value, name)
    return value


def _login_and_tls(config: Any) -> Iterator[Fault]:
    if config.platform.value == "local":
        if config.proxy.tls.kind.value == "acme" and not config.proxy.tls.domains:
            yield Fault(("proxy.tls.domains", "nothing", "names that point to this machine"))
        if config.hub.login.kind.value == "class_password" and _is_open(config.proxy.bind_address):
            yield Fault(("hub.login.kind", "class_password", _NO_CLASS_PASSWORD))
        return
    if config.hub.login.kind.value == "class_password":
        yield Fault(
            (
                "hub.login.kind",
                "class_password",
                _NO_CLASS_PASSWORD,
            )
        )
    if config.proxy.tls.kind.value == "none":
        yield Fault(
            (
                "proxy.tls.kind",
                "none",
                "`acme` with an email, `provided` or `self_signed`: passwords cross a network",
            )
        )


def _is_open(address: str) -> bool:
    """Whether others may reach it: anything but this machine's own, or a private network's."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address != "localhost"
    return known.is_unspecified or not (known.is_private or known.is_loopback)


def _volumes(config: Any) -> Iterator[Fault]:
    platform = config.platform.value
    for name in ("data", *KEPT):
        args = getattr(config.volumes, name)
        kind = args.kind.value
        path = f"volumes.{name}"
        if platform == "kubernetes":
            continue
        if platform in ("local", "host") and kind != "folder":
            yield Fault((f"{path}.kind", kind, f"`folder` on {platform}: there is no cloud"))
        elif kind in ("claim", "per_user"):
            yield Fault((f"{path}.kind", kind, f"not on {platform}: {_NO_CLUSTER}"))
        if name in _NO_NFS and kind in ("filesystem", "bucket"):
            why = "`folder` or `block`: a database on NFS or in a bucket gets damaged"
            yield Fault((f"{path}.kind", kind, why))
        if kind == "bucket" and name not in _NO_NFS:
            yield Fault((f"{path}.kind", kind, "a bucket belongs under volumes.more"))
        yield from _of_cloud(platform, path, args, config)
    for name, args in config.volumes.more.items():
        yield from _of_cloud(platform, f"volumes.more.{name}", args, config)
    if platform == "kubernetes" and config.cluster.makes_vms and config.vm:
        yield from _of_cloud(config.cloud, "cluster.data", config.cluster.data, config)


def _of_cloud(platform: str, path: str, args: Any, config: Any) -> Iterator[Fault]:
    kind = args.kind.value
    if platform == "openstack":
        if args.snapshots:
            why = "OpenStack has no schedule for them; back up as docs/how-to.md says"
            yield Fault((f"{path}.snapshots", "this section", f"not on openstack: {why}"))
        if kind == "block" and args.encryption.value == "provider" and not args.type:
            why = (
                "a `type` that is encrypted (`openstack volume type list --encryption-type`), "
                "or `none` to go without"
            )
            yield Fault((f"{path}.encryption", "provider", why))
    elif args.encryption.value == "none" and kind != "folder":
        yield Fault((f"{path}.encryption", "none", f"`provider`: {platform} always encrypts"))
    if platform == "gcp" and kind == "filesystem" and config.vm.network.kind.value != "existing":
        why = "`block`, or an existing network: Filestore is made inside one"
        yield Fault((f"{path}.kind", kind, why))


def _needs_pool(config: Any) -> bool:
    network = config.vm.network
    outside = network.kind.value == "own" or network.address.value != "none"
    return bool(network.kind.value != "flat" and outside and not network.address_pool)
