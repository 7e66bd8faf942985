#!/bin/sh
# dockerspawner 14.0.0, jupyterhub 5.5.4
# DockerSpawner takes JupyterHub's mem_guarantee and cpu_guarantee without a word, tells them to the
# notebook server in its environment, and asks Docker for neither: a request to create a container
# has the limits only, though Docker knows a MemoryReservation. (SwarmSpawner, of the same package,
# passes them on.) Seen:
#   told to the server: CPU_GUARANTEE=0.5 CPU_LIMIT=1.0 MEM_GUARANTEE=1073741824 MEM_LIMIT=2147483648
#   asked of Docker: CpuPeriod=100000 CpuQuota=100000 Memory=2147483648
# Who promises memory has to count promises, or to put mem_reservation into extra_host_config.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
python3 -m venv "$folder/venv"
timeout 300 "$folder/venv/bin/pip" install -q --no-cache-dir --disable-pip-version-check \
    jupyterhub==5.5.4 dockerspawner==14.0.0 docker==7.1.0
cat > "$folder/seen.py" <<'END'
import asyncio
from unittest.mock import AsyncMock, MagicMock, patch

import docker
from dockerspawner import DockerSpawner

user = MagicMock(url="/user/anna/", escaped_name="anna")
user.name = "anna"
spawner = DockerSpawner(
    user=user,
    hub=MagicMock(base_url="/hub/", api_url="http://127.0.0.1:8081/hub/api"),
    oauth_client_id="jupyterhub-user-anna",
    image="quay.io/jupyter/base-notebook",
    cmd=["jupyterhub-singleuser"],
    mem_limit="2G",
    mem_guarantee="1G",
    cpu_limit=1,
    cpu_guarantee=0.5,
)
# What would go to an engine is kept instead.
spawner.docker = AsyncMock(return_value={"Id": "1"})
with patch.object(DockerSpawner, "client", docker.APIClient(version="1.41")):
    asyncio.run(spawner.create_object())
(asked,) = spawner.docker.call_args_list


def shown(values: dict, *words: str) -> str:
    found = sorted(name for name in values if name.startswith(words))
    return " ".join(f"{name}={values[name]}" for name in found)


print("told to the server:", shown(asked.kwargs["environment"], "MEM_", "CPU_"))
print("asked of Docker:", shown(asked.kwargs["host_config"], "Mem", "Cpu", "Nano"))
END
cd "$folder" && timeout 100 venv/bin/python seen.py > seen 2> errors || { cat errors; exit 1; }
cat seen
cat > expected <<'END'
told to the server: CPU_GUARANTEE=0.5 CPU_LIMIT=1.0 MEM_GUARANTEE=1073741824 MEM_LIMIT=2147483648
asked of Docker: CpuPeriod=100000 CpuQuota=100000 Memory=2147483648
END
cmp -s seen expected || { echo "This has changed."; exit 1; }
