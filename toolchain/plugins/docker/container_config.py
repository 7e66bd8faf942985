"""A Container's inputs as the engine's document for creating it."""

from __future__ import annotations

import base64
import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..provider.values import Values, without_none
from .errors import PluginError
from .values import canonical, given, labels_to_engine

MEBIBYTE = 1024**2
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}
_UNITS["h"] = 3600 * 10**9


def container_document(inputs: Values) -> Values:
    """The body of the engine's create call."""
    document: Values = without_none(_document(inputs))
    return document


def _document(inputs: Values) -> Values:
    ports = inputs.get("ports") or []
    anonymous = [v["containerPath"] for v in inputs.get("volumes") or [] if _is_anonymous(v)]
    return {
        "Image": inputs["image"],
        "Cmd": inputs.get("command"),
        "Entrypoint": inputs.get("entrypoints"),
        "Env": inputs.get("envs"),
        "User": inputs.get("user"),
        "Hostname": inputs.get("hostname"),
        "Domainname": inputs.get("domainname"),
        "WorkingDir": inputs.get("workingDir"),
        "Tty": inputs.get("tty"),
        "OpenStdin": inputs.get("stdinOpen"),
        "StopSignal": inputs.get("stopSignal"),
        "StopTimeout": inputs.get("stopTimeout"),
        "Labels": given(inputs, "labels", labels_to_engine),
        "Healthcheck": given(inputs, "healthcheck", _healthcheck),
        "ExposedPorts": {_port_key(port): {} for port in ports},
        "Volumes": {path: {} for path in anonymous},
        "HostConfig": _host_config(inputs),
        "NetworkingConfig": _first_network(inputs),
    }


def _host_config(inputs: Values) -> Values:
    capabilities = inputs.get("capabilities") or {}
    volumes = inputs.get("volumes") or []
    return {
        "Binds": [_bind(volume) for volume in volumes if _is_bind(volume)],
        "VolumesFrom": [_from_container(v) for v in volumes if v.get("fromContainer")],
        "Mounts": [_mount(mount) for mount in inputs.get("mounts") or []],
        "PortBindings": _port_bindings(inputs.get("ports") or []),
        "PublishAllPorts": inputs.get("publishAllPorts"),
        "NetworkMode": _network_mode(inputs),
        "RestartPolicy": restart_policy(inputs),
        "AutoRemove": inputs.get("rm"),
        "CapAdd": capabilities.get("adds"),
        "CapDrop": capabilities.get("drops"),
        "SecurityOpt": inputs.get("securityOpts"),
        "Privileged": inputs.get("privileged"),
        "ReadonlyRootfs": inputs.get("readOnly"),
        "Init": inputs.get("init"),
        "Runtime": inputs.get("runtime"),
        "GroupAdd": inputs.get("groupAdds"),
        "ExtraHosts": [f"{entry['host']}:{entry['ip']}" for entry in inputs.get("hosts") or []],
        "Dns": inputs.get("dns"),
        "DnsOptions": inputs.get("dnsOpts"),
        "DnsSearch": inputs.get("dnsSearches"),
        "PidMode": inputs.get("pidMode"),
        "IpcMode": inputs.get("ipcMode"),
        "UsernsMode": inputs.get("usernsMode"),
        "CgroupnsMode": inputs.get("cgroupnsMode"),
        "CgroupParent": inputs.get("cgroupParent"),
        "Sysctls": inputs.get("sysctls"),
        "Tmpfs": inputs.get("tmpfs"),
        "StorageOpt": inputs.get("storageOpts"),
        "LogConfig": _logging(inputs),
        **resources(inputs),
        **_devices(inputs),
        "ShmSize": _bytes(inputs, "shmSize"),
        "Ulimits": [
            {"Name": limit["name"], "Soft": limit["soft"], "Hard": limit["hard"]}
            for limit in inputs.get("ulimits") or []
        ],
        "NanoCpus": given(inputs, "cpus", lambda cpus: round(float(cpus) * 10**9)),
    }


