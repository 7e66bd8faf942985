"""Labels that tell whose a container is and what it does; the components write the same."""

DEPLOYMENT = "pulumi-jupyterhub.deployment"
ROLE = "pulumi-jupyterhub.role"
KEEP_RUNNING = "pulumi-jupyterhub.keep-running"
