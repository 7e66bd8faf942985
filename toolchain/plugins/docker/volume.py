"""docker.Volume"""

from __future__ import annotations

from typing import Any, ClassVar

from ..provider.values import Values
from .errors import PluginError
from .resource import Call, Found, Made, ResourceType, as_found, names
from .values import canonical, given, labels_from_engine, labels_to_engine


class Volume(ResourceType):
    """A named volume. Making one whose name is there already adopts it, data included."""

    token = "docker:index/volume:Volume"
    replacing = names("driver driverOpts labels name")
    refused = names("cluster")
    defaults: ClassVar = {"driver": "local"}
    computed = names("driver mountpoint")

    def create(self, call: Call, inputs: Values) -> Made:
        """Makes or adopts it; one of another kind under this name is refused."""
        client = call.engine.client()
        client.create_volume(
            inputs["name"],
            driver=inputs.get("driver"),
            driver_opts=inputs.get("driverOpts"),
            labels=given(inputs, "labels", labels_to_engine),
        )
        found = client.inspect_volume(inputs["name"])
        # The engine hands out an existing volume whatever options were asked for.
        wanted = canonical(inputs.get("driverOpts"))
        if canonical(found.get("Options")) != wanted:
            raise PluginError(
                f"a volume named {inputs['name']} is there already, with other driver options "
                f"({found.get('Options') or 'none'}). Rename it in the stack, or remove it with "
                f"its data: docker volume rm {inputs['name']}"
            )
        return Made(inputs["name"], inputs | _outputs(found))

    def read(self, call: Call, id: str, inputs: Values, outputs: Values) -> Found | None:
        """Labels are not compared: an adopted volume keeps its own, and data is worth more."""
        from docker.errors import NotFound

        try:
            found = call.engine.client().inspect_volume(id)
        except NotFound:
            return None
        observed: Values = {
            "name": found["Name"],
            "driver": found["Driver"],
            "driverOpts": found.get("Options") or {},
        }
        if not inputs:
            observed["labels"] = labels_from_engine(found.get("Labels"))
        now = as_found(inputs, observed)
        return Found(id, now, now | _outputs(found))

    def delete(self, call: Call, id: str, inputs: Values) -> None:
        """Removes it with its data; containers that use it are named in the error."""
        from docker.errors import APIError, NotFound

        client = call.engine.client()
        try:
            client.remove_volume(id)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:
                raise
            users = client.containers(all=True, filters={"volume": id})
            by = ", ".join(user["Names"][0].lstrip("/") for user in users)
            raise PluginError(
                f"volume {id} is in use by: {by}. Remove these containers (docker rm -f) "
                "and run again"
            ) from None


def _outputs(found: dict[str, Any]) -> Values:
    return {"name": found["Name"], "driver": found["Driver"], "mountpoint": found["Mountpoint"]}
