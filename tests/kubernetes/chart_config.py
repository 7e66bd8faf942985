# A stand-in for the chart's jupyterhub_config.py: what that file sets of what ours relies on.
# The chart itself is in no package registry.
import os

from tornado.httpclient import AsyncHTTPClient

c = get_config()  # noqa: F821

AsyncHTTPClient.configure("tornado.curl_httpclient.CurlAsyncHTTPClient")
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.ConfigurableHTTPProxy.api_url = "http://proxy-api:8001"
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False
c.JupyterHub.last_activity_interval = 60
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
c.JupyterHub.hub_bind_url = "http://:8081"
c.JupyterHub.hub_connect_url = "http://hub:8081"
c.KubeSpawner.common_labels = {"app.kubernetes.io/managed-by": "kubespawner"}
c.KubeSpawner.namespace = os.environ["POD_NAMESPACE"]
c.KubeSpawner.image = os.environ["NOTEBOOK_IMAGE"]
c.KubeSpawner.image_pull_policy = "Never"
c.KubeSpawner.cmd = ["jupyterhub-singleuser"]
c.KubeSpawner.uid, c.KubeSpawner.fs_gid = 1000, 100
c.KubeSpawner.mem_limit, c.KubeSpawner.mem_guarantee = "1G", "128M"
c.KubeSpawner.start_timeout = 120
c.KubeSpawner.profile_list = [
    {"display_name": "Python", "slug": "python", "default": True},
    {
        "display_name": "More than there is",
        "slug": "huge",
        "kubespawner_override": {"mem_guarantee": "900G", "mem_limit": "900G"},
    },
]
# `singleuser.storage`: one claim, a folder in it for each user.
c.KubeSpawner.volumes = {"home": {"name": "home", "persistentVolumeClaim": {"claimName": "homes"}}}
c.KubeSpawner.volume_mounts = {
    "home": {"mountPath": "/home/jovyan", "name": "home", "subPath": "{escaped_username}"}
}
c.JupyterHub.services = []
c.JupyterHub.load_roles = []

# `hub.extraConfig`
from hubkit.kubernetes import configure  # noqa: E402

configure(c)