def resources(inputs: Values) -> Values:
    """The limits that the engine can also change on a living container."""
    return {
        "Memory": _bytes(inputs, "memory"),
        "MemorySwap": _bytes(inputs, "memorySwap"),
        "MemoryReservation": _bytes(inputs, "memoryReservation"),
        "CpuShares": inputs.get("cpuShares"),
        "CpusetCpus": inputs.get("cpuSet"),
        "CpuPeriod": inputs.get("cpuPeriod"),
        "CpuQuota": inputs.get("cpuQuota"),
    }


def restart_policy(inputs: Values) -> Values | None:
    """The restart policy, None where it is the engine's default."""
    name = inputs.get("restart")
    if not name:
        return None
    retries = inputs.get("maxRetryCount") if name == "on-failure" else None
    return {"Name": name, "MaximumRetryCount": retries or 0}


def further_networks(inputs: Values) -> list[tuple[str, Values]]:
    """Networks to connect to after creation, each with its end's configuration."""
    networks = inputs.get("networksAdvanced") or []
    rest = networks if _mode_is_own(inputs) else networks[1:]
    return [(network["name"], endpoint(network)) for network in rest]


def endpoint(network: Mapping[str, Any]) -> Values:
    """A container's end of a network, as the engine takes it."""
    addresses = {
        "IPv4Address": network.get("ipv4Address"),
        "IPv6Address": network.get("ipv6Address"),
        "LinkLocalIPs": network.get("linkLocalIps"),
    }
    options = dict(entry.split("=", 1) for entry in network.get("driverOpts") or [])
    end: Values = without_none(
        {
            "IPAMConfig": canonical(addresses),
            "Aliases": network.get("aliases"),
            "DriverOpts": options or None,
            "MacAddress": network.get("macAddress"),
            "GwPriority": network.get("gwPriority"),
        }
    )
    return end


def _mode_is_own(inputs: Values) -> bool:
    return bool(inputs.get("networkMode"))


def _network_mode(inputs: Values) -> str:
    networks = inputs.get("networksAdvanced") or []
    return inputs.get("networkMode") or (networks[0]["name"] if networks else "bridge")


def _first_network(inputs: Values) -> Values | None:
    networks = inputs.get("networksAdvanced") or []
    if _mode_is_own(inputs) or not networks:
        return None
    return {"EndpointsConfig": {networks[0]["name"]: endpoint(networks[0])}}


def _bytes(inputs: Values, key: str) -> int | None:
    """Mebibytes as bytes; -1 (no limit) stays."""
    size = inputs.get(key)
    return None if size is None else int(size if size < 0 else size * MEBIBYTE)


def _logging(inputs: Values) -> Values | None:
    if not inputs.get("logDriver") and not inputs.get("logOpts"):
        return None
    return {"Type": inputs.get("logDriver") or "", "Config": inputs.get("logOpts") or {}}


def _healthcheck(check: Mapping[str, Any]) -> Values:
    return {
        "Test": check.get("tests"),
        "Interval": given(check, "interval", nanoseconds),
        "Timeout": given(check, "timeout", nanoseconds),
        "StartPeriod": given(check, "startPeriod", nanoseconds),
        "StartInterval": given(check, "startInterval", nanoseconds),
        "Retries": check.get("retries"),
    }


def nanoseconds(text: str) -> int:
    """A duration as Go writes it: `1m30s`."""
    parts = re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", text)
    if text != "0" and "".join(number + unit for number, unit in parts) != text:
        raise PluginError(f"{text!r} is no duration; write for example 5s or 1m30s")
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts))


def _port_key(port: Mapping[str, Any]) -> str:
    return f"{port['internal']}/{port.get('protocol') or 'tcp'}"


