# What the chart's own configuration sets, as far as this project's relies on it.
import os
from pathlib import Path

import yaml
from tornado.httpclient import AsyncHTTPClient

c = get_config()  # noqa: F821
values = yaml.safe_load(Path("/usr/local/etc/jupyterhub/secret/values.yaml").read_text())
user, storage = values["singleuser"], values["singleuser"]["storage"]

AsyncHTTPClient.configure("tornado.curl_httpclient.CurlAsyncHTTPClient")
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.ConfigurableHTTPProxy.api_url = "http://proxy-api:8001"
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False
c.JupyterHub.last_activity_interval = 60
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
c.JupyterHub.db_url = values["hub"]["db"]["url"]
c.JupyterHub.hub_bind_url = "http://:8081"
c.JupyterHub.hub_connect_url = "http://hub:8081"
c.JupyterHub.services = []
c.JupyterHub.load_roles = []

spawner = c.KubeSpawner
spawner.common_labels = {"app.kubernetes.io/managed-by": "kubespawner"}
spawner.namespace = os.environ["POD_NAMESPACE"]
spawner.image = f"{user['image']['name']}:{user['image']['tag']}"
spawner.image_pull_policy = "Never"
spawner.cmd = user["cmd"]
spawner.uid, spawner.fs_gid = user["uid"], user["fsGid"]
spawner.start_timeout = user["startTimeout"]
spawner.environment = user["extraEnv"]
spawner.init_containers = user["initContainers"]
spawner.profile_list = user["profileList"]
spawner.mem_limit, spawner.mem_guarantee = map(user["memory"].get, ("limit", "guarantee"))
spawner.cpu_limit, spawner.cpu_guarantee = map(user["cpu"].get, ("limit", "guarantee"))

# One claim for all homes: claims of users' own (`storage.dynamic`) want a provisioner.
home = {"name": "home", "persistentVolumeClaim": {"claimName": storage["static"]["pvcName"]}}
inside = {"name": "home", "mountPath": storage["homeMountPath"]}
spawner.volumes = [home, *storage["extraVolumes"]]
spawner.volume_mounts = [
    inside | {"subPath": storage["static"]["subPath"]},
    *storage["extraVolumeMounts"],
]

for _, text in sorted(values["hub"]["extraConfig"].items()):
    exec(text)
