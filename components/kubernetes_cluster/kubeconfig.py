"""The kubeconfig of a managed cluster: who comes in is asked by the cloud's own program."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

import pulumi
import yaml

from ..errors import ConfigError


def kubeconfig(
    name: pulumi.Output[str],
    server: pulumi.Output[str],
    certificate: pulumi.Output[str],
    login: Callable[[str], Sequence[str]],
) -> pulumi.Output[str]:
    """A kubeconfig that holds no token: a command gets one for whoever runs it.

    Args:
        certificate: of the cluster's own authority, in base64.
        login: the command's words, by the cluster's name.
    """
    known = pulumi.Output.all(name, server, certificate)
    return pulumi.Output.secret(
        known.apply(
            lambda each: _text(str(each[0]), str(each[1]), str(each[2]), login(str(each[0])))
        )
    )


def _text(name: str, server: str, certificate: str, words: Sequence[str]) -> str:
    command, *arguments = words
    program = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": command,
        "args": arguments,
        "interactiveMode": "Never",
        "provideClusterInfo": True,
    }
    cluster = {"server": server, "certificate-authority-data": certificate}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"exec": program}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False)


def needs_program(program: str, comes_with: str) -> None:
    """Says that the program for logins is missing, before anything is made."""
    if shutil.which(program):
        return
    problem = (
        f"jupyterhub:cluster.kind: found no program `{program}` on this machine; allowed: with it "
        f"on the PATH, for it logs in to the cluster's API. It comes with {comes_with}."
    )
    if not pulumi.runtime.is_dry_run():
        raise ConfigError(f"{problem} Nothing was changed.")
    pulumi.log.warn(problem)
