"""JupyterHubHost: a multi-user JupyterHub on one host, or in a Kubernetes cluster."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from ..buckets.component import Buckets
from ..errors import ConfigError
from ..images import ImageStore
from ..platforms.pick import pick
from ..platforms.place import Place
from ..shared_volume.component import SharedVolume
from ..traefik_proxy.component import TraefikProxy
from .args import HubSecretsArgs, JupyterHubHostArgs


class JupyterHubHost(pulumi.ComponentResource):
    """A JupyterHub that starts each user's server in a container, or pod, of its own.

    Replacing the hub's container logs no one out and stops no one's server: its database is on
    the `state` volume, its routes are the proxy's, its cookie key is a secret of the stack.

    Args:
        volumes: `homes`, `shared` and `state`.
        buckets: what mounts `files.buckets`, and those of the stack's cloud.

    Attributes:
        url: where users log in.
        network: name of the users' network, on a Docker engine.
        gateway: the host's address on that network, the only one that notebooks reach.
        notebook_images: references of the images that users can start, in order.
    """

    url: pulumi.Output[str]
    network: pulumi.Output[str] | None
    gateway: pulumi.Output[str] | None
    notebook_images: pulumi.Output[list[str]]

    def __init__(
        self,
        name: str,
        args: JupyterHubHostArgs,
        secrets: HubSecretsArgs,
        host: Place,
        images: ImageStore,
        proxy: TraefikProxy,
        volumes: Mapping[str, SharedVolume],
        buckets: Buckets | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        if missing := secrets.missing(args.login.kind):
            raise ConfigError(
                f"JupyterHubHost {name}: login kind `{args.login.kind.value}` needs these in "
                f"HubSecretsArgs: {', '.join(missing)}. Nothing was changed."
            )
        if absent := {"homes", "shared", "state"} - set(volumes):
            raise ConfigError(
                f"JupyterHubHost {name}: volumes lacks {', '.join(sorted(absent))}; give a "
                "SharedVolume for each. Nothing was changed."
            )
        if args.files.buckets and buckets is None:
            raise ConfigError(
                f"JupyterHubHost {name}: files.buckets are mounted by Buckets; give it as "
                "`buckets`. Nothing was changed."
            )
        super().__init__("jupyterhub:index:JupyterHubHost", name, {}, opts)

        made = pick(__package__, host.platform).create(
            name,
            args,
            secrets,
            host,
            images,
            proxy,
            volumes,
            self,
            buckets,
        )
        self.args = args
        self.url = proxy.url
        self.network = made.network
        self.gateway = made.gateway
        self.notebook_images = made.notebook_images
        self.register_outputs(
            {
                "url": self.url,
                "network": self.network,
                "gateway": self.gateway,
                "notebook_images": self.notebook_images,
            }
        )