def _port_bindings(ports: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        binding = {"HostIp": port.get("ip") or "", "HostPort": str(port.get("external") or "")}
        bindings.setdefault(_port_key(port), []).append(binding)
    return bindings


def _is_bind(volume: Mapping[str, Any]) -> bool:
    return bool(volume.get("hostPath") or volume.get("volumeName"))


def _is_anonymous(volume: Mapping[str, Any]) -> bool:
    return not _is_bind(volume) and not volume.get("fromContainer")


def _bind(volume: Mapping[str, Any]) -> str:
    source = volume.get("hostPath") or volume.get("volumeName")
    modes = ["ro" if volume.get("readOnly") else "rw", volume.get("selinuxRelabel")]
    return f"{source}:{volume['containerPath']}:{','.join(mode for mode in modes if mode)}"


def _from_container(volume: Mapping[str, Any]) -> str:
    return f"{volume['fromContainer']}:{'ro' if volume.get('readOnly') else 'rw'}"


def _mount(mount: Mapping[str, Any]) -> Values:
    volume = mount.get("volumeOptions")
    tmpfs = mount.get("tmpfsOptions")
    bind = mount.get("bindOptions")
    return {
        "Type": mount["type"],
        "Target": mount["target"],
        "Source": mount.get("source"),
        "ReadOnly": mount.get("readOnly"),
        "BindOptions": bind and {"Propagation": bind.get("propagation")},
        "TmpfsOptions": tmpfs
        and {"SizeBytes": tmpfs.get("sizeBytes"), "Mode": given(tmpfs, "mode", _octal)},
        "VolumeOptions": volume and _volume_options(volume),
    }


def _octal(mode: int) -> int:
    """1777 is meant as in chmod."""
    return int(str(mode), 8)


def _volume_options(options: Mapping[str, Any]) -> Values:
    driver = options.get("driverName")
    return {
        "NoCopy": options.get("noCopy"),
        "Labels": given(dict(options), "labels", labels_to_engine),
        "Subpath": options.get("subpath"),
        "DriverConfig": driver and {"Name": driver, "Options": options.get("driverOptions")},
    }


def _devices(inputs: Values) -> Values:
    requests = [_device_request(request) for request in inputs.get("deviceRequests") or []]
    if inputs.get("gpus"):
        requests.append(_gpus(inputs["gpus"]))
    rates = {
        "BlkioDeviceReadBps": "deviceReadBps",
        "BlkioDeviceReadIOps": "deviceReadIops",
        "BlkioDeviceWriteBps": "deviceWriteBps",
        "BlkioDeviceWriteIOps": "deviceWriteIops",
    }
    throttles = {
        name: [{"Path": r["path"], "Rate": r["rate"]} for r in inputs.get(key) or []] or None
        for name, key in rates.items()
    }
    return throttles | {
        "DeviceRequests": requests or None,
        "DeviceCgroupRules": inputs.get("deviceCgroupRules"),
        "Devices": [
            {
                "PathOnHost": device["hostPath"],
                "PathInContainer": device.get("containerPath") or device["hostPath"],
                "CgroupPermissions": device.get("permissions") or "rwm",
            }
            for device in inputs.get("devices") or []
        ],
    }


def _device_request(request: Mapping[str, Any]) -> Values:
    capabilities = request.get("capabilities")
    return {
        "Driver": request.get("driver") or "",
        "Count": request.get("count"),
        "DeviceIDs": request.get("deviceIds"),
        "Capabilities": [capabilities] if capabilities else None,
        "Options": request.get("options"),
    }


def _gpus(text: str) -> Values:
    request: Values = {"Driver": "nvidia", "Capabilities": [["gpu"]]}
    if text == "all":
        return request | {"Count": -1}
    if text.isdigit():
        return request | {"Count": int(text)}
    if text.startswith("device="):
        return request | {"DeviceIDs": text.removeprefix("device=").strip('"').split(",")}
    raise PluginError(f"gpus {text!r} is neither `all`, a number, nor `device=<id,…>`")


def uploads_archive(uploads: Sequence[Mapping[str, Any]]) -> bytes:
    """The files to put into a container before it starts, as a tar archive of its root."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for upload in uploads:
            content = _content(upload)
            info = tarfile.TarInfo(upload["file"].lstrip("/"))
            info.size = len(content)
            default = "0744" if upload.get("executable") else "0644"
            info.mode = int(upload.get("permissions") or default, 8)
            info.uid = int(upload.get("owner") or 0)
            info.gid = int(upload.get("group") or 0)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def _content(upload: Mapping[str, Any]) -> bytes:
    if upload.get("contentBase64"):
        return base64.b64decode(upload["contentBase64"])
    if upload.get("source"):
        try:
            return Path(upload["source"]).read_bytes()
        except OSError as error:
            raise PluginError(
                f"the file to upload to {upload['file']} can't be read: {error}"
            ) from None
    return str(upload.get("content") or "").encode()
