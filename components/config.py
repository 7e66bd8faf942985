"""The model of a whole stack file, made of the components' own args models.

`python -m components.config STACK` checks a stack file without Pulumi, an engine or a network.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Self

import pulumi
import yaml
from pydantic import StringConstraints, ValidationError, model_validator

from .args import Args, InputSecret, field, plain
from .cloud_vm.args import CloudVMArgs, PublicAddress
from .dask_cluster.args import DaskClusterArgs
from .dns.args import DnsArgs, DnsKind
from .errors import ConfigError, mistakes, path_of, report
from .images import EgressArgs, egress_here
from .jupyterhub_host.args import HubSecretsArgs, JupyterHubHostArgs
from .kubernetes_cluster.args import ClusterKind, KubernetesClusterArgs
from .machine.args import HostArgs
from .machine.desired import DATA
from .monitoring.args import MonitoringArgs
from .platforms.docker_host import DockerHostArgs
from .platforms.site import SiteArgs
from .shared_volume.args import SharedVolumeArgs
from .spark.args import SparkArgs
from .support import faults
from .traefik_proxy.args import LETS_ENCRYPT, TlsKind, TraefikProxyArgs

PROJECT = "jupyterhub"
_UNREADABLE = "0" * 64  # stands for an encrypted value where only the file is looked at


class Platform(str, Enum):
    """What a stack is composed for."""

    local = "local"
    host = "host"
    aws = "aws"
    gcp = "gcp"
    openstack = "openstack"
    kubernetes = "kubernetes"

    @property
    def family(self) -> str:
        """Its wiring file in `stacks/`."""
        return {"local": "local", "kubernetes": "kubernetes"}.get(self.value, "vm")

    @property
    def is_cloud(self) -> bool:
        """Whether VM and disks are made by the stack."""
        return self in (Platform.aws, Platform.gcp, Platform.openstack)


# What is different where the hub is on a network; a stack file's own values win.
_ON_A_NETWORK: Mapping[str, Any] = {
    "proxy": {"bind_address": "0.0.0.0", "http_port": 80, "https_port": 443},
    "hub": {"login": {"kind": "roster"}},
}
_IN_A_CLUSTER: Mapping[str, Any] = {
    **_ON_A_NETWORK,
    "volumes": {
        "homes": {"kind": "per_user"},
        **{name: {"kind": "claim"} for name in ("shared", "state", "certificates")},
    },
}
_IN_A_CLOUD: Mapping[str, Any] = {**_ON_A_NETWORK, "volumes": {"data": {"kind": "block"}}}


class VolumesArgs(Args):
    """Where data is kept. All of it outlives `make down`."""

    data: SharedVolumeArgs = field(
        SharedVolumeArgs(),
        description=(
            "In a cloud: the disk that holds all of the following, as folders. "
            "Default there: a `block` of 50 GiB."
        ),
        change="grows in place; else refused while protected",
    )
    more: dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,20}$")], SharedVolumeArgs
    ] = field(
        {},
        description="In a cloud: further volumes by name, mounted at /srv/<name>.",
        change="attached and mounted in place; one that is taken away is kept",
    )

    homes: SharedVolumeArgs = field(
        SharedVolumeArgs(), description="Home folders.", change="refused while protected"
    )
    shared: SharedVolumeArgs = field(
        SharedVolumeArgs(),
        description="The folder that all users see.",
        change="refused while protected",
    )
    state: SharedVolumeArgs = field(
        SharedVolumeArgs(), description="The hub's database.", change="refused while protected"
    )
    certificates: SharedVolumeArgs = field(
        SharedVolumeArgs(),
        description="Certificates got by ACME.",
        change="refused while protected",
    )
    uploads: SharedVolumeArgs = field(
        SharedVolumeArgs(),
        description="What was written to buckets and isn't stored there yet.",
        change="refused while protected",
    )


class StackSecretsArgs(HubSecretsArgs):
    """Secrets of the stack, made once by `make setup`."""

    ssh_key: InputSecret | None = field(
        None,
        description="Private key for the stack's machine, in OpenSSH's format.",
        change="in place: the converge script runs over ssh, with the old key still valid",
    )
    dask_key: InputSecret | None = field(
        None,
        description="Key that the certificate of `dask.machines` is made from, 64 hex digits.",
        change="replaces scheduler, workers and the hub container; notebooks start anew to connect",
    )
    cluster_token: InputSecret | None = field(
        None,
        description="What the nodes of a k3s cluster join by.",
        change="refused by k3s: `k3s token rotate` changes it, before it is changed here",
    )
    grafana_password: InputSecret | None = field(
        None,
        description="Password of `admin` in the Grafana of `monitoring`.",
        change=(
            "nothing in a Grafana that has one: `grafana cli admin reset-admin-password` in its pod"
        ),
    )


class StackConfig(Args):
    """A stack file: everything under `jupyterhub:` in `stacks/Pulumi.<stack>.yaml`."""

    platform: Platform = field(
        description=(
            "What the stack is composed for: this machine, a cloud, `host` for a machine that "
            "exists, or `kubernetes` for a cluster."
        ),
        change="refused by protected volumes: make a new stack instead",
    )
    docker: DockerHostArgs = field(
        DockerHostArgs(),
        description="The Docker engine that containers run on.",
        change="moves nothing: containers and data stay on the old engine",
    )
    site: SiteArgs = field(SiteArgs(), description="Where in the cloud.", change="see its fields")
    vm: CloudVMArgs | None = field(
        None,
        description="The VM that the hub runs on, in a cloud; the servers of a k3s cluster there.",
        change="see its fields",
    )
    host: HostArgs | None = field(
        None, description="The machine that the hub runs on, with `host`.", change="see its fields"
    )
    cluster: KubernetesClusterArgs = field(
        KubernetesClusterArgs(),
        description="The cluster that the hub runs on, with `kubernetes`.",
        change="see its fields",
    )
    dns: DnsArgs = field(
        DnsArgs(), description="The name that browsers use.", change="see its fields"
    )
    egress: EgressArgs = field(
        default_factory=EgressArgs,
        description="How this site reaches the internet.",
        change="rebuilds images or replaces the hub container, see its fields",
    )
    proxy: TraefikProxyArgs = field(
        TraefikProxyArgs(),
        description="The edge: ports and TLS.",
        change="replaces the proxy container: a second without new connections",
    )
    hub: JupyterHubHostArgs = field(
        default_factory=JupyterHubHostArgs,
        description="The hub: login, images, limits.",
        change="replaces the hub container: some seconds without new logins; servers go on",
    )
    volumes: VolumesArgs = field(
        VolumesArgs(), description="Where data is kept.", change="refused while protected"
    )
    dask: DaskClusterArgs | None = field(
        None,
        description="A Dask cluster shared by all users. Default: none.",
        change="adds or removes the cluster and replaces the hub container; servers go on",
    )
    monitoring: MonitoringArgs | None = field(
        None,
        description="In a cluster: figures over time, and pages to look at them. Default: none.",
        change="adds or removes it; its data stays. Replaces the hub's pod; servers go on",
    )
    spark: SparkArgs | None = field(
        None,
        description="In a cluster: Spark, with executors of each user's own. Default: none.",
        change="adds or removes it, and replaces the hub's pod; servers go on",
    )
    secrets: StackSecretsArgs = field(
        description="Secrets of the stack, made by `make setup`.", change="see its fields"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_platform(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("platform") not in set(Platform):
            return values  # its own mistake is reported
        platform = Platform(values["platform"])
        if platform is Platform.local:
            return _under({"egress": egress_here()}, values)
        if platform is Platform.kubernetes:
            return _under(_IN_A_CLUSTER, _with_a_disk(values))
        return _under(_IN_A_CLOUD if platform.is_cloud else _ON_A_NETWORK, values)

    @model_validator(mode="after")
    def _the_platform_has_its_machine(self) -> Self:
        if self.platform.is_cloud and self.vm is None:
            raise ValueError("a cloud needs the section `vm`, with ssh.allow_from at least")
        if self.cluster.makes_vms and self.vm is None:
            raise ValueError("k3s in a cloud needs the section `vm`, with ssh.allow_from at least")
        return self

    @model_validator(mode="after")
    def _login_has_its_secrets(self) -> Self:
        missing = self.secrets.missing(self.hub.login.kind)
        if self.dask and self.dask.machines and self.secrets.dask_key is None:
            missing.append("dask_key")
        if self.cluster.kind is ClusterKind.k3s and not self.cluster_token:
            missing.append("cluster_token")
        if self.monitoring and self.secrets.grafana_password is None:
            missing.append("grafana_password")
        if missing:
            raise ValueError(f"secrets are missing: {', '.join(missing)}; {_how_to_set(missing)}")
        return self

    @property
    def cloud(self) -> str | None:
        """The cloud that the stack makes machines or a cluster in."""
        if self.platform.is_cloud:
            return self.platform.value
        in_cloud = self.cluster.in_cloud
        return in_cloud.value if in_cloud else None

    @property
    def plugins(self) -> list[str]:
        """Pulumi's plugins for its resources, beside Docker's."""
        clusters = [self.platform.value] if self.platform is Platform.kubernetes else []
        return [*([self.cloud] if self.cloud else []), *clusters]

    @property
    def cluster_token(self) -> InputSecret | None:
        """What the nodes of its cluster join by."""
        return self.cluster.token or self.secrets.cluster_token


def _with_a_disk(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A k3s cluster in a cloud keeps its data on a disk, whatever else is said of it."""
    cluster = values.get("cluster")
    if not isinstance(cluster, Mapping) or "data" not in cluster:
        return values
    return _under({"cluster": {"data": {"kind": "block"}}}, values)


