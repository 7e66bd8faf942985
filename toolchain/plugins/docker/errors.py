"""Errors as one clear line with the way out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..provider.values import Values


class PluginError(Exception):
    """An error whose text is meant for the user as it is."""


class InitFailed(PluginError):
    """Something was made and is there, but does not work. The state keeps it."""

    def __init__(self, text: str, id: str, outputs: Values) -> None:
        super().__init__(text)
        self.id = id
        self.outputs = outputs


# What the engine says, and what to tell the user. Groups of the pattern fill the text.
_ENGINE_TEXTS = (
    (
        r'container name "/?([^"]+)" is already in use',
        "a container named {0} is there already and does not belong to this stack. "
        "Remove it (docker rm -f {0}) or choose another name",
    ),
    (
        r"network with name (\S+) already exists",
        "a network named {0} is there already and does not belong to this stack. "
        "Remove it (docker network rm {0}) or choose another name",
    ),
    (
        r"Pool overlaps with other one|invalid pool request",
        "the network's subnet overlaps with one that is there already. Choose another subnet; "
        "docker network ls lists the networks, docker network inspect shows their subnets",
    ),
    (
        r"(?:Bind for|listen \w+) \S*?:(\d+)(?:: bind)?.*(?:already allocated|already in use)",
        "port {0} is already in use. See by whom (docker ps, ss -ltnp 'sport = :{0}'), "
        "end that or choose another port",
    ),
    (
        r"[Nn]o such image: (\S+)",
        "image {0} is not on the Docker engine. Pull it (docker pull {0}) or add a RemoteImage "
        "or Image for it",
    ),
    (
        r"(?:pull access denied for|manifest for|manifest unknown|repository) ?(\S*?)(?:,| not)",
        "image {0} was not found in its registry, or needs a login. Check the name and tag, "
        "and the provider's registryAuth",
    ),
    (
        r"no space left on device",
        "the disk is full on the Docker engine's machine. Free some (docker system prune) and "
        "run again",
    ),
    (
        r"could not select device driver .*gpu",
        "the Docker engine has no GPU support. Install the NVIDIA Container Toolkit there",
    ),
)


def explain(error: BaseException, host: str) -> str | None:
    """The user's line for an error of docker-py, None for an error that is not one."""
    import docker.errors
    import requests

    if isinstance(error, PluginError):
        return str(error)
    if isinstance(error, docker.errors.APIError):
        return _engine_text(str(error.explanation or error))
    if isinstance(error, requests.exceptions.ReadTimeout):
        return f"the Docker engine at {host} does not answer. Look after it and run again"
    if isinstance(error, docker.errors.DockerException | requests.exceptions.ConnectionError):
        return _no_connection(error, host)
    return None


def _engine_text(text: str) -> str:
    text = text.strip()
    for pattern, advice in _ENGINE_TEXTS:
        found = re.search(pattern, text)
        if found:
            return advice.format(*(group.strip("\"'") for group in found.groups()))
    return f"the Docker engine says: {text}"


def _no_connection(error: BaseException, host: str) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        return (
            f"no permission to use Docker at {host}. Give it with: "
            "sudo usermod -aG docker $USER, log out and in, and run again"
        )
    if host.startswith("unix:"):
        return (
            f"Docker is not running at {host}. Start it with: sudo systemctl start docker "
            "(or dockerd), and run again"
        )
    return f"no connection to Docker at {host}: {causes[-1]}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and everything it was made from; requests hides causes in the arguments."""
    yield error
    inner = error.__cause__ or error.__context__
    nested = [arg for arg in error.args if isinstance(arg, BaseException)]
    reason = getattr(error, "reason", None)
    for cause in (inner, *nested, reason):
        if isinstance(cause, BaseException) and cause is not error:
            yield from _causes(cause)
