"""docker.Container"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from ..provider.values import Values, has_unknown, without_none
from .container_config import (
    container_document,
    further_networks,
    resources,
    restart_policy,
    uploads_archive,
)
from .container_state import inputs_found, is_running, outputs_found, should_run
from .errors import InitFailed, PluginError, explain
from .resource import Call, Change, Found, Made, ResourceType, names
from .values import canonical

if TYPE_CHECKING:
    from docker import APIClient

_LIMITS = names("cpuPeriod cpuQuota cpuSet cpuShares memory memoryReservation memorySwap")
# The official provider updates these in place, where the engine can't: they wait in the state.
_WAITING = names(
    "deviceReadBps deviceReadIops deviceWriteBps deviceWriteIops healthcheck init rm tmpfs"
)
# Those that only this plugin and the restart policy look at.
_OWN = names(
    """
    containerReadRefreshTimeoutMilliseconds destroyGraceSeconds maxRetryCount mustRun
    removeVolumes restart start wait waitTimeout
    """
)
_TAIL = 15
_SETTLE = 0.3  # seconds in which a container that can't work usually ends
_REMOVAL = 30.0
# Restarts after which a container that is waited for counts as broken.
_RESTARTS = 8


class Container(ResourceType):
    """A container, started and if wished waited for."""

    token = "docker:index/container:Container"
    required = names("image")
    replacing = names(
        """
        capabilities cgroupParent cgroupnsMode command cpus deviceCgroupRules deviceRequests
        devices dns dnsOpts dnsSearches domainname entrypoints envs gpus groupAdds hostname
        hosts image ipcMode labels logDriver logOpts mounts name networkMode networksAdvanced
        pidMode platform ports privileged publishAllPorts readOnly runtime securityOpts
        shmSize stdinOpen stopSignal stopTimeout storageOpts sysctls tty ulimits uploads user
        usernsMode volumes workingDir
        """
    )
    in_place = _LIMITS | _WAITING | _OWN
    refused = names("attach logs")
    ordered = names("command entrypoints")
    defaults: ClassVar = {
        "mustRun": True,
        "networkMode": "bridge",
        "removeVolumes": True,
        "restart": "no",
        "start": True,
        "waitTimeout": 60,
    }
    computed = names("bridge exitCode hostname ipcMode logDriver networkDatas runtime shmSize")

    def prepare(self, inputs: Values) -> tuple[Values, dict[str, str]]:
        """Tries the translation, so that a bad value is told before anything is made."""
        if not has_unknown(inputs):
            try:
                container_document(inputs)
            except (PluginError, ValueError) as error:
                return inputs, {"": str(error)}
        return inputs, {}

    def effect(self, key: str, news: Values) -> Change:
        """The engine can change limits of a living container, but not take them away."""
        if key in _LIMITS and canonical(news.get(key)) is None:
            return Change.REPLACE
        return super().effect(key, news)

    def create(self, call: Call, inputs: Values) -> Made:
        """Makes and starts it. What fails before the start leaves nothing behind."""
        client = call.engine.client()
        made = client.create_container_from_config(
            container_document(inputs), inputs["name"], inputs.get("platform")
        )
        id = made["Id"]
        try:
            for network, end in further_networks(inputs):
                _connect(client, id, network, end)
            if inputs.get("uploads"):
                client.put_archive(id, "/", uploads_archive(inputs["uploads"]))
            if inputs.get("start") is not False:
                client.start(id)
        except BaseException:
            client.remove_container(id, v=True, force=True)
            raise
        return Made(id, self._when_ready(call, id, inputs))

    def _when_ready(self, call: Call, id: str, inputs: Values) -> Values:
        """The outputs once it runs; a container that does not stays there to be looked at."""
        client = call.engine.client()
        fault = _await_ready(call, client, id, inputs) if should_run(inputs) else None
        outputs = inputs | outputs_found(client.inspect_container(id))
        if fault:
            raise InitFailed(fault, id, outputs)
        return outputs

    def read(self, call: Call, id: str, inputs: Values, outputs: Values) -> Found | None:
        """The container as it is, also if it is stopped."""
        from docker.errors import NotFound

        try:
            found = call.engine.client().inspect_container(id)
        except NotFound:
            return None
        now = inputs_found(inputs, found)
        return Found(found["Id"], now, now | outputs_found(found))

    def update(self, call: Call, id: str, olds: Values, news: Values, outputs: Values) -> Values:
        """Changes its limits and restart policy, and starts it if it was stopped by hand."""
        client = call.engine.client()
        changed = self.diff(olds, news).keys()
        for key in sorted(changed & _WAITING):
            call.warn(
                f"{key} of container {news['name']} can't be changed while it is there: it counts "
                "once the container is replaced (pulumi up --replace …)"
            )
        _change(client, id, changed, news)
        if news.get("start") is not False and should_run(news):
            client.start(id)
        return self._when_ready(call, id, news)

    def delete(self, call: Call, id: str, inputs: Values) -> None:
        """Stops it with its grace, removes it, and returns when it is gone."""
        from docker.errors import APIError, NotFound

        client = call.engine.client()
        try:
            if inputs.get("destroyGraceSeconds"):
                client.stop(id, timeout=inputs["destroyGraceSeconds"])
            client.remove_container(id, v=inputs.get("removeVolumes") is not False, force=True)
        except NotFound:
            return
        except APIError as error:
            if "already in progress" not in str(error.explanation):
                raise
        _await_gone(call, client, id)


def _connect(client: APIClient, id: str, network: str, end: Values) -> None:
    # The client's own method knows fewer fields than the engine.
    url = client._url("/networks/{0}/connect", network)
    client._raise_for_status(client._post_json(url, data={"Container": id, "EndpointConfig": end}))


def _change(client: APIClient, id: str, changed: Any, news: Values) -> None:
    if not changed & (_LIMITS | {"restart", "maxRetryCount"}):
        return
    limits = resources(news)
    if limits["Memory"] and limits["MemorySwap"] is None:
        limits["MemorySwap"] = 2 * limits["Memory"]  # as the engine does at creation
    policy = restart_policy(news) or {"Name": "no", "MaximumRetryCount": 0}
    body = without_none(limits | {"RestartPolicy": policy})
    client._raise_for_status(client._post_json(client._url("/containers/{0}/update", id), body))


def _await_ready(call: Call, client: APIClient, id: str, inputs: Values) -> str | None:
    """Waits until it runs, or is healthy where that is wished; what is wrong otherwise."""
    timeout = inputs.get("waitTimeout") or 60 if inputs.get("wait") else _SETTLE
    deadline = time.monotonic() + timeout
    told = False
    while True:
        found = client.inspect_container(id)
        state = found["State"]
        health = (state.get("Health") or {}).get("Status")
        late = time.monotonic() > deadline
        if not is_running(found):
            what = f"ended with exit code {state.get('ExitCode')}"
            return _fault(client, found, f"{what} {state.get('Error') or ''}".strip())
        if not inputs.get("wait"):
            if late and found.get("RestartCount"):
                call.warn(_fault(client, found, "ended and is being started again"))
            if late:
                return None
        elif health == "healthy":
            return None
        elif health is None and not state.get("Restarting"):
            return f"container {inputs['name']} can't be waited for: it has no healthcheck"
        elif health == "unhealthy" or found.get("RestartCount", 0) >= _RESTARTS:
            return _fault(client, found, f"is {health or 'restarting again and again'}")
        elif late:
            return _fault(client, found, f"is not healthy after {timeout} s")
        elif not told and time.monotonic() > deadline - timeout + 2:
            call.progress(f"waiting for {inputs['name']} to be healthy")
            told = True
        if call.cancelled.wait(0.1):
            return f"container {inputs['name']} was not waited for: cancelled"


def _fault(client: APIClient, found: dict[str, Any], what: str) -> str:
    name = found["Name"].lstrip("/")
    checks = (found["State"].get("Health") or {}).get("Log") or []
    said = checks[-1].get("Output", "").strip().splitlines() if checks else []
    check = f" Its health check says: {said[-1][:300]}." if said else ""
    return f"container {name} {what}.{check} {_log_tail(client, found['Id'], name)}"


def _log_tail(client: APIClient, id: str, name: str) -> str:
    try:
        text = client.logs(id, tail=_TAIL).decode(errors="replace").strip()
    except Exception as error:
        return f"Its log can't be read: {explain(error, 'the engine') or error}"
    if not text:
        return "Its log is empty."
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    return f"The end of its log (all of it: docker logs {name}):\n{lines}"


def _await_gone(call: Call, client: APIClient, id: str) -> None:
    from docker.errors import NotFound

    deadline = time.monotonic() + _REMOVAL
    while time.monotonic() < deadline:
        try:
            client.inspect_container(id)
        except NotFound:
            return
        if call.cancelled.wait(0.1):
            return
    raise PluginError(f"container {id[:12]} is still there; look at: docker ps -a")
