"""A stand-in for Pulumi's kubernetes plugin, for machines that can't download the official one.

It speaks the provider protocol, is driven by the official `pulumi_kubernetes` SDK, and really
applies objects to a cluster, through the Kubernetes project's own Python client. What it covers is
in README.md beside this file; everything else is refused by name.
"""

NAME = "kubernetes"
VERSION = "4.34.2"  # of the official plugin that it stands in for
OFFICIAL = f"the official plugin is needed: pulumi plugin install resource {NAME} {VERSION}"


class PluginError(Exception):
    """An error whose text is meant for the user as it is."""
