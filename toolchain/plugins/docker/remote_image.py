"""docker.RemoteImage"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..provider.values import Values
from .errors import PluginError, explain
from .resource import Call, Found, Made, ResourceType, as_found, names


class RemoteImage(ResourceType):
    """An image on the engine: the one that is there under this name, else pulled."""

    token = "docker:index/remoteImage:RemoteImage"
    required = names("name")
    replacing = names("name platform pullTriggers triggers")
    in_place = names("forceRemove keepLocally")
    refused = names("build")
    computed = names("imageId repoDigest")
    autonamed = False

    def create(self, call: Call, inputs: Values) -> Made:
        """Pulls it where it is not there yet."""
        from docker.errors import ImageNotFound

        client = call.engine.client()
        name = inputs["name"]
        try:
            found = client.inspect_image(name)
        except ImageNotFound:
            pull(call, name, inputs.get("platform"))
            found = client.inspect_image(name)
        return Made(found["Id"] + name, inputs | _outputs(found, name))

    def read(self, call: Call, id: str, inputs: Values, outputs: Values) -> Found | None:
        """The image that the name stands for now."""
        from docker.errors import ImageNotFound

        name = inputs.get("name") or id[71:] or id  # an id is sha256:<64 digits><name>
        try:
            found = call.engine.client().inspect_image(name)
        except ImageNotFound:
            return None
        now = as_found(inputs, {"name": name})
        return Found(found["Id"] + name, now, now | _outputs(found, name))

    def delete(self, call: Call, id: str, inputs: Values) -> None:
        """Removes it unless it is to be kept."""
        from docker.errors import APIError, NotFound

        if inputs.get("keepLocally"):
            return
        try:
            call.engine.client().remove_image(inputs["name"], force=inputs.get("forceRemove"))
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:
                raise
            raise PluginError(
                f"image {inputs['name']} is in use ({error.explanation}). Remove what uses it, "
                "or set keepLocally"
            ) from None


def pull(call: Call, name: str, platform: str | None = None) -> None:
    """Pulls an image, telling how far it is."""
    from docker.errors import APIError
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(name)
    client = call.engine.patient_client()
    try:
        events = client.pull(
            repository,
            tag=tag or "latest",
            stream=True,
            decode=True,
            platform=platform,
            auth_config=call.engine.credentials(name),
        )
        _follow(call, name, events)
    except APIError as error:
        if error.status_code in (403, 404):
            raise _not_found(name, str(error.explanation)) from None
        raise PluginError(
            f"image {name} can't be pulled: {explain(error, call.engine.host)}"
        ) from None


def _follow(call: Call, name: str, events: Iterable[dict[str, Any]]) -> None:
    layers: dict[str, bool] = {}
    told = ""
    for event in events:
        if "error" in event:
            if "not found" in event["error"] or "denied" in event["error"]:
                raise _not_found(name, event["error"])
            raise PluginError(f"image {name} can't be pulled: {event['error']}")
        status = event.get("status", "")
        if event.get("id") and status in ("Pulling fs layer", "Pull complete", "Already exists"):
            layers[event["id"]] = status != "Pulling fs layer"
            text = f"pulling {name}: layer {sum(layers.values())}/{len(layers)}"
            if text != told:
                call.progress(text)
                told = text


def _not_found(name: str, said: str) -> PluginError:
    return PluginError(
        f"image {name} was not found in its registry, or needs a login ({said}). Check name and "
        "tag, and the provider's registryAuth"
    )


def _outputs(found: dict[str, Any], name: str) -> Values:
    repository = name.split("@")[0].rpartition(":")[0] or name
    digests = found.get("RepoDigests") or []
    own = [digest for digest in digests if digest.startswith(f"{repository}@")]
    return {
        "name": name,
        "imageId": found["Id"],
        "repoDigest": next(iter(own or digests), ""),
    }
