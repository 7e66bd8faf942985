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
        "admin_user": config.hub.admins[0] if config.hub.admins else None,
        "class_password": password(config.secrets.class_password),
        "admin_password": password(config.secrets.admin_password),
        "next_steps": hub.url.apply(lambda url: _next_steps(url, stack, config)),
    }


def _next_steps(url: str, stack: str, config: StackConfig) -> str:
    login = _login(url, stack, config)
    lines = [f"Open {url} in a browser.", login]
    if config.proxy.tls.kind is TlsKind.self_signed:
        lines.append("The browser warns of the self-signed certificate: accept it once.")
    lines.append(f"Change settings: stacks/Pulumi.{stack}.yaml, then make up STACK={stack}")
    lines.append(f"Stop, keeping all data: make down STACK={stack}")
    return "\n".join(lines)


def _login(url: str, stack: str, config: StackConfig) -> str:
    """How people get in, and what has to be registered elsewhere for that."""
    login = config.hub.login
    if login.kind is LoginKind.class_password:
        admin = config.hub.admins[0]
        return f"Students: any name and the class password. You: {admin} and the admin password."
    if login.oidc:
        return f"Redirect URL to register with {login.oidc.preset.title}: {url}/hub/oauth_callback"
    if login.kind is LoginKind.lti13:
        lti = f"{url}/hub/lti13"
        return f"To register in your course: login {lti}/oauth_login, redirect {lti}/oauth_callback"
    if login.kind is LoginKind.signup:
        own = f"Your own first password: make roster STACK={stack}"
        return f"People sign up at {url}/hub/signup. {own}"
    return f"Names and first passwords: make roster STACK={stack}"
