"""A hub on one Docker engine: this machine's, or another's over ssh."""

from __future__ import annotations

from typing import Any

import pulumi

from components import (
    DaskCluster,
    DockerHost,
    ImageStore,
    JupyterHubHost,
    SharedVolume,
    TraefikProxy,
)
from components.args import InputSecret, secret
from components.config import StackConfig
from components.dask_cluster.args import for_notebooks
from components.jupyterhub_host.args import JupyterHubHostArgs, LoginKind
from components.traefik_proxy.args import TlsKind


def compose(stack: str, config: StackConfig) -> dict[str, Any]:
    """Makes everything and returns the stack's outputs."""
    host = DockerHost.connect(f"jupyterhub-{stack}", config.docker)
    images = ImageStore(host, config.egress)
    kept = {
        name: SharedVolume(name, getattr(config.volumes, name), host)
        for name in type(config.volumes).model_fields
    }
    proxy = TraefikProxy("proxy", config.proxy, host, images, kept["certificates"])
    hub = JupyterHubHost(
        "hub",
        _hub_args(config),
        config.secrets,
        host,
        images,
        proxy,
        kept,
        egress=config.egress,
    )
    if config.dask:
        DaskCluster("dask", config.dask, host, images, hub, kept["shared"])
    return _outputs(config, hub)


def _hub_args(config: StackConfig) -> JupyterHubHostArgs:
    """The hub's args, which know of the Dask cluster where there is one."""
    if not config.dask:
        return config.hub
    environment, ports = for_notebooks(config.hub.network.subnet)
    return config.hub.model_copy(
        update={
            "environment": environment | config.hub.environment,
            "open_ports": [*config.hub.open_ports, *ports],
        }
    )


def _outputs(config: StackConfig, hub: JupyterHubHost) -> dict[str, Any]:
    with_password = config.hub.login.kind is LoginKind.class_password

    def password(value: InputSecret | None) -> pulumi.Output[str] | None:
        return secret(value) if with_password and value is not None else None

    return {
        "url": hub.url,
        "admin_user": config.hub.admins[0],
        "class_password": password(config.secrets.class_password),
        "admin_password": password(config.secrets.admin_password),
        "next_steps": hub.url.apply(lambda url: _next_steps(url, config)),
    }


def _next_steps(url: str, config: StackConfig) -> str:
    admin = config.hub.admins[0]
    if config.hub.login.kind is LoginKind.class_password:
        login = f"Students: any name and the class password. You: {admin} and the admin password."
    else:
        login = "Names and first passwords: make roster"
    lines = [f"Open {url} in a browser.", login]
    if config.proxy.tls.kind is TlsKind.self_signed:
        lines.append("The browser warns of the self-signed certificate: accept it once.")
    lines.append(
        "Settings: stacks/Pulumi.<stack>.yaml, then make up. Stop, keeping all data: make down"
    )
    return "\n".join(lines)
