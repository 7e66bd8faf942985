"""Reusable Pulumi components for a multi-user JupyterHub: these names are the public API."""

from .cloud_vm.args import CloudVMArgs
from .cloud_vm.component import CloudVM
from .dask_cluster.args import DaskClusterArgs
from .dask_cluster.component import DaskCluster
from .images import EgressArgs, ImageArgs, ImageStore
from .jupyterhub_host.args import (
    CullingArgs,
    HubSecretsArgs,
    JupyterHubHostArgs,
    LoginArgs,
    LoginKind,
    NotebookImageArgs,
    UsersNetworkArgs,
)
from .jupyterhub_host.component import JupyterHubHost
from .platforms.docker_host import DockerHost, DockerHostArgs
from .shared_volume.args import SharedVolumeArgs
from .shared_volume.component import SharedVolume
from .traefik_proxy.args import RouteArgs, TcpRouteArgs, TlsArgs, TlsKind, TraefikProxyArgs
from .traefik_proxy.component import TraefikProxy

__all__ = [
    "CloudVM",
    "CloudVMArgs",
    "CullingArgs",
    "DaskCluster",
    "DaskClusterArgs",
    "DockerHost",
    "DockerHostArgs",
    "EgressArgs",
    "HubSecretsArgs",
    "ImageArgs",
    "ImageStore",
    "JupyterHubHost",
    "JupyterHubHostArgs",
    "LoginArgs",
    "LoginKind",
    "NotebookImageArgs",
    "RouteArgs",
    "SharedVolume",
    "SharedVolumeArgs",
    "TcpRouteArgs",
    "TlsArgs",
    "TlsKind",
    "TraefikProxy",
    "TraefikProxyArgs",
    "UsersNetworkArgs",
]