def _how_to_set(missing: list[str]) -> str:
    """Most secrets are invented here; one comes from elsewhere."""
    if missing != ["oidc_client_secret"]:
        return "run `make setup`"
    return (
        'run `eval "$(make env)"`, then `pulumi config set --secret --path '
        "jupyterhub:secrets.oidc_client_secret`, and paste what your provider shows"
    )


def parse(values: Mapping[str, Any], source: str) -> StackConfig:
    """The validated config, or one ConfigError with all faults."""
    try:
        config = StackConfig.model_validate(values)
    except ValidationError as error:
        raise report(error, StackConfig, source) from None
    if found := list(faults(config)):
        raise mistakes(
            (f"{path_of(path.split('.'))}: found {f}; allowed: {a}" for path, f, a in found), source
        )
    return config


def _under(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with defaults where they say nothing."""
    result = dict(values)
    for key, default in defaults.items():
        own = values.get(key)
        if isinstance(default, Mapping) and (own is None or isinstance(own, Mapping)):
            result[key] = _under(default, own or {})
        else:
            result.setdefault(key, default)
    return result


def read_stack() -> StackConfig:
    """The config of the stack that Pulumi runs."""
    # The language host hands the config over by one of these two ways.
    everything = pulumi.runtime.get_config_env() | pulumi.runtime.config.CONFIG.get()
    own = {
        key.removeprefix(f"{PROJECT}:"): _plain(text)
        for key, text in everything.items()
        if key.startswith(f"{PROJECT}:")
    }
    return parse(own, f"stacks/Pulumi.{pulumi.get_stack()}.yaml")


def read_file(path: Path, text: str | None = None) -> StackConfig:
    """The config in a stack file, its encrypted values unread.

    Args:
        text: what the file will have in it, where that is to be checked beforehand.
    """
    try:
        document = yaml.safe_load(path.read_text() if text is None else text) or {}
    except FileNotFoundError:
        raise ConfigError(f"There is no {path}. Stacks here: {_stacks(path.parent)}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    own = {
        key.removeprefix(f"{PROJECT}:"): _decided(value)
        for key, value in (document.get("config") or {}).items()
        if key.startswith(f"{PROJECT}:")
    }
    return parse(own, str(path))


def _plain(text: str) -> Any:
    """Pulumi hands objects over as JSON, everything else as text."""
    return json.loads(text) if text[:1] in ("{", "[") else text


def _decided(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"secure"}:
            return _UNREADABLE
        return {key: _decided(item) for key, item in value.items()}
    return [_decided(item) for item in value] if isinstance(value, list) else value


def _stacks(folder: Path) -> str:
    names = sorted(path.name.split(".")[1] for path in folder.glob("Pulumi.*.yaml"))
    return ", ".join(names) or "none"


def facts(config: StackConfig) -> dict[str, Any]:
    """What the commands need to know of a stack, before there is one."""
    tls = config.proxy.tls
    ports = {"http": config.proxy.http_port, "api": config.proxy.api_port}
    if config.proxy.entry_point == "websecure":
        ports["https"] = config.proxy.https_port
    return {
        "platform": config.platform.value,
        "cloud": config.cloud,
        "plugins": config.plugins,
        "docker": config.docker.host if config.platform is Platform.local else None,
        "context": config.cluster.context,
        "bind_address": config.proxy.bind_address,
        "ports": ports,
        "login": config.hub.login.kind.value,
        "login_file": str(config.hub.login.file) if config.hub.login.file else None,
        "disk_quota": config.hub.files.disk_quota and int(config.hub.files.disk_quota),
        "limited": _limited(config) if config.hub.files.disk_quota else {},
        "names": _names(config),
        "asks_lets_encrypt": tls.kind is TlsKind.acme
        and not tls.dns
        and tls.directory == LETS_ENCRYPT,
        "address": config.host.address if config.host else None,
        "has_fixed_address": bool(config.vm and config.vm.network.address is PublicAddress.fixed),
        "subnets": [config.hub.network.subnet, *([config.dask.subnet] if config.dask else [])],
        "site": config.site.model_dump(mode="json"),
        "rebuild": config.vm.rebuild if config.vm else 0,
    }


def _limited(config: StackConfig) -> dict[str, str | None]:
    """Folders that a disk quota is about; None for one that the engine makes."""
    made = None if config.platform is Platform.local else DATA
    given = {name: plain(getattr(config.volumes, name).path) for name in ("homes", "shared")}
    return {name: path or (made and f"{made}/{name}") for name, path in given.items()}


def _names(config: StackConfig) -> list[str]:
    """Names that somebody has to make point to the hub: the stack makes the others itself."""
    own = [str(name) for name in config.proxy.tls.domains]
    if config.dns.name and not own:
        own = [str(config.dns.name)]
    managed = config.dns.name if config.dns.kind is DnsKind.managed else None
    return [name for name in own if name != managed and not name.startswith("*.")]


def main(arguments: list[str]) -> int:
    """Checks a stack file. Prints what other tools need to know of it as one JSON line.

    With `-` after the stack's name, the file's text is standard input.
    """
    stack = arguments[0] if arguments else "local"
    text = sys.stdin.read() if arguments[1:] == ["-"] else None
    try:
        config = read_file(Path("stacks") / f"Pulumi.{stack}.yaml", text)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(facts(config)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
