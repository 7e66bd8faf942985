"""A stand-in for the official aws, gcp and openstack plugins: it previews, and tests use it.

It makes nothing in any cloud. Only a preview works with it; a test that sets `CLOUD` gets a cloud
in a file, which remembers what was made. Its ids start with `standin-`, so that nobody takes one
for real, and it is never on the PATH of `make up`.
"""

NAMES = ("aws", "gcp", "openstack")
CLOUD = "PULUMI_JUPYTERHUB_STANDIN_CLOUD"  # a test's folder with the cloud in a file
ID_PREFIX = "standin-"
