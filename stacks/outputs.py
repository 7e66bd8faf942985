"""What every stack tells at its end, under the same names everywhere."""

from __future__ import annotations

from typing import Any

import pulumi

from components import JupyterHubHost, LoginKind, TlsKind
from components.args import InputSecret, secret
from components.config import StackConfig


def outputs(stack: str, config: StackConfig, hub: JupyterHubHost) -> dict[str, Any]:
    """The outputs of a stack with a hub."""
    with_password = config.hub.login.kind is LoginKind.class_password

    def password(value: InputSecret | None) -> pulumi.Output[str] | None:
        return secret(value) if with_password and value is not None else None

    return {
        "url": hub.url,
        "admin_user": config.hub.admins[0],
        "class_password": password(config.secrets.class_password),
        "admin_password": password(config.secrets.admin_password),
        "next_steps": hub.url.apply(lambda url: _next_steps(url, stack, config)),
    }


def _next_steps(url: str, stack: str, config: StackConfig) -> str:
    admin = config.hub.admins[0]
    if config.hub.login.kind is LoginKind.class_password:
        login = f"Students: any name and the class password. You: {admin} and the admin password."
    else:
        login = "Names and first passwords: make roster"
    lines = [f"Open {url} in a browser.", login]
    if config.proxy.tls.kind is TlsKind.self_signed:
        lines.append("The browser warns of the self-signed certificate: accept it once.")
    lines.append(f"Change settings: stacks/Pulumi.{stack}.yaml, then make up.")
    lines.append("Stop, keeping all data: make down")
    return "\n".join(lines)
