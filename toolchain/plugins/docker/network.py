"""docker.Network"""

from __future__ import annotations

import time
from typing import Any, ClassVar

from ..provider.values import Values, without_none
from .errors import PluginError
from .resource import Call, Found, Made, ResourceType, as_found, names
from .values import given, labels_from_engine, labels_to_engine

_IPAM_KEYS = {
    "subnet": "Subnet",
    "gateway": "Gateway",
    "ipRange": "IPRange",
    "auxAddress": "AuxiliaryAddresses",
}
# Seconds. A stopped container's end of the network goes away a moment after it.
_RELEASE = 3.0


class Network(ResourceType):
    """A network; every change replaces it."""

    token = "docker:index/network:Network"
    replacing = names(
        """
        attachable driver ingress internal ipamConfigs ipamDriver ipamOptions ipv6 labels
        name options
        """
    )
    defaults: ClassVar = {"driver": "bridge", "ipamDriver": "default"}
    computed = names("driver internal ipamConfigs options scope")

    def create(self, call: Call, inputs: Values) -> Made:
        """Makes it, unless there is one of this name."""
        client = call.engine.client()
        made = client.create_network(
            inputs["name"],
            driver=inputs.get("driver"),
            options=inputs.get("options"),
            ipam=_ipam(inputs),
            check_duplicate=True,
            internal=bool(inputs.get("internal")),
            labels=given(inputs, "labels", labels_to_engine),
            enable_ipv6=bool(inputs.get("ipv6")),
            attachable=inputs.get("attachable"),
            ingress=inputs.get("ingress"),
        )
        return Made(made["Id"], inputs | _outputs(client.inspect_network(made["Id"])))

    def read(self, call: Call, id: str, inputs: Values, outputs: Values) -> Found | None:
        """The network as it is."""
        from docker.errors import NotFound

        try:
            found = call.engine.client().inspect_network(id)
        except NotFound:
            return None
        now = as_found(inputs, _observed(found))
        return Found(found["Id"], now, now | _outputs(found))

    def delete(self, call: Call, id: str, inputs: Values) -> None:
        """Removes it; containers that are still on it are named in the error."""
        from docker.errors import APIError, NotFound

        client = call.engine.client()
        deadline = time.monotonic() + _RELEASE
        while True:
            try:
                client.remove_network(id)
                return
            except NotFound:
                return
            except APIError as error:
                if "active endpoints" not in str(error.explanation):
                    raise
                if time.monotonic() > deadline or call.cancelled.wait(0.3):
                    raise PluginError(_in_use(client.inspect_network(id))) from None


def _ipam(inputs: Values) -> Values | None:
    configs = [
        without_none({_IPAM_KEYS[key]: value for key, value in config.items() if key in _IPAM_KEYS})
        for config in inputs.get("ipamConfigs") or []
    ]
    if not configs and not inputs.get("ipamDriver") and not inputs.get("ipamOptions"):
        return None
    return {
        "Driver": inputs.get("ipamDriver") or "default",
        "Config": configs,
        "Options": inputs.get("ipamOptions") or {},
    }


def _observed(found: dict[str, Any]) -> Values:
    ipam = found.get("IPAM") or {}
    return {
        "name": found["Name"],
        "driver": found["Driver"],
        "options": found.get("Options") or {},
        "labels": labels_from_engine(found.get("Labels")),
        "internal": bool(found.get("Internal")),
        "attachable": bool(found.get("Attachable")),
        "ingress": bool(found.get("Ingress")),
        "ipv6": bool(found.get("EnableIPv6")),
        "ipamDriver": ipam.get("Driver") or "default",
        "ipamOptions": ipam.get("Options") or {},
        "ipamConfigs": [
            {key: config[name] for key, name in _IPAM_KEYS.items() if config.get(name)}
            for config in ipam.get("Config") or []
        ],
    }


def _outputs(found: dict[str, Any]) -> Values:
    observed = _observed(found)
    kept = ("name", "driver", "internal", "options", "ipamConfigs")
    return {key: observed[key] for key in kept} | {"scope": found["Scope"]}


def _in_use(found: dict[str, Any]) -> str:
    users = sorted(end["Name"] for end in (found.get("Containers") or {}).values())
    return (
        f"network {found['Name']} is in use by: {', '.join(users) or 'an unknown container'}. "
        "Remove these containers (docker rm -f) and run again"
    )
