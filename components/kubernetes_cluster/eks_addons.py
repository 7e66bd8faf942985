"""Parts of an EKS cluster that AWS brings and renews: add-ons."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from ..platforms.site import Site


def addon(
    name: str,
    part: str,
    cluster: aws.eks.Cluster,
    site: Site,
    parent: pulumi.Resource,
    values: Mapping[str, Any] | None = None,
    depends_on: Sequence[pulumi.Resource] = (),
    **more: Any,
) -> pulumi.Resource:
    """Makes it, with values of its own. What is changed in the cluster by hand doesn't stay."""
    return aws.eks.Addon(
        f"{name}-{part}",
        cluster_name=cluster.name,
        addon_name=part,
        configuration_values=json.dumps(values) if values else None,
        resolve_conflicts_on_create="OVERWRITE",
        resolve_conflicts_on_update="OVERWRITE",
        tags=site.tags(f"{name}-{part}"),
        region=site.region,
        opts=site.options(parent, depends_on=list(depends_on)),
        **more,
    )
