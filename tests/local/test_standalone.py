"""The notebook image without any hub."""

from __future__ import annotations

import re

import requests

from tests.checkout import ENGINE, Checkout
from tests.client import eventually


def test_docker_run_gives_a_notebook(class_hub: Checkout) -> None:
    image = class_hub.container("hub").exec_run(
        ["jq", "-r", ".images[0].image", "/etc/jupyterhub/settings.json"]
    )
    container = ENGINE.containers.run(
        image.output.decode().strip(),
        detach=True,
        remove=True,
        ports={"8888/tcp": ("127.0.0.1", 8398)},
    )
    try:
        found = eventually(
            "the address with its token",
            lambda: re.search(r"/lab\?token=(\w+)", container.logs().decode()),
            30,
        )
        url = "http://127.0.0.1:8398/api/contents"
        assert eventually("it answers", lambda: requests.get(url, timeout=5).status_code == 403)
        with_token = requests.get(url, headers={"Authorization": f"token {found[1]}"}, timeout=5)
        assert with_token.status_code == 200
    finally:
        container.remove(force=True)
