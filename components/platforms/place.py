"""Where a component's containers run: its `platform` names the file that knows the place."""

from __future__ import annotations

from .docker_host import DockerHost
from .kubernetes import KubernetesCluster

Place = DockerHost | KubernetesCluster
