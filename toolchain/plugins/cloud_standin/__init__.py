"""A stand-in for the official plugins of the clouds and of Kubernetes, for previews and tests.

It makes nothing in any cloud. Only a preview works with it; a test that sets `CLOUD` gets a cloud
in a file, which remembers what was made. Its ids start with `standin-`, so that nobody takes one
for real, and it is never on the PATH of `make up`.
"""

NAMES = ("aws", "gcp", "openstack", "kubernetes")
CLOUD = "PULUMI_JUPYTERHUB_STANDIN_CLOUD"  # a test's folder with the cloud in a file
ID_PREFIX = "standin-"
