"""A container as the engine shows it, in the words of a Container's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..provider.values import Values
from .container_config import MEBIBYTE
from .resource import as_found
from .values import covers, labels_from_engine


def is_running(found: Mapping[str, Any]) -> bool:
    """Whether it runs, or is about to: one that the engine restarts is not stopped."""
    return bool(found["State"]["Running"] or found["State"].get("Restarting"))


def should_run(inputs: Values) -> bool:
    """Whether the user wants it to be running."""
    return inputs.get("mustRun") is not False and inputs.get("start") is not False


def inputs_found(inputs: Values, found: Mapping[str, Any]) -> Values:
    """The inputs with what was changed by hand."""
    now = as_found(inputs, _observed(inputs, found))
    if inputs and should_run(inputs) and not is_running(found):
        now["mustRun"] = False  # seen as a change, which the next update undoes by starting it
    return now


def _observed(inputs: Values, found: Mapping[str, Any]) -> Values:
    config, host = found["Config"], found["HostConfig"]
    policy = host.get("RestartPolicy") or {}
    return {
        "name": found["Name"].lstrip("/"),
        "image": _image(inputs, found),
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "user": config.get("User") or "",
        "envs": _named_envs(inputs, config.get("Env") or []),
        "labels": _named_labels(inputs, config.get("Labels") or {}),
        "privileged": bool(host.get("Privileged")),
        "restart": policy.get("Name") or "no",
        "maxRetryCount": policy.get("MaximumRetryCount") or 0,
        "memory": _mebibytes(host.get("Memory")),
        "memorySwap": _mebibytes(host.get("MemorySwap")),
        "memoryReservation": _mebibytes(host.get("MemoryReservation")),
        "cpuShares": host.get("CpuShares") or 0,
        "cpuSet": host.get("CpusetCpus") or "",
        "cpuPeriod": host.get("CpuPeriod") or 0,
        "cpuQuota": host.get("CpuQuota") or 0,
        "cpus": _cpus(inputs, host.get("NanoCpus") or 0),
        "networksAdvanced": _networks(inputs, found),
    }


def _image(inputs: Values, found: Mapping[str, Any]) -> str:
    """A name and the id it was resolved to are the same image."""
    by_id, by_name = str(found["Image"]), str(found["Config"]["Image"])
    return by_id if inputs.get("image") == by_id else by_name


def _named_envs(inputs: Values, envs: list[str]) -> list[str]:
    """Without those that come from the image."""
    wanted = {entry.split("=", 1)[0] for entry in inputs.get("envs") or []}
    return [entry for entry in envs if not inputs or entry.split("=", 1)[0] in wanted]


def _named_labels(inputs: Values, labels: Mapping[str, str]) -> list[dict[str, str]]:
    """Without those that come from the image."""
    wanted = {entry["label"] for entry in inputs.get("labels") or []}
    return [e for e in labels_from_engine(labels) if not inputs or e["label"] in wanted]


def _mebibytes(size: int | None) -> int | float:
    if not size or size < 0:
        return size or 0
    return size // MEBIBYTE if size % MEBIBYTE == 0 else size / MEBIBYTE


def _cpus(inputs: Values, nano: int) -> str:
    wanted = inputs.get("cpus")
    return wanted if wanted and round(float(wanted) * 10**9) == nano else f"{nano / 10**9:g}"


def _networks(inputs: Values, found: Mapping[str, Any]) -> list[Values]:
    """The networks it is on; those that are as wanted keep the user's words."""
    wanted = {entry["name"]: entry for entry in inputs.get("networksAdvanced") or []}
    modes = (inputs.get("networkMode"), "none" if wanted else None)
    networks = []
    for name, end in (found["NetworkSettings"].get("Networks") or {}).items():
        entry = wanted.get(name) or wanted.get(end.get("NetworkID"))
        if entry and covers(_end(entry["name"], end), _comparable(entry)):
            networks.append(entry)
        elif entry or name not in modes:
            networks.append(_end(name, end))
    return networks if len(networks) != len(wanted) or networks else []


def _end(name: str, end: Mapping[str, Any]) -> Values:
    ipam = end.get("IPAMConfig") or {}
    return {
        "name": name,
        "aliases": end.get("Aliases") or [],
        "ipv4Address": ipam.get("IPv4Address") or "",
        "ipv6Address": ipam.get("IPv6Address") or "",
    }


def _comparable(entry: Values) -> Values:
    return {k: entry.get(k) for k in ("name", "aliases", "ipv4Address", "ipv6Address")}


def outputs_found(found: Mapping[str, Any]) -> Values:
    """What is known of a container only once it is there."""
    config, host = found["Config"], found["HostConfig"]
    return {
        "bridge": "",
        "exitCode": found["State"].get("ExitCode", 0),
        "hostname": config.get("Hostname") or "",
        "ipcMode": host.get("IpcMode") or "",
        "logDriver": (host.get("LogConfig") or {}).get("Type") or "",
        "name": found["Name"].lstrip("/"),
        "networkDatas": [_network_data(name, end) for name, end in _sorted_networks(found)],
        "runtime": host.get("Runtime") or "",
        "shmSize": (host.get("ShmSize") or 0) // MEBIBYTE,
    }


def _sorted_networks(found: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted((found["NetworkSettings"].get("Networks") or {}).items())


def _network_data(name: str, end: Mapping[str, Any]) -> Values:
    return {
        "networkName": name,
        "gateway": end.get("Gateway") or "",
        "ipAddress": end.get("IPAddress") or "",
        "ipPrefixLength": end.get("IPPrefixLen") or 0,
        "ipv6Gateway": end.get("IPv6Gateway") or "",
        "globalIpv6Address": end.get("GlobalIPv6Address") or "",
        "globalIpv6PrefixLength": end.get("GlobalIPv6PrefixLen") or 0,
        "macAddress": end.get("MacAddress") or "",
    }
