"""docker.Image"""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Iterable
from typing import Any

from ..provider.values import UNKNOWN, Values, has_unknown
from . import OFFICIAL
from .build_context import BuildContext
from .errors import PluginError
from .resource import Call, Change, Found, Made, ResourceType, names
from .values import canonical

_BUILD = {"context", "dockerfile", "args", "target", "platform", "network", "addHosts", "cacheFrom"}
_BUILD |= {"builderVersion", "contextDigest"}
_STEP = re.compile(r"^Step (\d+/\d+) : (.*)")
_TAIL = 15
# On an image: what it was built from, so that one that is there is not built again.
_BUILT_FROM = "pulumi-jupyterhub.built-from"
_NOT_CONTENT = {"context", "dockerfile", "contextDigest", "cacheFrom", "builderVersion"}
_UNSEEN = ("username", "password")  # of a registry: changing them is no reason to build


class Image(ResourceType):
    """An image built from a folder, with the engine's own (classic) builder."""

    token = "docker:index/image:Image"
    required = names("imageName")
    replacing = frozenset()
    in_place = names("build buildOnPreview imageName registry skipPush")
    computed = names(
        """
        baseImageName context dockerfile imageName registryServer repoDigest
        """
    )
    autonamed = False

    def prepare(self, inputs: Values) -> tuple[Values, dict[str, str]]:
        """Adds the context's digest, so that a changed file shows up in the preview."""
        build = inputs.get("build") or {}
        if build == UNKNOWN:
            return inputs, {}
        if not isinstance(build, dict):
            return inputs, {"build": "build must be an object with context and dockerfile"}
        faults = _faults(inputs, build)
        if faults or has_unknown([build.get("context"), build.get("dockerfile")]):
            return inputs, faults
        try:
            context = _context(build)
        except PluginError as error:
            return inputs, {"build": str(error)}
        full = build | {"context": str(context.folder), "dockerfile": str(context.dockerfile)}
        full["contextDigest"] = context.digest()
        return inputs | {"build": full}, {}

    def diff(self, olds: Values, news: Values) -> dict[str, Change]:
        """A registry's login is not compared."""
        return super().diff(_without_login(olds), _without_login(news))

    def planned(self, inputs: Values, outputs: Values | None = None) -> Values:
        """Everything but the digest is known before the build."""
        if has_unknown(inputs):
            return super().planned(inputs)
        return super().planned(inputs | _outputs(inputs))

    def create(self, call: Call, inputs: Values) -> Made:
        """Builds it where it isn't there, and pushes it unless that is to be skipped."""
        name = inputs["imageName"]
        build(call, name, inputs.get("build") or {})
        digest = call.engine.client().inspect_image(name)["Id"]
        if not inputs.get("skipPush"):
            digest = _push(call, name, inputs.get("registry") or {})
        return Made(name, inputs | _outputs(inputs) | {"repoDigest": digest})

    def update(self, call: Call, id: str, olds: Values, news: Values, outputs: Values) -> Values:
        """Builds it again."""
        return self.create(call, news).outputs

    def read(self, call: Call, id: str, inputs: Values, outputs: Values) -> Found | None:
        """Gone if it is not on the engine; a pushed one lives in its registry."""
        from docker.errors import ImageNotFound

        name = inputs.get("imageName") or id
        if not inputs or inputs.get("skipPush"):
            try:
                call.engine.client().inspect_image(name)
            except ImageNotFound:
                return None
        return Found(id, inputs or {"imageName": name}, outputs or {"imageName": name})

    def delete(self, call: Call, id: str, inputs: Values) -> None:
        """The image stays on the engine, as with the official plugin: others may use it."""


def _faults(inputs: Values, build: Values) -> dict[str, str]:
    faults = {
        f"build.{key}": f"build.{key} is not covered by the docker stand-in; {OFFICIAL}"
        for key in build
        if key not in _BUILD and not key.startswith("__")
    }
    if build.get("builderVersion") == "BuilderBuildKit":
        faults["build.builderVersion"] = (
            f"the docker stand-in builds with the classic builder only; {OFFICIAL}"
        )
    if inputs.get("buildOnPreview") is True:
        faults["buildOnPreview"] = f"the docker stand-in never builds in a preview; {OFFICIAL}"
    return faults


