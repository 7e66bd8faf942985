"""Reusable Pulumi components for a multi-user JupyterHub: these names are the public API."""

from .buckets.args import BucketAccess, BucketArgs, BucketKind
from .buckets.component import Buckets
from .cloud_vm.args import (
    Arch,
    CloudSshArgs,
    CloudVMArgs,
    IngressArgs,
    NetworkArgs,
    NetworkKind,
    OperatingSystem,
    Protocol,
    PublicAddress,
    SizeArgs,
)
from .cloud_vm.component import CloudVM
from .dask_cluster.args import DaskClusterArgs, DaskGatewayArgs, DaskMachinesArgs, for_notebooks
from .dask_cluster.component import DaskCluster
from .dask_cluster.machines import WorkerMachines
from .dns.args import DnsArgs, DnsKind, FailoverArgs, FailoverRole
from .dns.component import DnsName
from .errors import ConfigError
from .images import BundledImage, EgressArgs, ImageArgs, ImageStore, bundled_image
from .jupyterhub_host.args import (
    CullingArgs,
    HubSecretsArgs,
    JupyterHubHostArgs,
    UsersNetworkArgs,
)
from .jupyterhub_host.component import JupyterHubHost
from .jupyterhub_host.files import ExamplesArgs, FilesArgs, GroupArgs
from .jupyterhub_host.login import LoginArgs, LoginKind, Lti13Args, OidcArgs
from .jupyterhub_host.providers import OidcProvider
from .jupyterhub_host.servers import NotebookImageArgs, ServerSizeArgs
from .kubernetes_cluster.args import ClusterHostArgs, ClusterKind, KubernetesClusterArgs
from .kubernetes_cluster.component import Cluster
from .kubernetes_cluster.device_plugin import DevicePlugin
from .kubernetes_cluster.gpu import GpuArgs
from .kubernetes_cluster.pools import PoolArgs
from .machine.args import HostArgs, SoftwareArgs, SshArgs
from .machine.existing import ExistingHost
from .monitoring.args import MonitoringArgs
from .monitoring.component import Monitoring
from .platforms.docker_host import DockerHost, DockerHostArgs
from .platforms.kubernetes import KubernetesCluster
from .platforms.site import PlaceArgs, Site, SiteArgs
from .shared_volume.args import Encryption, SharedVolumeArgs, SnapshotArgs, VolumeKind
from .shared_volume.component import SharedVolume
from .spark.args import SparkArgs
from .spark.component import Spark
from .traefik_proxy.args import (
    DnsChallengeArgs,
    RouteArgs,
    TcpRouteArgs,
    TlsArgs,
    TlsKind,
    TraefikProxyArgs,
)
from .traefik_proxy.component import TraefikProxy

__all__ = [
    "Arch",
    "BucketAccess",
    "BucketArgs",
    "BucketKind",
    "Buckets",
    "BundledImage",
    "CloudSshArgs",
    "CloudVM",
    "CloudVMArgs",
    "Cluster",
    "ClusterHostArgs",
    "ClusterKind",
    "ConfigError",
    "CullingArgs",
    "DaskCluster",
    "DaskClusterArgs",
    "DaskGatewayArgs",
    "DaskMachinesArgs",
    "DevicePlugin",
    "DnsArgs",
    "DnsChallengeArgs",
    "DnsKind",
    "DnsName",
    "DockerHost",
    "DockerHostArgs",
    "EgressArgs",
    "Encryption",
    "ExamplesArgs",
    "ExistingHost",
    "FailoverArgs",
    "FailoverRole",
    "FilesArgs",
    "GpuArgs",
    "GroupArgs",
    "HostArgs",
    "HubSecretsArgs",
    "ImageArgs",
    "ImageStore",
    "IngressArgs",
    "JupyterHubHost",
    "JupyterHubHostArgs",
    "KubernetesCluster",
    "KubernetesClusterArgs",
    "LoginArgs",
    "LoginKind",
    "Lti13Args",
    "Monitoring",
    "MonitoringArgs",
    "NetworkArgs",
    "NetworkKind",
    "NotebookImageArgs",
    "OidcArgs",
    "OidcProvider",
    "OperatingSystem",
    "PlaceArgs",
    "PoolArgs",
    "Protocol",
    "PublicAddress",
    "RouteArgs",
    "ServerSizeArgs",
    "SharedVolume",
    "SharedVolumeArgs",
    "Site",
    "SiteArgs",
    "SizeArgs",
    "SnapshotArgs",
    "SoftwareArgs",
    "Spark",
    "SparkArgs",
    "SshArgs",
    "TcpRouteArgs",
    "TlsArgs",
    "TlsKind",
    "TraefikProxy",
    "TraefikProxyArgs",
    "UsersNetworkArgs",
    "VolumeKind",
    "WorkerMachines",
    "bundled_image",
    "for_notebooks",
]
