"""The usual hub to compare with: DockerSpawner and configurable-http-proxy as they come."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.checkout import ENGINE
from tests.client import eventually

PORT, API_PORT, HUB_PORT = 8490, 8590, 8690
NETWORK, SUBNET, GATEWAY = "jupyterhub-tstock", "10.241.240.0/20", "10.241.240.1"
PASSWORD = "a-class-password"
PROXY = "configurable-http-proxy@5.3.0"

CONFIG = f"""
c.JupyterHub.bind_url = "http://127.0.0.1:{PORT}"
c.JupyterHub.hub_bind_url = "http://{GATEWAY}:{HUB_PORT}"
c.JupyterHub.hub_connect_ip = "{GATEWAY}"
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{API_PORT}"
c.ConfigurableHTTPProxy.auth_token = "bench"
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = "{PASSWORD}"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "docker"
c.DockerSpawner.network_name = "{NETWORK}"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.prefix = "{NETWORK}"
"""


def missing() -> str | None:
    """What the comparison lacks on this machine, if anything."""
    return None if shutil.which("npm") else "npm is not installed"


@contextmanager
def hub(hub_image: str, notebook_image: str) -> Iterator[str]:
    """A running stock hub; gives its URL."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            folder,
            PROXY,
        ]
        subprocess.run(command, check=True)
        config = Path(folder) / "jupyterhub_config.py"
        config.write_text(CONFIG + f'c.DockerSpawner.image = "{notebook_image}"\n')
        network = ENGINE.api.create_network(
            NETWORK, driver="bridge", ipam={"Config": [{"Subnet": SUBNET, "Gateway": GATEWAY}]}
        )
        proxy = subprocess.Popen(
            [
                f"{folder}/node_modules/.bin/configurable-http-proxy",
                *("--ip", "127.0.0.1", "--port", str(PORT)),
                *("--api-ip", "127.0.0.1", "--api-port", str(API_PORT)),
                *("--default-target", f"http://{GATEWAY}:{HUB_PORT}"),
            ],
            env=os.environ | {"CONFIGPROXY_AUTH_TOKEN": "bench"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        container = ENGINE.containers.run(
            hub_image,
            ["jupyterhub", "-f", "/config/jupyterhub_config.py"],
            detach=True,
            network_mode="host",
            working_dir="/tmp",
            volumes=[f"{folder}:/config:ro", "/var/run/docker.sock:/var/run/docker.sock"],
        )
        try:
            url = f"http://127.0.0.1:{PORT}"
            eventually("the stock hub", lambda: requests.get(f"{url}/hub/health", timeout=5).ok)
            yield url
        finally:
            container.remove(force=True)
            proxy.terminate()
            proxy.wait()
            for server in ENGINE.containers.list(all=True, filters={"name": NETWORK}):
                server.remove(force=True)
            ENGINE.api.remove_network(network["Id"])