def _without_login(inputs: Values) -> Values:
    registry = inputs.get("registry")
    if not isinstance(registry, dict):
        return inputs
    return inputs | {"registry": {k: v for k, v in registry.items() if k not in _UNSEEN}}


def _context(build: Values) -> BuildContext:
    return BuildContext.of(build.get("context") or ".", build.get("dockerfile"))


def _outputs(inputs: Values) -> Values:
    build = inputs.get("build") or {}
    context = _context(build)
    registry = inputs.get("registry") or {}
    return {
        "imageName": inputs["imageName"],
        "baseImageName": inputs["imageName"],
        "context": build.get("context") or ".",
        "dockerfile": context.dockerfile_in_context or str(context.dockerfile),
        "registryServer": registry.get("server") or "",
        "platform": build.get("platform"),
    }


def build(call: Call, name: str, options: Values) -> None:
    """Builds an image, unless the engine has one of this name that was built from the same."""
    context = _context(options)
    built_from = _digest(context, options)
    if _label_of(call, name) == built_from:
        return
    archive, dockerfile = context.archive()
    arguments = {key: str(value) for key, value in (options.get("args") or {}).items()}
    hosts = dict(entry.split(":", 1) for entry in options.get("addHosts") or [])
    with archive:
        events = call.engine.patient_client().build(
            fileobj=archive,
            custom_context=True,
            tag=name,
            dockerfile=dockerfile,
            buildargs=arguments,
            target=options.get("target"),
            platform=options.get("platform"),
            network_mode=options.get("network"),
            extra_hosts=canonical(hosts),
            cache_from=(options.get("cacheFrom") or {}).get("images"),
            labels={_BUILT_FROM: built_from},
            rm=True,
            forcerm=True,
            decode=True,
        )
        _follow_build(call, name, events)


def _digest(context: BuildContext, options: Values) -> str:
    """Of all that decides what comes out."""
    chosen = {k: v for k, v in options.items() if v and k not in _NOT_CONTENT}
    known = [context.digest(), str(context.dockerfile_in_context), chosen]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _label_of(call: Call, name: str) -> str | None:
    from docker.errors import ImageNotFound

    try:
        found = call.engine.client().inspect_image(name)
    except ImageNotFound:
        return None
    return ((found.get("Config") or {}).get("Labels") or {}).get(_BUILT_FROM)


def _follow_build(call: Call, name: str, events: Iterable[dict[str, Any]]) -> None:
    tail: deque[str] = deque(maxlen=_TAIL)
    for event in events:
        for line in event.get("stream", "").splitlines():
            if not line.strip():
                continue
            tail.append(line.rstrip())
            step = _STEP.match(line)
            if step:
                call.progress(f"{name}: step {step[1]} {step[2][:100]}")
        if "error" in event:
            lines = "\n".join(f"    {line}" for line in tail)
            hint = ""
            if "BuildKit" in event["error"]:
                hint = f" The docker stand-in has the classic builder only; {OFFICIAL}."
            raise PluginError(
                f"image {name} does not build: {event['error'].strip()}.{hint} "
                f"The end of the build's log:\n{lines}"
            )


def _push(call: Call, name: str, registry: Values) -> str:
    from docker.utils import parse_repository_tag

    login = call.engine.credentials(name)
    if registry.get("username"):
        login = {"username": registry["username"], "password": registry.get("password", "")}
    repository, tag = parse_repository_tag(name)
    call.progress(f"pushing {name}")
    digest = None
    client = call.engine.patient_client()
    for event in client.push(repository, tag, stream=True, decode=True, auth_config=login):
        if "error" in event:
            raise PluginError(
                f"image {name} can't be pushed: {event['error']}. Check the name, the registry's "
                "login, or set skipPush"
            )
        digest = (event.get("aux") or {}).get("Digest") or digest
    return f"{repository}@{digest}" if digest else client.inspect_image(name)["Id"]
