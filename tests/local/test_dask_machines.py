"""Dask's workers on machines of their own, in real containers over TLS.

Each machine is a Docker network with a published port, since there is one engine here; the
containers are what the component asks for. In place of the hub's Traefik, which passes the
scheduler's port on as it is, the scheduler's port is published.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from components.dask_cluster import tls
from tests.checkout import ENGINE, Checkout
from tests.client import eventually
from tests.unit.test_dask_machines import (
    FIXTURES,
    composed,
    containers,
    secret,
    surround,
)

NUMBER = 96  # of the third byte: networks that no other test has
ADDRESSES = {name: f"10.244.{NUMBER + i}.1" for i, name in enumerate(("hub", "big", "old", "desk"))}
OTHERS = tls.variables(tls.pair("cd" * 32))


class Cluster:
    """Scheduler and workers, each on the network of its machine."""

    def __init__(self, folder: Path, image: str) -> None:
        text = (FIXTURES / "host.happy.dask.yaml").read_text()
        for known, name in (("192.0.2.9", "hub"), ("192.0.2.20", "big"), ("192.0.2.21", "old")):
            text = text.replace(f"address: {known}", f"address: {ADDRESSES[name]}")
        text = text.replace("workers: 2", "workers: 2\n    memory: 400M")
        offered = "{title: Dask, source: {bundled: dask}}"
        text = text.replace("hub: {", f"hub: {{images: [{offered}], ")
        file = folder / "Pulumi.test.yaml"
        file.write_text(text)
        recorder = composed(file)
        self.asked = containers(recorder, "dask-")
        self.image = image
        uploads = recorder.of("docker:index/container:Container")["hub"]["uploads"]
        uploads = uploads if isinstance(uploads, list) else secret(uploads)
        content = next(u for u in uploads if u["file"].endswith("settings.json"))["content"]
        settings = json.loads(content if isinstance(content, str) else secret(content))
        self.notebook = settings["environment"]
        self.notebook["DASK_SCHEDULER_ADDRESS"] = f"tls://{ADDRESSES['hub']}:8786"
        self.running: dict[str, Container] = {}

    def start(self, name: str, machine: str, ports: dict[str, Any], **more: Any) -> Container:
        inputs = self.asked[name]
        made = ENGINE.containers.run(
            self.image,
            inputs["command"],
            detach=True,
            network=f"tdask-{machine}",
            user=inputs["user"],
            cap_drop=inputs["capabilities"]["drops"],
            security_opt=inputs["securityOpts"],
            mem_limit=f"{int(inputs.get('memory', 600))}m",
            ports=ports,
            restart_policy={"Name": inputs["restart"]},  # a worker may be before the scheduler
            **{"name": f"tdask-{more.pop('called', name)}", "environment": secret(inputs["envs"])}
            | more,
        )
        self.running.setdefault(name, made)
        return made

    def worker(self, machine: str, index: int, **more: Any) -> Container:
        name = f"dask-{machine}-worker-{index}"
        (port,) = self.asked[name]["ports"]
        ports = {f"{int(port['internal'])}/tcp": (ADDRESSES[machine], int(port["external"]))}
        return self.start(name, machine, ports, **more)

    @contextmanager
    def notebook_running(self, code: str, environment: dict[str, str]) -> Iterator[Container]:
        made = ENGINE.containers.run(
            self.image,
            ["python3", "-uc", code],
            detach=True,
            network="tdask-desk",
            environment=environment,
        )
        try:
            yield made
        finally:
            made.remove(force=True)

    def run(self, code: str, environment: dict[str, str] | None = None) -> str:
        """What it prints; with another environment, also what Dask logs."""
        with self.notebook_running(code, environment or self.notebook) as made:
            ended = made.wait(timeout=300)["StatusCode"]
            assert environment or not ended, made.logs().decode()
            return str(made.logs(stderr=environment is not None).decode()).strip()


@pytest.fixture(scope="module")
def cluster(roster_hub: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With the image that a hub of this machine has built."""
    folder = tmp_path_factory.mktemp("dask")
    with pytest.MonkeyPatch.context() as patch:
        surround(patch, folder)
        made = Cluster(folder, roster_hub.container("dask-scheduler").image.tags[0])
    _clean()
    for name, address in ADDRESSES.items():
        pool = IPAMPool(subnet=f"{address[:-2]}.0/24", gateway=address)
        ENGINE.networks.create(f"tdask-{name}", ipam=IPAMConfig(pool_configs=[pool]))
    try:
        scheduler = made.start("dask-scheduler", "hub", {"8786/tcp": (ADDRESSES["hub"], 8786)})
        # Docker's own proxy answers before it does, and Dask gives up over an answer without TLS.
        eventually("the scheduler", lambda: b"Scheduler at" in scheduler.logs(), 120)
        for machine in ("big", "old"):
            for index in range(2):
                made.worker(machine, index)
        yield made
    finally:
        _clean()


