"""A stand-in for Pulumi's docker plugin, for machines that can't download the official one.

It speaks the provider protocol, is driven by the official `pulumi_docker` SDK, and really makes
containers, networks, volumes and images on a Docker engine, through docker-py. It covers what
README.md beside this file lists; everything else is refused by name.
"""

NAME = "docker"
VERSION = "5.2.0"  # of the official plugin that it stands in for
OFFICIAL = f"the official plugin is needed: pulumi plugin install resource {NAME} {VERSION}"
