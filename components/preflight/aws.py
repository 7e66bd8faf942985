"""What AWS says before a VM is made, by boto3."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import boto3
from botocore.config import Config

from .findings import Finding, Verdict, Wanted, quota

_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 1})
# Running vCPUs by families, as Service Quotas counts them. Source: the service quotas of EC2.
_STANDARD, _STANDARD_SPOT, _G, _P = "L-1216C47A", "L-34B43A08", "L-DB2E81BA", "L-417A185B"
_ADDRESSES, _GP3 = "L-0263D0A3", "L-7A658B76"
_RAISE = "a higher quota: AWS console, Service Quotas, Amazon EC2"


def questions(wanted: Wanted) -> Sequence[Callable[[Wanted], Iterable[Finding]]]:
    """The checks, or an error where there are no credentials."""
    session = boto3.Session(region_name=wanted.region)
    if session.get_credentials() is None:
        raise PermissionError("no credentials for aws: aws configure, or AWS_PROFILE")
    ask = _Account(session)
    asked = [ask.machine_type, ask.image]
    return asked if ask.has(wanted.name) else [*asked, ask.vcpus, ask.addresses, ask.volumes]


def left_behind(wanted: Wanted, deployment: str) -> list[str]:
    """Ids of everything that carries the deployment's tag."""
    session = boto3.Session(region_name=wanted.region)
    client: Any = session.client("resourcegroupstaggingapi", config=_CONFIG)
    tag = {"Key": "pulumi-jupyterhub-deployment", "Values": [deployment]}
    pages = client.get_paginator("get_resources").paginate(TagFilters=[tag])
    found = [item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]]
    return [arn.rsplit("/", 1)[-1] for arn in found]


class _Account:
    def __init__(self, session: boto3.Session) -> None:
        self._ec2: Any = session.client("ec2", config=_CONFIG)
        self._quotas: Any = session.client("service-quotas", config=_CONFIG)

    def has(self, name: str) -> bool:
        """Whether the VM is there already."""
        filters = [
            {"Name": "tag:Name", "Values": [name]},
            {"Name": "instance-state-name", "Values": ["pending", "running", "stopped"]},
        ]
        return bool(self._ec2.describe_instances(Filters=filters)["Reservations"])

    def machine_type(self, wanted: Wanted) -> Iterable[Finding]:
        """The zone offers the type."""
        if not (wanted.machine_type and wanted.zone):
            return
        offers = self._ec2.describe_instance_type_offerings(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": [wanted.machine_type]}],
        )["InstanceTypeOfferings"]
        zones = sorted(offer["Location"] for offer in offers)
        if wanted.zone in zones:
            yield Finding("vm.machine_type", Verdict.ok, wanted.machine_type)
            return
        others = f"a zone that has it: {', '.join(zones)}" if zones else "a type of this region"
        found = f"{wanted.machine_type}, which {wanted.zone} does not have"
        yield Finding("vm.machine_type", Verdict.refused, found, others)

    def image(self, wanted: Wanted) -> Iterable[Finding]:
        """The image is there; one by its operating system's name is looked up by the provider."""
        if wanted.image:
            found = self._ec2.describe_images(
                Filters=[{"Name": "image-id", "Values": [wanted.image]}]
            )["Images"]
            if not found:
                where = f"{wanted.image}, which is not in {wanted.region}"
                yield Finding("vm.image", Verdict.refused, where, "an AMI of this region")

    def vcpus(self, wanted: Wanted) -> Iterable[Finding]:
        """The quota of running vCPUs has room."""
        if wanted.cpus is None or not wanted.machine_type:
            return
        letter = wanted.machine_type[0]
        code = {"g": _G, "p": _P}.get(letter, _STANDARD_SPOT if wanted.spot else _STANDARD)
        used = 0
        for page in self._ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-state-name", "Values": ["running", "pending"]}]
        ):
            for instance in (i for r in page["Reservations"] for i in r["Instances"]):
                own = instance["InstanceType"][0]
                same = own == letter if letter in "gp" else own not in "gp"
                cores = instance.get("CpuOptions") or {}
                used += cores.get("CoreCount", 1) * cores.get("ThreadsPerCore", 1) if same else 0
        yield quota("vm.size", "vCPUs", wanted.cpus, self._limit(code), used, _RAISE)

    def addresses(self, wanted: Wanted) -> Iterable[Finding]:
        """The quota of Elastic IPs has room."""
        if wanted.addresses:
            used = len(self._ec2.describe_addresses()["Addresses"])
            limit = self._limit(_ADDRESSES)
            path = "vm.network.public_address"
            yield quota(path, "Elastic IPs", wanted.addresses, limit, used, _RAISE)

    def volumes(self, wanted: Wanted) -> Iterable[Finding]:
        """The quota of gp3 storage, counted in TiB, has room."""
        pages = self._ec2.get_paginator("describe_volumes").paginate(
            Filters=[{"Name": "volume-type", "Values": ["gp3"]}]
        )
        used = sum(volume["Size"] for page in pages for volume in page["Volumes"])
        limit = self._limit(_GP3, "ebs") * 1024
        yield quota("volumes.data.size", "GiB of gp3", sum(wanted.volumes), limit, used, _RAISE)

    def _limit(self, code: str, service: str = "ec2") -> int:
        answer = self._quotas.get_service_quota(ServiceCode=service, QuotaCode=code)
        return int(answer["Quota"]["Value"])