def _clean() -> None:
    for container in ENGINE.containers.list(all=True, filters={"name": "^tdask-"}):
        container.remove(force=True)
    for network in ENGINE.networks.list(filters={"name": "^tdask-"}):
        for left in network.attrs.get("Containers") or {}:
            ENGINE.containers.get(left).remove(force=True)
        network.remove()


JOINED = """
from dask.distributed import Client
client = Client(timeout=120)
client.wait_for_workers(4, timeout=120)
"""


def test_a_computation_runs_on_both_machines(cluster: Cluster) -> None:
    code = (
        JOINED
        + """
import time
def work(x):
    time.sleep(0.05)
    return x * x
print(client.submit(sum, client.map(work, range(100))).result(timeout=120))
print(sorted(client.scheduler_info(n_workers=-1)["workers"]))
print(len(client.run(lambda: 1)))
"""
    )
    addresses = [f"tls://{ADDRESSES[m]}:{p}" for m in ("big", "old") for p in (8790, 8791)]
    assert cluster.run(code).splitlines()[-3:] == ["328350", str(addresses), "4"]


def test_a_worker_is_killed_in_the_middle_and_the_answer_is_right(cluster: Cluster) -> None:
    code = (
        JOINED
        + """
import time
def work(x):
    time.sleep(0.3)
    return x * x
futures = client.map(work, range(120))
while sum(f.done() for f in futures) < 30:
    time.sleep(0.05)
print("in the middle", flush=True)
print(sum(client.gather(futures)), len(client.scheduler_info(n_workers=-1)["workers"]))
"""
    )
    with cluster.notebook_running(code, cluster.notebook) as notebook:
        eventually("the middle", lambda: b"in the middle" in notebook.logs(), 240)
        cluster.running["dask-old-worker-1"].kill()
        notebook.wait(timeout=300)
        assert notebook.logs().decode().split("\n")[-2] == f"{sum(x * x for x in range(120))} 3"
    cluster.running["dask-old-worker-1"].start()  # as the engine does


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DASK_SCHEDULER_ADDRESS": f"tcp://{ADDRESSES['hub']}:8786"}, "CommClosedError"),
        (
            OTHERS | {"DASK_SCHEDULER_ADDRESS": f"tls://{ADDRESSES['hub']}:8786"},
            "TLS certificate does not match",
        ),
    ],
    ids=["no certificate", "another stack's certificate"],
)
def test_nobody_joins_without_the_certificate(
    cluster: Cluster, environment: dict[str, str], said: str
) -> None:
    code = "from dask.distributed import Client; print(Client(timeout=10).run(lambda: 1))"
    assert said in cluster.run(code, environment)


def test_a_worker_without_the_certificate_computes_nothing(cluster: Cluster) -> None:
    stranger = cluster.start("dask-big-worker-0", "desk", {}, called="stranger", environment=OTHERS)
    time.sleep(8)
    code = JOINED + "print(len(client.scheduler_info(n_workers=-1)['workers']))"
    assert cluster.run(code).splitlines()[-1] == "4"
    stranger.remove(force=True)


def test_a_local_cluster_of_ones_own_still_works(cluster: Cluster) -> None:
    code = """
from dask.distributed import Client, LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=1, processes=False, dashboard_address=None) as own:
        print(Client(own).submit(sum, [1, 2, 3]).result())
"""
    assert "6" in cluster.run(code).splitlines()
